"""Rows of banks and shared ports of the controller, in the C++ model and in its description."""

from dataclasses import asdict, replace

import numpy as np
import pytest
from axi_managers import burst, requests

from tercel_sim.banks import BankConfig
from tercel_sim.ddr import DDR, BankedDdrConfig, parse_ddr

ROW = 1024
"""Bytes of a row here; both ports' memories begin with a row of bank 0."""
LATENCY, OPEN, CHANGE = 10, 5, 12
TWO = BankConfig(
    banks=2, row_bytes=ROW, open_cycles=OPEN, change_cycles=CHANGE, controller_ports=(0, 1)
)


def memory(*, banks=TWO, **changes):
    fields = asdict(DDR["ideal"]) | {"read_latency": LATENCY, "banks": banks} | changes
    return BankedDdrConfig(**fields)


def first_beats(probe, *addresses, **changes):
    """Cycles from each request to its first beat, one after the other on port 0."""
    model = probe(ddr=memory(**changes))
    found = []
    for address in addresses:
        asked = model.cycles
        (cycles, _) = model.play_reads([burst(address)], [])
        found.append(cycles[0] - asked)
    return found


def test_an_open_row_costs_nothing_and_another_one_is_closed_first(probe):
    closed, hit, other_bank, hit_there, conflict = first_beats(probe, 0, 64, ROW, ROW + 8, 2 * ROW)
    assert (closed, other_bank) == (LATENCY + OPEN, LATENCY + OPEN)
    assert (hit, hit_there) == (LATENCY, LATENCY)
    assert conflict == LATENCY + CHANGE
    # And the other bank has kept its row.
    assert first_beats(probe, 0, ROW, 2 * ROW, ROW)[-1] == LATENCY


def test_a_refresh_closes_all_rows(probe):
    changes = {"refresh_interval": 100, "refresh_cycles": 20}
    model = probe(ddr=memory(**changes))
    model.play_reads([burst(0), burst(ROW)], [])
    while model.cycles < 101:
        model.cycle(0, {}, False)
    asked = model.cycles
    ((cycle,), _) = model.play_reads([burst(8)], [])
    assert cycle - asked == LATENCY + OPEN


def test_two_ports_in_one_bank_change_rows_and_in_two_banks_do_not(probe):
    def cycles(offset):
        model = probe(ddr=memory(sustained_gbs=4.0))
        bursts = [burst(128 * index, 15) for index in range(8)]
        moved = [burst(each.address + offset, 15) for each in bursts]
        came = model.play_reads(bursts, moved)
        return max(map(max, came)) - min(map(min, came)) + 1

    # 16 bytes a cycle: 256 beats of 8 bytes take 128 cycles.
    assert cycles(ROW) == pytest.approx(128 + OPEN, abs=4)
    # With a window of 16, eight accesses of a port are served from a row, then the other's row.
    assert cycles(0) > 128 + CHANGE


@pytest.mark.parametrize("batch", [2, 4, 8])
def test_a_row_is_left_after_a_batch_of_accesses(probe, batch):
    """One port has a long stream; a single access of the other waits for its bank."""
    model = probe(ddr=memory(banks=replace(TWO, batch=batch), sustained_gbs=1.0))
    stream = [burst(128 * index, 15) for index in range(8)]
    came, (other,) = model.play_reads(stream, [burst()])
    before = sum(cycle < other for cycle in came)
    # An access is eight beats; beats of the port take a cycle each.
    assert before == pytest.approx(8 * batch, abs=8)


def test_ports_that_share_one_of_the_controller_send_whole_bursts_by_turns(probe):
    def overlap(controller_ports):
        banks = replace(TWO, controller_ports=controller_ports, open_cycles=0, change_cycles=0)
        model = probe(ddr=memory(banks=banks, sustained_gbs=1.0))
        first, second = model.play_reads([burst(0, 31)], [burst(ROW, 31)])
        # Beats of the later burst before the end of the other.
        early, late = sorted((first, second))
        return sum(cycle < early[-1] for cycle in late)

    assert overlap((0, 1)) >= 16
    assert overlap((0, 0)) <= 4


