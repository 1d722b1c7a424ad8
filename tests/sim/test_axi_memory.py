"""Memories of benches against managers that break a rule of AXI, and good ones."""

import pytest
from amaranth.hdl import Module, Signal
from axi_managers import BAD, BEAT_BYTES, GOOD, Step, beat, burst, playing, requests

from tercel_hw.memory import Axi4Signature, AxiConfig
from tercel_sim.axi_memory import ReadMemory, WriteMemory
from tercel_sim.axi_rules import AxiRuleError
from tercel_sim.testbench import run

BEATS = [3 * index for index in range(1024)]
FIELDS = ("addr", "len", "size", "burst", "id")


def play(script, *, strobes=True, errors=None, beats=BEATS):
    """Run a manager's script on a memory; the manager accepts answers at once.

    Returns
    -------
    The two memories, and the data, response and last of each beat read.
    """
    config = AxiConfig(address_width=32, data_width=8 * BEAT_BYTES)
    axi, going = Axi4Signature(config).create(), [True]
    read = ReadMemory(axi, beats, ask=lambda: going[0], errors=errors)
    write = WriteMemory(
        axi, ask=lambda: going[0], take=lambda: going[0], errors=errors, strobes=strobes
    )
    arrived = []

    async def manager(ctx):
        playing_ = playing(script)
        offers, stalled = next(playing_)
        ctx.set(axi.rready, 1)
        ctx.set(axi.bready, 1)
        while True:
            going[0] = not stalled
            for channel in ("ar", "aw", "w"):
                ctx.set(getattr(axi, f"{channel}valid"), channel in offers)
            for channel in ("ar", "aw"):
                for name, value in zip(FIELDS, offers.get(channel, ()), strict=False):
                    ctx.set(getattr(axi, channel + name), value)
            for name, value in zip(("data", "strb", "last"), offers.get("w", ()), strict=False):
                ctx.set(getattr(axi, f"w{name}"), value)
            *_, ar, aw, w, valid, data, response, last = await ctx.tick().sample(
                *(axi.arready, axi.awready, axi.wready),
                *(axi.rvalid, axi.rdata, axi.rresp, axi.rlast),
            )
            if valid:
                arrived.append((data, response, last))
            ready = {"ar": ar, "aw": aw, "w": w}
            try:
                offers, stalled = playing_.send({each for each in offers if ready[each]})
            except StopIteration:
                read.running = write.running = False
                return

    m = Module()
    m.d.sync += Signal().eq(1)  # A domain to run in.
    run(m, manager, read.serve, write.serve, max_cycles=2000)  # In this order in a cycle.
    return read, write, arrived


@pytest.mark.parametrize("name", BAD)
def test_a_bad_manager_is_named(name):
    rule, script = BAD[name]
    with pytest.raises(AxiRuleError, match=f"^{rule}$"):
        play(script)


@pytest.mark.parametrize("name", GOOD)
def test_a_good_manager_is_served(name):
    read, write, arrived = play(GOOD[name])
    asked = [step.offers for step in GOOD[name] if not step.stalled]
    for memory, channel in ((read, "ar"), (write, "aw")):
        bursts = [offers[channel] for offers in asked if channel in offers]
        assert [request[1:] for request in memory.requests] == [
            (each.address, each.length + 1) for each in bursts
        ]
        assert len(memory.arrivals) == sum(each.length + 1 for each in bursts)
    assert [last for *_, last in arrived].count(1) == len(read.requests)


def test_beats_are_where_they_belong():
    read, write, arrived = play(
        [*requests("ar", burst(16, 1), burst(4096)), *requests("aw", burst(8, 1), burst(4088))],
        errors={512: 2, 1: 3},
    )
    assert arrived == [(6, 0, 0), (9, 0, 1), (3 * 512, 2, 1)]
    assert write.written == {1: 1, 2: 2, 511: 1}
    assert read.most_open >= 1


def test_strobes_choose_bytes():
    steps = [
        *requests("aw", burst(8)),
        Step({"aw": burst(8)}),
        Step({"w": beat(0x1122_3344_5566_7788, strobes=0b1010_0000, last=True)}),
    ]
    assert play(steps)[1].written == {1: 0x1100_3300_0000_0001}
    with pytest.raises(AxiRuleError, match="a beat is written in part"):
        play(steps, strobes=False)


def test_a_read_behind_the_memory_is_named():
    play(requests("ar", burst(0, 3)), beats=BEATS[:4])
    with pytest.raises(AxiRuleError, match="a burst ends behind the memory's 4 beats"):
        play(requests("ar", burst(8, 3)), beats=BEATS[:4])
