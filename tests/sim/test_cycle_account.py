"""Cycles by what the memory did in them."""

from dataclasses import replace

import pytest

from tercel_sim.cycle_account import CycleAccount, account_cycles
from tercel_sim.ddr import DDR, DdrConfig
from tercel_sim.memory_statistics import MemoryStatistics, PortStatistics

PORT = PortStatistics(
    read_bursts=1, write_bursts=1, read_beats=500, write_beats=100, blocked=0, starved=0, idle=0
)
COUNTED = MemoryStatistics(
    cycles=1000,
    refresh=0,
    turnarounds=3,
    turning=24,
    full=5.5,
    latency=60.25,
    unasked=300.0,
    ports=(PORT, PORT),
    beat_bytes=16,
)
RARE = DdrConfig(sustained_gbs=8.0, refresh_interval=100, refresh_cycles=10)


def test_parts_add_up():
    account = account_cycles(RARE, COUNTED, start=0, cycles=900)
    assert account.moving == 2 * 600 * 16 / 32
    assert account.refreshing == pytest.approx(90 - 0.1 * account.moving)
    assert (account.turning, account.full, account.latency) == (24, 5.5, 60.25)
    rest = 900 - account.moving - account.refreshing - 24 - 5.5 - 60.25
    assert account.unasked == pytest.approx(rest)
    assert account.cycles == pytest.approx(900)


def test_rows_that_are_opened_take_from_what_is_not_asked():
    plain = account_cycles(RARE, COUNTED, start=0, cycles=900)
    opened = account_cycles(RARE, replace(COUNTED, rows=40.5), start=0, cycles=900)
    assert (plain.rows, opened.rows) == (0, 40.5)
    assert opened.unasked == pytest.approx(plain.unasked - 40.5)


def test_accounts_add():
    account = account_cycles(RARE, COUNTED, start=0, cycles=900)
    both = account + CycleAccount(moving=1, refreshing=2, turning=3, full=4, latency=5, unasked=6)
    assert both.turning == account.turning + 3
    assert both.cycles == pytest.approx(921)


@pytest.mark.parametrize("start", [0, 1, 89, 90, 95, 99, 100, 189, 250])
@pytest.mark.parametrize("cycles", [1, 9, 11, 100, 137, 990])
def test_refreshes_of_the_pass_alone_count(start, cycles):
    # When the memory of ddr.h refreshes.
    refreshed = sum(cycle % 100 >= 90 for cycle in range(start, start + cycles))
    account = account_cycles(RARE, COUNTED, start=start, cycles=cycles)
    assert account.refreshing == pytest.approx(refreshed - 0.1 * account.moving)


def test_a_memory_that_does_not_refresh():
    account = account_cycles(replace(DDR["ideal"], sustained_gbs=8.0), COUNTED, start=7, cycles=900)
    assert account.refreshing == 0
    assert account.cycles == pytest.approx(900)
