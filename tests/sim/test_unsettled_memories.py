"""Memories begin with random bits, alone and in whole accelerators."""

from dataclasses import replace

import pytest
from amaranth.hdl import Fragment, Module
from amaranth.lib import memory
from amaranth.sim import Simulator

from tercel.config import PRESETS
from tercel.device import Ask
from tercel.device.emulator import EmulatorDevice
from tercel_hw.emission import emit_verilog
from tercel_hw.top import ACCELERATORS
from tercel_hw.zeroed_memory import ZeroedMemory
from tercel_sim import rtl_library
from tercel_sim.build_cache import BuildCache
from tercel_sim.ddr import DDR
from tercel_sim.lockstep import Lockstep
from tercel_sim.rtl_device import RtlDevice
from tercel_sim.unsettled_memories import UnsettledMemories

TINY, GROUPS = ACCELERATORS["tiny"], ACCELERATORS["kv260-groups"]
ACCELERATOR = {
    "tiny": replace(TINY, tlmm=replace(TINY.tlmm, nodes=4)),
    "groups": replace(
        GROUPS,
        tlmm=replace(GROUPS.tlmm, nodes=2, block_rows=32, max_columns=512),
        hidden=256,
        heads=4,
        head_size=64,
        positions=64,
        rows=512,
        top_k=8,
        tape_words=256,
    ),
}
MODEL = {
    "tiny": replace(PRESETS["tiny"], sub_norms=True),
    "groups": replace(PRESETS["tiny"], granularity="group", qk_norm=True),
    "groups, ternary head": replace(
        PRESETS["tiny"], granularity="group", qk_norm=True, ternary_head=True
    ),
}


def first_words(init, *, written=True, seed=1):
    """All words of a memory of eight, as they are before anything is written."""
    m = Module()
    if init is None:
        words = ZeroedMemory(shape=16, depth=8, attrs={})
    else:
        words = memory.Memory(shape=16, depth=8, init=init)
    m.submodules.words = words
    if written:
        words.write_port()
    read = words.read_port(domain="comb")
    found = []

    async def bench(ctx):
        for address in range(8):
            ctx.set(read.addr, address)
            await ctx.delay(1e-9)
            found.append(ctx.get(read.data))

    simulator = Simulator(Fragment.get(m, UnsettledMemories(seed=seed)))
    simulator.add_testbench(bench)
    simulator.run()
    return found


def test_a_memory_begins_with_random_bits():
    words = first_words([])
    assert len(set(words)) > 4
    assert words == first_words([0] * 8) != first_words([], seed=2)


def test_contents_that_are_given_stay():
    assert first_words([3, 1, 4]) == first_words([3, 1, 4], written=False) == [3, 1, 4, *[0] * 5]
    assert first_words(None) == [0] * 8


@pytest.mark.slow
@pytest.mark.parametrize(
    ("accelerator", "model"),
    [
        ("tiny", "tiny"),
        ("groups", "tiny"),
        ("groups", "groups"),
        ("groups", "groups, ternary head"),
    ],
)
def test_an_accelerator_gives_the_emulators_bits(
    monkeypatch, verilator, tmp_path_factory, random_images, accelerator, model
):
    """From the first pass on, after a reset, and in memories that no read may meet a write in."""

    def emit(component, name):
        return emit_verilog(component, name, target=UnsettledMemories(seed=11))  # type: ignore

    monkeypatch.setattr(rtl_library, "emit_verilog", emit)
    config = ACCELERATOR[accelerator]
    image = random_images(MODEL[model], config)
    cache = BuildCache(tmp_path_factory.getbasetemp() / "unsettled")
    rtl = RtlDevice(
        image, accelerator=config, ddr=replace(DDR["kv260-13.3"], pause=0.2), cache=cache
    )
    nodes = rtl.limits.nodes
    pair = Lockstep(rtl, EmulatorDevice(image, nodes=nodes, context=rtl.limits.context))
    ask = Ask(top_k=5, logits=tuple(range(2)), hidden=tuple(range(2)))
    try:
        for _ in range(2):
            pair.step([41], ask=Ask(top_k=5))
            pair.prefill([5, 17, 3, 38, 41, 2, 9])
            pair.step([5, 17], ask=ask, parents=[-1, 0], path=[0, 1])
            for token in (3, 38):
                pair.step([token] * nodes, ask=ask)
            pair.reset()
    finally:
        rtl.board.close()