def test_a_lag_delays_the_reads_of_its_port(probe):
    model = probe(ddr=memory(banks=replace(TWO, lags=(0, 7))))
    ((first,), (second,)) = model.play_reads([burst(0)], [burst(ROW)])
    assert second - first == 7


@pytest.mark.parametrize("seed", range(3))
def test_reads_and_writes_come_right_whatever_rows_are_open(probe, seed):
    """Accesses are served out of order, their beats are delivered in order."""
    draw = np.random.default_rng(seed)
    banks = replace(TWO, window=5, batch=3, controller_ports=(0, 0))
    model = probe(ddr=memory(banks=banks, turnaround=3, read_ahead=24, write_buffer=32))
    content = draw.integers(0, 1 << 60, (2, 1024), np.uint64)
    for port in range(2):
        model.content[port].view("<u8")[:] = content[port]
        bursts = []
        for length in draw.integers(0, 16, 12):
            # Not beyond a page of 4 KiB.
            page = int(draw.integers(0, 2)) * 512
            bursts.append(burst(8 * (page + int(draw.integers(0, 512 - length))), int(length)))
        model.play(requests("ar", *bursts), port)
        places = [each.address // 8 + i for each in bursts for i in range(each.length + 1)]
        assert [data for _, data, _, _ in model.read[port]] == content[port][places].tolist()
        model.play(requests("aw", *bursts), port)
        for each in bursts:
            count = each.length + 1
            content[port][each.address // 8 :][:count] = np.arange(1, count + 1)
        assert (model.content[port].view("<u8") == content[port]).all()
        assert model.violation is None


def test_a_memory_with_banks_survives_json():
    config = memory(banks=replace(TWO, lags=(1, 2)))
    values = asdict(config)
    values["banks"]["controller_ports"] = list(values["banks"]["controller_ports"])
    values["banks"]["lags"] = list(values["banks"]["lags"])
    assert parse_ddr(values) == config
    assert parse_ddr(asdict(DDR["kv260-15.0"])) == DDR["kv260-15.0"]


def test_ports_beyond_the_list_have_controller_ports_of_their_own():
    assert [BankConfig().controller_port(port) for port in range(6)] == [0, 1, 1, 2, 3, 4]
    assert BankConfig(lags=(3,)).lag(0) == 3
    assert BankConfig(lags=(3,)).lag(1) == 0


@pytest.mark.parametrize(
    ("field", "value", "error", "rule"),
    [
        ("banks", 0, ValueError, r"banks must be an integer in 1\.\.256, not 0"),
        ("row_bytes", 1000, ValueError, "row_bytes must be a power of two in"),
        ("access_bytes", 128, ValueError, "access_bytes must be a power of two in"),
        ("change_cycles", 3, ValueError, r"change_cycles must be an integer in 4\.\.1000, not 3"),
        ("batch", 0, ValueError, "batch must be an integer in"),
        ("window", 257, ValueError, "window must be an integer in"),
        ("stagger", 1 << 16, ValueError, r"stagger must be an integer in 0\.\.65535"),
        ("controller_ports", [0, 1], TypeError, "controller_ports must be a tuple of at most 16"),
        (
            "controller_ports",
            (0, 2),
            ValueError,
            r"controller_ports\[1\] must be .* in 0\.\.1, not 2",
        ),
        ("lags", (-1,), ValueError, r"lags\[0\] must be an integer in"),
    ],
)
def test_rules_of_the_fields(field, value, error, rule):
    with pytest.raises(error, match=rule):
        replace(BankConfig(), **{field: value})


def test_a_memory_holds_an_access_ahead_and_has_banks():
    with pytest.raises(ValueError, match=r"read_ahead must be an integer in 8\.\."):
        memory(read_ahead=7)
    with pytest.raises(TypeError, match="banks must be a BankConfig, not None"):
        memory(banks=None)
