"""Feed NumPy arrays through float32 blocks and compare with the golden arithmetic."""

import numpy as np
import pytest

from tercel_hw.float32 import Primitive
from tercel_sim.testbench import every_cycle, get_all, put_all, run


def bits_of(x) -> list[int]:
    """The bit patterns of floats; integers as they are."""
    x = np.ascontiguousarray(x)
    return (x.view(np.uint32) if x.dtype == np.float32 else x).tolist()


def evaluate_with(dut: Primitive, **operands) -> list[int]:
    """One set of operands a cycle; what stands at ``o`` ``LATENCY`` cycles after each."""
    columns = list(zip(*(bits_of(x) for x in operands.values()), strict=True))
    ports = [getattr(dut, name) for name in operands]

    async def bench(ctx):
        ctx.set(dut.enable, 1)
        results = []
        for cycle in range(len(columns) + dut.LATENCY):
            if cycle >= dut.LATENCY:
                results.append(ctx.get(dut.o))
            for port, value in zip(ports, columns[min(cycle, len(columns) - 1)], strict=True):
                ctx.set(port, value)
            await ctx.tick()
        return results

    return run(dut, bench, max_cycles=len(columns) + dut.LATENCY + 1)[0]


@pytest.fixture(scope="session")
def evaluate():
    """The results of a primitive for arrays of operands."""
    return evaluate_with


@pytest.fixture(scope="session")
def check():
    """Assert that a primitive gives the expected array, bit for bit."""

    def check_against(dut: Primitive, expected, **operands) -> None:
        results, wanted = evaluate_with(dut, **operands), bits_of(expected)
        columns = zip(*(bits_of(x) for x in operands.values()), strict=True)
        wrong = [
            f"{[hex(x) for x in column]}: {hex(result)}, not {hex(want)}"
            for column, result, want in zip(columns, results, wanted, strict=True)
            if result != want
        ]
        assert not wrong, f"{len(wrong)} of {len(wanted)} differ: " + "; ".join(wrong[:5])

    return check_against


class Floats:
    """Makers of test vectors; all arrays hold normal floats and zeros only, unless they say so."""

    finite = np.float32(
        [
            *[0, 1, 1.5, 2, 3, 0.5, 127.5, 2**24, 2**24 + 2, 2**23 + 0.5, 1 - 2**-24, 1 + 2**-23],
            *[2**-126, 2**-126 * (1 + 2**-23), 2**-125, 2**127, np.finfo(np.float32).max],
        ]
    )
    finite = np.concatenate([finite, -finite])
    corners = np.append(finite, np.float32([np.inf, -np.inf]))

    @staticmethod
    def random(seed: int, count: int, exponents: tuple[int, int] = (1, 254)) -> np.ndarray:
        """Half of random mantissas, half of a few long runs of equal bits; biased exponents."""
        generator = np.random.default_rng(seed)
        exponent = generator.integers(exponents[0], exponents[1] + 1, count)
        sign = generator.integers(0, 2, count)
        mantissa = generator.integers(0, 1 << 23, count)
        runs = (1 << generator.integers(0, 24, count)) - (1 << generator.integers(0, 24, count))
        mantissa[::2] = runs[::2] & 0x7FFFFF
        return Floats.of_bits(sign << 31 | exponent << 23 | mantissa)

    @staticmethod
    def of_bits(bits) -> np.ndarray:
        return np.asarray(bits).astype(np.uint32).view(np.float32)

    @staticmethod
    def each_exponent(seed: int) -> np.ndarray:
        """Both signs of random floats of every exponent, from normal to infinity and zero."""
        mantissa = np.random.default_rng(seed).integers(0, 1 << 23, (2, 256))
        mantissa[:, [0, 255]] = 0
        return Floats.of_bits(np.arange(2)[:, None] << 31 | np.arange(256) << 23 | mantissa).ravel()

    @staticmethod
    def pairs(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Every value with every value."""
        a, b = np.meshgrid(values, values)
        return a.ravel(), b.ravel()


@pytest.fixture(scope="session")
def floats():
    return Floats


@pytest.fixture(scope="session")
def reduce_rows():
    """Feed rows to a block that gives one float a row; return the results' bits."""

    def reduce_through(dut, rows, idle=every_cycle, back_pressure=every_cycle) -> list[int]:
        beats = []
        for row in rows:
            padded = np.pad(row, (0, -len(row) % dut.elements)).reshape(-1, dut.elements)
            beats += [{"x": bits_of(beat), "last": 0} for beat in padded]
            beats[-1]["last"] = 1

        async def source(ctx):
            await put_all(ctx, dut.i, beats, idle)

        async def sink(ctx):
            return await get_all(ctx, dut.o, len(rows), back_pressure)

        return run(dut, source, sink, max_cycles=4000)[1]

    return reduce_through
