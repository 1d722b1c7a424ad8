"""Times of single requests, worked out by hand; whole passes are compared with the RTL."""

from dataclasses import replace

import pytest

from tercel_sim.cycle_model.dram_queue import DramQueue
from tercel_sim.ddr import DdrConfig

PLAIN = DdrConfig(
    clock_mhz=250.0,
    sustained_gbs=8.0,  # 32 bytes, half a word, a cycle.
    read_latency=10,
    write_latency=4,
    refresh_interval=0,
    refresh_cycles=0,
    turnaround=6,
    read_ahead=1000,
)


def queue(**changes):
    start = changes.pop("start", 0)
    return DramQueue(replace(PLAIN, **changes), word_bytes=64, ports=4, start=start)


def test_a_read_takes_its_latency_and_the_rate_of_the_memory():
    """And the first one a turn, for the pass before has ended with writes."""
    memory = queue()
    assert memory.read(1, 5.0) == (21.0, 21.0)
    assert memory.read(11, 100.0) == (110.0, 130.0)


def test_reads_queue_for_the_memory():
    memory = queue()
    assert memory.read(10, 0.0) == (16.0, 34.0)
    # The memory is free two cycles after it began with the last word.
    assert memory.read(2, 0.0) == (36.0, 38.0)


def test_ports_may_be_slower_than_the_memory():
    memory = queue(port_rate=0.25)
    assert memory.read(3, 0.0) == (16.0, 24.0)
    assert memory.read(1, 0.0) == (28.0, 28.0)
    assert queue(port_rate=0.5, pause=0.5).read(3, 0.0) == (16.0, 24.0)


@pytest.mark.parametrize(("read_ahead", "begin"), [(1, 66.0), (2, 58.0), (1000, 50.0)])
def test_the_memory_waits_when_a_port_holds_all_that_it_may(read_ahead, begin):
    """A port that brings a word in eight cycles; a write tells when the memory was free."""
    memory = queue(port_rate=0.125, read_ahead=read_ahead, patience=1000)
    assert memory.read(4, 0.0) == (16.0, 40.0)
    assert memory.read(4, 0.0) == (48.0, 72.0)
    # The word before the last passes the port at 64, the one before at 56.
    assert memory.write(2, 50.0) == begin + 6 + 1 - 0.5 + 4


@pytest.mark.parametrize(("ready", "start"), [(0.0, 0), (0.0, 40), (95.0, 0), (60.0, 0)])
def test_nothing_moves_while_the_memory_refreshes(ready, start):
    memory = queue(refresh_interval=100, refresh_cycles=20, start=start, sustained_gbs=6.4)
    refreshing = [(cycle + start) % 100 >= 80 for cycle in range(400)]
    begin = int(ready) + 16
    while refreshing[begin]:
        begin += 1
    left, end = 80, begin  # Of 41 words, the last begins 80 working cycles later.
    while left:
        left -= not refreshing[end]
        end += 1
    first, last = memory.read(41, ready)
    assert first == begin
    assert last == end or (refreshing[end] and last == end + refreshing[end : end + 20].count(True))


def test_writes_turn_the_memory_and_are_confirmed_with_their_last_beat():
    memory = queue()
    # Half a cycle a beat; the answer comes 4 cycles after the last.
    assert memory.write(8, 50.0) == 50 + 4 - 0.5 + 4
    assert memory.read(1, 90.0) == (106.0, 106.0)
    assert memory.write(8, 200.0) == 200 + 6 + 4 - 0.5 + 4
    assert memory.write(8, 203.0) == 203 + 11 + 4 - 0.5


@pytest.mark.parametrize(("patience", "begin"), [(8, 28.0), (40, 60.0), (1000, 116.0)])
def test_writes_wait_for_reads_but_not_for_ever(patience, begin):
    memory = queue(patience=patience)
    assert memory.read(50, 0.0) == (16.0, 114.0)
    assert memory.write(2, 20.0) == begin + 6 + 1 - 0.5 + 4
