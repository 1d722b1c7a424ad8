"""Properties of every primitive: exact latency, stalls, one result per cycle, RTL."""

import random

import numpy as np
import pytest
from amaranth.back import rtlil

from tercel.numerics.functions import reciprocal_table
from tercel_hw.float32 import (
    Adder,
    AlignedSum,
    Bfloat16Up,
    Exp2,
    FloatToFixed,
    IntToFloat,
    Multiplier,
    Normaliser,
    Primitive,
    Reciprocal,
    RoundedShift,
    RoundToInt8,
    Rsqrt,
    SegmentInterpolator,
    Sigmoid,
    SignificandProduct,
    Silu,
    SquaredRelu,
)
from tercel_sim.testbench import run

VECTORS = np.float32([1.0, 3.5, 2.0, 7.0, 0.25, 5.0, 1.25, 6.0, 0.75, 9.0, 4.5, 11.0])
INTEGERS = np.arange(3, 51, 4)

PRIMITIVES = {
    "adder": (Adder, {"a": VECTORS, "b": VECTORS}, 8),
    "aligned_sum": (
        AlignedSum,
        {
            "a": INTEGERS << 18,
            "b": INTEGERS << 17,
            "swap": INTEGERS & 0,
            "distance": INTEGERS >> 3,
            "vanishing": INTEGERS & 0,
            "subtract": INTEGERS >> 2 & 1,
        },
        4,
    ),
    "normaliser": (
        lambda: Normaliser(spacing=1),
        {"x": INTEGERS << 12, "coarse": INTEGERS & 0, "exponent": INTEGERS},
        2,
    ),
    "multiplier": (Multiplier, {"a": VECTORS, "b": VECTORS}, 7),
    "short_multiplier": (lambda: Multiplier(b_bits=8), {"a": VECTORS, "b": VECTORS}, 7),
    "significand_product": (SignificandProduct, {"a": INTEGERS << 18, "b": INTEGERS << 18}, 4),
    "int_to_float": (lambda: IntToFloat(width=32), {"x": INTEGERS}, 5),
    "exact_int_to_float": (lambda: IntToFloat(width=22), {"x": INTEGERS}, 5),
    "float_to_fixed": (lambda: FloatToFixed(fraction_bits=9, width=18), {"x": VECTORS}, 5),
    "rounded_shift": (
        lambda: RoundedShift(width=18, largest=140),
        {"significand": INTEGERS << 18, "exponent": INTEGERS + 120, "negative": INTEGERS >> 2 & 1},
        4,
    ),
    "segments": (
        lambda: SegmentInterpolator(reciprocal_table()),
        {"index": INTEGERS, "low": INTEGERS},
        4,
    ),
    "reciprocal": (Reciprocal, {"x": VECTORS}, 5),
    "rsqrt": (Rsqrt, {"x": VECTORS}, 5),
    "exp2": (Exp2, {"x": VECTORS}, 10),
    "sigmoid": (Sigmoid, {"x": VECTORS}, 30),
    "silu": (Silu, {"x": VECTORS}, 37),
    "squared_relu": (SquaredRelu, {"x": VECTORS}, 7),
    "round_to_int8": (RoundToInt8, {"x": np.float32(INTEGERS)}, 6),
    "bfloat16_up": (Bfloat16Up, {"x": VECTORS}, 1),
}
every_primitive = pytest.mark.parametrize("name", PRIMITIVES)


def columns(operands) -> list[dict[str, int]]:
    bits = {
        name: (x.view(np.uint32) if x.dtype == np.float32 else x).tolist()
        for name, x in operands.items()
    }
    return [dict(zip(bits, column, strict=True)) for column in zip(*bits.values(), strict=True)]


def offer(ctx, dut: Primitive, operands: dict[str, int]) -> None:
    for port, value in operands.items():
        ctx.set(getattr(dut, port), value)


@every_primitive
def test_a_change_is_seen_after_exactly_the_latency(name):
    make, operands, latency = PRIMITIVES[name]
    dut = make()
    before, after = columns(operands)[:2]

    async def bench(ctx):
        ctx.set(dut.enable, 1)
        offer(ctx, dut, before)
        await ctx.tick().repeat(latency + 2)
        old = ctx.get(dut.o)
        offer(ctx, dut, after)
        seen = []
        for cycle in range(latency + 3):
            seen.append(ctx.get(dut.o) != old)
            await ctx.tick()
            if cycle == 0:
                offer(ctx, dut, before)
        return seen

    assert latency == dut.LATENCY
    expected = [cycle == latency for cycle in range(latency + 3)]
    assert run(dut, bench, max_cycles=2 * latency + 8)[0] == expected


@every_primitive
def test_only_enabled_cycles_count(name, evaluate):
    """Between them the operands may be anything and the result stays."""
    make, operands, latency = PRIMITIVES[name]
    dut = make()
    given = columns(operands)
    noise = random.Random(1)

    async def bench(ctx):
        results = []
        for cycle in range(len(given) + latency):
            while noise.random() < 0.4:
                ctx.set(dut.enable, 0)
                offer(ctx, dut, noise.choice(given))
                before = ctx.get(dut.o)
                await ctx.tick()
                assert ctx.get(dut.o) == before
            ctx.set(dut.enable, 1)
            offer(ctx, dut, given[min(cycle, len(given) - 1)])
            if cycle >= latency:
                results.append(ctx.get(dut.o))
            await ctx.tick()
        return results

    assert run(dut, bench, max_cycles=500)[0] == evaluate(make(), **operands)


@every_primitive
def test_it_becomes_rtl(name):
    make, operands, _ = PRIMITIVES[name]
    dut = make()
    assert list(dut.operands) == list(operands)
    assert "module \\top" in rtlil.convert(dut)
