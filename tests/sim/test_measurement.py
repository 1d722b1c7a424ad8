"""Measurement of a pass: no cycle is counted twice or lost."""

from dataclasses import replace

import pytest

from tercel.config import PRESETS
from tercel.device import Ask, KVCache
from tercel_hw.registers import COUNTERS
from tercel_sim.cycle_account import CycleAccount
from tercel_sim.ddr import DDR
from tercel_sim.lockstep import MismatchError
from tercel_sim.measurement import PassMeasurement, measure_pass, summarise
from tercel_sim.measurement_table import MEMORY, engine_cycles, measurement_table

MEMORIES = {
    "ideal": DDR["ideal"],
    "kv260": DDR["kv260-15.0"],
    "slow": replace(DDR["kv260-13.3"], sustained_gbs=0.3),
    "pauses": replace(DDR["kv260-13.3"], pause=0.3, seed=5),
    "narrow": replace(DDR["kv260-16.0"], port_rate=0.25),
}
EVERYTHING = Ask(top_k=3, hidden=(0, 1, 2))


@pytest.mark.parametrize("memory", MEMORIES)
def test_every_cycle_is_accounted_for(lockstep, little_model, four_lanes, memory):
    ddr = MEMORIES[memory]
    pair = lockstep(little_model, four_lanes, ddr=ddr, watchdog=100_000)
    board = pair.rtl.board
    pair.restore(KVCache(config=little_model, positions=40), 40)
    for ask in (EVERYTHING, Ask(argmax=False)):
        began = board.cycles
        measured, _ = measure_pass(pair, [5, 6, 7], ask)
        found = board.statistics()
        counted, account = measured.counted, measured.account
        assert (measured.nodes, measured.base) == (3, 40)
        assert began < measured.start
        assert measured.start + measured.cycles <= board.cycles
        assert counted["bytes_read"] == found.bytes_read
        assert counted["bytes_written"] == found.bytes_written
        assert account.cycles == pytest.approx(measured.cycles)
        assert account.moving == pytest.approx(
            (found.bytes_read + found.bytes_written) / ddr.sustained_bytes_per_cycle
        )
        # The rest is the memory's own count, except for the cycles outside the pass.
        refreshed = account.refreshing + account.moving * ddr.refresh_part
        beside = found.cycles - measured.cycles - (found.refresh - refreshed)
        assert account.unasked == pytest.approx(found.unasked - beside, abs=8)
        engine = engine_cycles(counted)
        assert sum(engine.values()) == measured.cycles
        assert min(engine.values()) >= 0


def test_the_engine_waits_for_a_slow_memory_in_every_matrix(rtl_device, four_lanes):
    model = replace(PRESETS["tiny"], hidden_size=128, ffn_size=240, layers=1)

    def engine(gbs):
        ddr = replace(DDR["ideal"], sustained_gbs=gbs)
        device = rtl_device(model, four_lanes, ddr=ddr, watchdog=100_000)
        return engine_cycles(measure_pass(device, [5], Ask(argmax=False))[0].counted)

    fast, slow = engine(1000.0), engine(0.25)
    assert fast["tape_stall"] < 0.01 * fast["compute"]
    assert slow["compute"] == fast["compute"]
    # A row-chunk takes four cycles to come.
    assert slow["tape_stall"] > slow["compute"]


def test_a_pair_compares_and_does_not_commit(lockstep, little_model, four_lanes):
    pair = lockstep(little_model, four_lanes)
    first, result = measure_pass(pair, [5, 6, 7], EVERYTHING)
    assert pair.rtl.length == 0
    assert result.hidden.keys() == {0, 1, 2}
    alone, _ = measure_pass(pair.rtl, [5, 6, 7], EVERYTHING)
    assert alone.counted == first.counted
    pair.commit([0, 1, 2])
    assert measure_pass(pair.rtl, [8], Ask())[0].base == 3
    where = pair.rtl.memory_map
    pair.rtl.board.write(where.block(0), pair.rtl.board.read(where.block(0), 1) ^ 1)
    with pytest.raises(MismatchError):
        measure_pass(pair, [5], Ask())


def test_a_summary_adds_up(rtl_device, little_model, four_lanes):
    ddr = DDR["kv260-13.3"]
    device = rtl_device(little_model, four_lanes, ddr=ddr)
    passes = [measure_pass(device, tokens, Ask())[0] for tokens in ([1], [2, 3], [4])]
    summary = summarise(passes, ddr)
    assert (summary.passes, summary.tokens) == (3, 4)
    assert summary.counted["cycles"] == sum(each.cycles for each in passes)
    assert summary.account.cycles == pytest.approx(summary.counted["cycles"])
    for name in MEMORY:
        parts = [getattr(each.account, name) for each in passes]
        assert getattr(summary.account, name) == pytest.approx(sum(parts))
    assert measurement_table({"all": summary}).row_count > 15


def test_bandwidth_and_speed_of_a_pass_known_in_full():
    """1000 cycles at 250 MHz, 4 us, in which 8 GB/s move 32 000 bytes."""
    ddr = replace(DDR["ideal"], clock_mhz=250.0, sustained_gbs=8.0)
    counted = dict.fromkeys(COUNTERS, 0) | {
        "cycles": 1000,
        "bytes_read": 20_000,
        "bytes_written": 4_000,
    }
    account = CycleAccount(moving=750, refreshing=0, turning=0, full=0, latency=0, unasked=250)
    measured = PassMeasurement(nodes=3, base=0, start=0, counted=counted, ports=(), account=account)
    for passes in (1, 2):
        summary = summarise([measured] * passes, ddr)
        assert summary.bandwidth == pytest.approx(0.75)
        assert summary.tokens_per_second == pytest.approx(750_000)
        assert summary.tokens == 3 * passes
