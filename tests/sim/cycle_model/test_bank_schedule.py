"""The schedule of the cycle model against the C++ model of the memory."""

from dataclasses import asdict, replace

import pytest
from axi_managers import BEAT_BYTES, burst

from tercel_hw.top import ACCELERATORS
from tercel_sim.banks import BankConfig
from tercel_sim.cycle_model.bank_schedule import StripedStream, word_cycles
from tercel_sim.cycle_model.prediction import striped_stream
from tercel_sim.ddr import DDR, BankedDdrConfig

BANKS = BankConfig(
    banks=4, row_bytes=1024, open_cycles=5, change_cycles=12, controller_ports=(0, 1)
)
BURST, AHEAD = 16, 96
MEMORY = BankedDdrConfig(
    **asdict(DDR["ideal"])
    | {"sustained_gbs": 1.9, "read_latency": 10, "read_ahead": 128, "banks": BANKS}
)


def stream(**changes):
    fields = {"ports": 2, "port_bytes": BEAT_BYTES, "burst_beats": BURST, "ahead_beats": AHEAD}
    return StripedStream(**fields | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"stagger": 0},
        {"stagger": 512},
        {"stagger": 1024},
        {"stagger": 2048, "controller_ports": (0, 0)},
        {"stagger": 0, "controller_ports": (0, 0)},
        {"stagger": 0, "batch": 3},
        {"stagger": 0, "window": 6, "change_cycles": 30},
        {"stagger": 0, "access_bytes": 16},
    ],
    ids=str,
)
def test_a_stream_takes_as_long_as_in_the_simulated_memory(probe, changes):
    ddr = replace(MEMORY, banks=replace(BANKS, **changes))
    model = probe(ddr=ddr, size=16384)
    size = BURST * BEAT_BYTES
    bursts = [burst(size * index, BURST - 1) for index in range(2 * BANKS.span // size)]
    stagger = ddr.banks.stagger
    later = [burst(each.address + stagger, BURST - 1) for each in bursts]
    came = [max(words) for words in zip(*model.play_reads(bursts, later, ahead=AHEAD), strict=True)]
    half = len(came) // 2
    measured = (came[-1] - came[half - 1]) / half
    assert word_cycles(ddr, stream()) == pytest.approx(measured, rel=0.01)


@pytest.mark.parametrize(("name", "gbs"), [("kv260-one-bank", 9.7), ("kv260-banks", 15.6)])
def test_the_kv260s_ports_need_different_banks(name, gbs):
    reads = striped_stream(ACCELERATORS["kv260"])
    assert 16 / word_cycles(DDR[name], reads) == pytest.approx(gbs, abs=0.1)


def test_a_longer_path_and_refreshes_cost_what_ports_cannot_have_ahead():
    ddr = replace(MEMORY, banks=replace(BANKS, stagger=1024))
    free = word_cycles(ddr, stream())
    assert word_cycles(ddr, stream(path_cycles=250)) > 1.2 * free
    # The sustained rate includes the refreshes; rows are opened again after each.
    refreshing = replace(ddr, refresh_interval=400, refresh_cycles=100)
    assert free < word_cycles(refreshing, stream()) < 1.06 * free


def test_ports_in_step_wait_for_the_latest():
    """A port whose reads lag holds up all others once they are as far ahead as they may be."""
    late = replace(MEMORY, banks=replace(BANKS, stagger=1024, lags=(0, 100)))
    free = word_cycles(late, stream(ahead_beats=512))
    assert word_cycles(late, stream(ahead_beats=1024)) == pytest.approx(free, rel=0.05)
    assert word_cycles(late, stream(ahead_beats=32)) > 2 * free


def test_bursts_are_whole_accesses():
    with pytest.raises(ValueError, match="bursts of 32 bytes are no accesses of 64"):
        word_cycles(MEMORY, stream(burst_beats=4))
