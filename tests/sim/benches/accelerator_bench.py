"""Cocotb bench: the driver on the whole accelerator, whose ports pause at random."""

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.task import bridge
from cocotb.triggers import ClockCycles

from tercel.device import Ask
from tercel.device.accelerator import AcceleratorDevice
from tercel.device.emulator import EmulatorDevice
from tercel.image import Image
from tercel.program import memory_map
from tercel_hw.top import ACCELERATORS
from tercel_sim.accelerator_model import AcceleratorModel
from tercel_sim.bridged_board import BridgedBoard

MACHINE = ACCELERATORS["tiny"].machine
PASSES = [([5, 17], [-1, 0], [0, 1]), ([3, 30], [-1, 0], [0])]
"""Tokens, their parents, and the path that is committed."""


def assert_same(mine, golden):
    assert np.array_equal(mine.argmax, golden.argmax)
    assert np.array_equal(mine.top_ids, golden.top_ids)
    assert np.array_equal(mine.top_logits, golden.top_logits)
    assert np.array_equal(mine.logsumexp, golden.logsumexp)
    for name in ("logits", "hidden"):
        a, b = getattr(mine, name), getattr(golden, name)
        assert a.keys() == b.keys()
        assert all(np.array_equal(a[node], b[node]) for node in b), name


def assert_same_cache(memory, places, cache, positions):
    """Compare all bytes of the committed positions."""
    config, count = places.config, places.cache_row_words
    for layer in range(config.layers):
        view = cache.view(layer, positions)
        for head in range(config.kv_heads):
            block = places.block(layer, head)
            for part, golden in enumerate((view.keys, view.values)):
                rows = memory.read(block + part * count, count).reshape(-1).view(np.int8)
                assert np.array_equal(rows[: golden[head].size], golden[head].reshape(-1))
            scales = memory.read(block + 2 * count, places.head_stride - 2 * count).reshape(-1)
            pairs = scales.view("<u2")[: 2 * positions].reshape(-1, 2).T
            assert np.array_equal(pairs, [view.key_scales[head], view.value_scales[head]])


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def the_driver_runs_passes(dut):
    passes, pause = int(cocotb.plusargs["passes"]), float(cocotb.plusargs["pause"])
    image = Image.open(str(cocotb.plusargs["image"]))
    context = min(image.config.context, MACHINE.positions)
    places = memory_map(config=image.config, machine=MACHINE, context=context)
    Clock(dut.clk, 4, "ns").start()
    dut.rst.value = 1
    model = AcceleratorModel(dut, words=places.words)
    if pause:
        model.pause(pause, seed=7)
    await ClockCycles(dut.clk, 5)
    dut.rst.value = 0
    await ClockCycles(dut.clk, 3)
    device = await bridge(AcceleratorDevice)(
        image, BridgedBoard(model), machine=MACHINE, context=context, cycle_limit=100_000
    )
    golden = EmulatorDevice(image, nodes=MACHINE.nodes, context=context)
    for tokens, parents, path in PASSES[:passes]:
        nodes = tuple(range(len(tokens)))
        ask = Ask(top_k=3, logits=nodes, hidden=nodes)
        result = await bridge(device.run_pass)(tokens, parents=parents, ask=ask)
        dut._log.info("the pass ended after %d cycles", await model.read_register(0x40))
        assert_same(result, golden.run_pass(tokens, parents=parents, ask=ask))
        await bridge(device.commit)(path)
        golden.commit(path)
        assert_same_cache(model.memory, places, golden.cache, golden.length)
