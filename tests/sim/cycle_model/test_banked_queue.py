"""Times of single runs in a memory with banks, worked out by hand."""

from dataclasses import replace

import pytest

from tercel_sim.banks import BankConfig
from tercel_sim.cycle_model.bank_schedule import StripedStream
from tercel_sim.cycle_model.banked_queue import BankedQueue
from tercel_sim.ddr import BankedDdrConfig

ROW_WORDS, SPAN_WORDS = 256, 1024
BANKS = BankConfig(row_bytes=4096, open_cycles=5, change_cycles=12, stagger=4096)
PLAIN = BankedDdrConfig(
    sustained_gbs=8.0,  # Half a word a cycle.
    read_latency=10,
    refresh_interval=0,
    refresh_cycles=0,
    turnaround=0,
    read_ahead=1000,
    banks=BANKS,
)
STREAM = StripedStream(ports=4, port_bytes=16, burst_beats=64, ahead_beats=256)


def queue(**changes):
    return BankedQueue(replace(PLAIN, banks=replace(BANKS, **changes)), STREAM)


def starts(memory, *runs):
    return [memory.read(words, time, address)[0] for words, time, address in runs]


def test_rows_are_opened_once_and_changed_for_others():
    memory = queue()
    found = starts(
        memory,
        (4, 0.0, 0),  # All four banks are closed.
        (4, 100.0, 4),  # Goes on.
        (4, 200.0, 16),  # In the same rows.
        (4, 300.0, SPAN_WORDS),  # In other rows of the same banks, which are not in use.
        (4, 400.0, 20),  # And back.
    )
    assert found == [15.0, 110.0, 210.0, 322.0, 422.0]


def test_a_row_of_a_bank_in_use_waits_for_its_end():
    memory = queue()
    first, last = memory.read(64, 0.0, 0)
    assert (first, last) == (15.0, pytest.approx(141.0, rel=0.02))
    # The bank is free two cycles after the last word.
    assert memory.read(4, 50.0, SPAN_WORDS)[0] == pytest.approx(last + 2 + 12)


def test_with_all_regions_in_one_bank_the_others_are_left_alone():
    memory = queue(stagger=0)
    memory.read(64, 0.0, 0)
    begun = memory.read(4, 1.0, ROW_WORDS)[0]
    # It had time to open the row of the next bank.
    assert begun == pytest.approx(memory._ended[1])


@pytest.mark.parametrize(
    ("address", "words", "read"), [(0, 4, 4), (3, 1, 4), (3, 2, 8), (5, 8, 12)]
)
def test_whole_accesses_are_read(address, words, read):
    memory = queue(open_cycles=0, change_cycles=0)
    memory.read(words, 0.0, address)
    assert memory.read(4, 0.0, address + words)[0] == pytest.approx(10 + 2 * read)


def test_the_latest_port_sets_the_latency():
    assert starts(queue(lags=(0, 3, 7)), (4, 0.0, 0)) == [22.0]
