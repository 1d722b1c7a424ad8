import numpy as np
import pytest
from amaranth.back import rtlil

from tercel.numerics import reciprocal
from tercel.numerics.float32 import flush, multiply
from tercel.numerics.functions import reciprocal_table
from tercel_hw.attention import OutputScale
from tercel_hw.attention.inverse import Inverse
from tercel_sim.testbench import get_all, put_all, run


def factors(sums, exponents):
    with np.errstate(over="ignore", under="ignore"):
        inverse = reciprocal(sums.astype(np.float32))
        return flush(np.ldexp(inverse, exponents.astype(np.int32) - 127 + 3))


def test_no_reciprocal_rounds_up_to_the_smallest_normal():
    assert reciprocal_table().values.max() < (1 << 24) - 1


def test_inverses_equal_the_golden_model(bits):
    dut, rng = Inverse(), np.random.default_rng(5)
    sums = np.concatenate([[0, 1, 1 << 19, (1 << 32) - 1, 1], rng.integers(1, 1 << 32, 60)])
    exponents = np.concatenate([[120, 1, 130, 255, 254], rng.integers(0, 160, 60)])
    # Exponents that leave the result around 2^-126.
    sums = np.concatenate([sums, np.repeat(np.arange(1, 40), 2)])
    exponents = np.concatenate([exponents, np.tile([0, 1], 39)])
    expected = bits(factors(sums, exponents)).tolist()

    async def bench(ctx):
        ctx.set(dut.enable, 1)
        results = []
        for index in range(len(sums) + dut.LATENCY):
            if index < len(sums):
                ctx.set(dut.sum, int(sums[index]))
                ctx.set(dut.exponent, int(exponents[index]))
            if index >= dut.LATENCY:
                results.append(ctx.get(dut.o))
            await ctx.tick()
        assert results == expected

    run(dut, bench, max_cycles=400)


@pytest.mark.parametrize("lanes_per_head", [1, 2, 4])
def test_it_equals_the_golden_model(lanes_per_head, shape_of, idle, back_pressure, bits):
    rng, config = np.random.default_rng(7), shape_of(nodes=4)
    dut = OutputScale(config)
    denominators, totals, expected = [], [], []
    for head_slots, elements in (4 // lanes_per_head, 6), (1, 9), (4 // lanes_per_head, 1):
        sums, exponents = rng.integers(1 << 19, 1 << 25, 4), rng.integers(100, 135, 4)
        outputs = rng.integers(-(1 << 36), 1 << 36, (head_slots, elements, 4))
        outputs >>= rng.integers(0, 36, outputs.shape)
        values = bits(multiply(outputs.astype(np.float32), factors(sums, exponents)))
        denominators.append({"sums": sums.tolist(), "exponents": exponents.tolist()})
        for head_slot in range(head_slots):
            for element in range(elements):
                last = head_slot == head_slots - 1 and element == elements - 1
                lanes = outputs[head_slot, element].tolist()
                totals.append({"sums": lanes, "head_slot": head_slot, "last": last})
                mine = values[head_slot, element, head_slot * lanes_per_head :][
                    :lanes_per_head
                ].tolist()
                expected.append((mine + [0] * (4 - lanes_per_head), last))

    async def feed_denominators(ctx):
        await put_all(ctx, dut.i_denominator, denominators, idle)

    async def feed_totals(ctx):
        await put_all(ctx, dut.i_total, totals, idle)

    async def sink(ctx):
        ctx.set(dut.lanes_per_head, lanes_per_head)
        taken = await get_all(ctx, dut.o, len(totals), back_pressure)
        return [(list(p["values"]), bool(p.last)) for p in taken]

    benches = feed_denominators, feed_totals, sink
    assert run(dut, *benches, max_cycles=1000)[2] == expected


def test_latency_and_one_element_a_cycle(config):
    dut = OutputScale(config)
    lanes = 2

    async def bench(ctx):
        ctx.set(dut.lanes_per_head, 2)
        ctx.set(dut.i_denominator.payload, {"sums": [1 << 19] * 2, "exponents": [124] * 2})
        ctx.set(dut.i_denominator.valid, 1)
        ctx.set(dut.i_total.valid, 1)
        ctx.set(dut.i_total.payload, {"sums": [1 << 20, -(1 << 19)], "head_slot": 0, "last": 0})
        ctx.set(dut.o.ready, 1)
        for cycle in range(dut.PREPARE + lanes + dut.LATENCY + 8):
            assert ctx.get(dut.i_total.ready) == (cycle >= dut.PREPARE + lanes)
            assert ctx.get(dut.o.valid) == (cycle >= dut.PREPARE + lanes + dut.LATENCY)
            if cycle == lanes - 1:
                assert ctx.get(dut.i_denominator.ready)
            await ctx.tick()
            if cycle == lanes - 1:
                ctx.set(dut.i_denominator.valid, 0)

    run(dut, bench, max_cycles=200)


def test_reciprocals_are_there_when_the_totals_of_the_sweep_before_have_left(config):
    dut, elements = OutputScale(config), 40
    item = {"sums": [1 << 19] * 2, "exponents": [124] * 2}
    totals = [
        {"sums": [1, 2], "head_slot": 0, "last": element == elements - 1}
        for element in range(elements)
    ]

    async def feed_denominators(ctx):
        await put_all(ctx, dut.i_denominator, [item] * 3)

    async def feed_totals(ctx):
        await put_all(ctx, dut.i_total, totals * 3)

    async def watch(ctx):
        ctx.set(dut.lanes_per_head, 2)
        ctx.set(dut.o.ready, 1)
        seen = []
        for _ in range(dut.PREPARE + 2 + dut.LATENCY + 3 * elements):
            seen.append(ctx.get(dut.o.valid))
            await ctx.tick()
        assert sum(seen) == 3 * elements

    run(dut, feed_denominators, feed_totals, watch, max_cycles=400)


def test_it_converts(config):
    assert "module" in rtlil.convert(OutputScale(config))
