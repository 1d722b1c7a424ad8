"""Cocotb bench: the driver on the whole accelerator, whose ports pause at random."""

import dataclasses

import cocotb
import numpy as np
import pytest
from cocotb.clock import Clock
from cocotb.handle import Force
from cocotb.task import bridge
from cocotb.triggers import ClockCycles

from tercel.device import Ask
from tercel.device.accelerator import AcceleratorDevice
from tercel.device.emulator import EmulatorDevice
from tercel.errors import TercelError
from tercel.image import Image
from tercel.program import COMMANDS, DeviceMemory, memory_map
from tercel_hw.top import ACCELERATORS
from tercel_sim.accelerator_model import AcceleratorModel
from tercel_sim.axi_rules import AxiRuleError
from tercel_sim.cocotb_board import CocotbBoard

CYCLES = 0x40
SPEC = ACCELERATORS["tiny"].spec
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


def assert_same_cache(device_memory, device, layers, positions):
    """Compare all bytes of the committed positions."""
    for layer in range(layers):
        mine, golden = (each.read_cache(layer, positions) for each in (device_memory, device))
        for field in dataclasses.fields(golden):
            assert np.array_equal(getattr(mine, field.name), getattr(golden, field.name)), field


async def begin(dut, *, words, pause=0.0, bases=None):
    """A model of the accelerator after its reset."""
    Clock(dut.clk, 4, "ns").start()
    dut.rst.value = 1
    model = AcceleratorModel(dut, words=words, bases=bases)
    if pause:
        model.pause(pause, seed=7)
    await ClockCycles(dut.clk, 5)
    dut.rst.value = 0
    await ClockCycles(dut.clk, 3)
    return model


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def the_driver_runs_passes(dut):
    passes, pause = int(cocotb.plusargs["passes"]), float(cocotb.plusargs["pause"])
    image = Image.open(str(cocotb.plusargs["image"]))
    context = min(image.config.context, SPEC.positions)
    places = memory_map(config=image.config, spec=SPEC, context=context)
    model = await begin(dut, words=places.words, pause=pause)
    device = await bridge(AcceleratorDevice)(
        image, CocotbBoard(model), spec=SPEC, context=context, timeout=100_000 / 250e6
    )
    golden = EmulatorDevice(image, nodes=SPEC.nodes, context=context)
    for tokens, parents, path in PASSES[:passes]:
        nodes = tuple(range(len(tokens)))
        ask = Ask(top_k=3, logits=nodes, hidden=nodes)
        result = await bridge(device.run_pass)(tokens, parents=parents, ask=ask)
        dut._log.info("the pass ended after %d cycles", await model.read_register(CYCLES))
        assert_same(result, golden.run_pass(tokens, parents=parents, ask=ask))
        await bridge(device.commit)(path)
        golden.commit(path)
        device_memory = DeviceMemory(model.memory, places)
        assert_same_cache(device_memory, golden, image.config.layers, golden.length)


@cocotb.test(timeout_time=50, timeout_unit="us")
async def a_bench_runs_programs(dut):
    with pytest.raises(ValueError, match="bases must be one for each of the 2 ports, not 3"):
        AcceleratorModel(dut, words=64, bases=[0, 0, 0])
    model = await begin(dut, words=64, bases=[0x1000, 0x8000])
    first, end = COMMANDS["begin"], COMMANDS["end"].encode()
    program = first.encode(caps=SPEC.caps, shape=SPEC.shape) + end
    model.memory.write(8, np.frombuffer(program, np.uint8).reshape(-1, 16))
    await model.prepare()
    await model.run(8, 2, limit=1000)
    assert await model.errors() == ()
    assert dut.irq.value == 0
    await model.start(8, 2)
    with pytest.raises(TercelError, match="the pass did not end within 16 cycles"):
        await model.wait(16)
    await model.wait(1000)
    with pytest.raises(TercelError, match=r"reported the errors sequencer$"):
        await model.run(4, 2, limit=1000)
    await bridge(CocotbBoard(model).reset)()
    await model.run(8, 2, limit=1000)


@cocotb.test(timeout_time=50, timeout_unit="us")
async def beyond_the_memory_is_an_error(dut):
    model = await begin(dut, words=64)
    first, second = model.bases  # A page with the memory, and an empty one.
    assert (first % 4096, second - first) == (0, 2 * 4096)
    await model.prepare()
    with pytest.raises(TercelError, match="reported the errors tape0, tape1"):
        await model.run(64, 2, limit=1000)


@cocotb.test(timeout_time=50, timeout_unit="us", expect_error=AxiRuleError)
async def a_port_that_breaks_a_rule_fails_the_test(dut):
    model = await begin(dut, words=64)
    dut.m_axi_mem1_arburst.value = Force(0)  # The last test: it stays.
    await model.prepare()
    await model.run(8, 2, limit=1000)
