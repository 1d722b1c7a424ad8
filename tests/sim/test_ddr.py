from dataclasses import replace

import pytest

from tercel_sim.ddr import DDR, BankedDdrConfig, DdrConfig

CYCLE = 1 / 250e6
"""Seconds, at the clock of the memory presets."""

MEASURED = {0b0001: 3.96, 0b0011: 7.89, 0b0111: 11.63, 0b1111: 13.33}
"""GB/s of 1 to 4 streaming ports of a KV260 at 250 MHz."""


def reading(copier, cycles=20_000, ports=~0, **options):
    """Statistics of readers that never stop, without their start."""
    driver = copier(words=25_000, **options)
    driver.start("read", 25_000, ports=ports)
    driver.board.run(1000)
    driver.board.clear_statistics()
    driver.board.run(cycles)
    return driver.board.statistics()


def beats_per_cycle(statistics):
    return sum(port.read_beats for port in statistics.ports) / statistics.cycles


@pytest.mark.parametrize("ports", MEASURED)
def test_the_default_is_a_measured_kv260(copier, wide_library, ports):
    statistics = reading(copier, ports=ports, library=wide_library, ddr=DdrConfig())
    assert statistics.bytes_read / statistics.cycles * 0.25 == pytest.approx(MEASURED[ports], 0.022)


@pytest.mark.parametrize("gbs", [13.33, 15.0, 16.0])
def test_presets_sustain_their_rate(copier, wide_library, gbs):
    ddr = DDR[f"kv260-{int(gbs * 10) / 10}"]
    statistics = reading(copier, library=wide_library, ddr=ddr)
    assert statistics.bytes_read / statistics.cycles * 0.25 == pytest.approx(gbs, 0.003)


@pytest.mark.parametrize("rate", [0.3, 0.75, 1.0])
def test_a_reader_alone_reaches_the_rate_of_its_port(copier, rate):
    statistics = reading(copier, ports=0b10, port_rate=rate, cycles=5000)
    assert beats_per_cycle(statistics) == pytest.approx(rate, 0.01)
    assert statistics.ports[0].read_beats == 0


def test_ports_share_the_rate_of_the_memory(copier):
    # 1.25 beats of 8 bytes a cycle at 250 MHz.
    statistics = reading(copier, sustained_gbs=2.5, cycles=5000)
    first, second = (port.read_beats for port in statistics.ports)
    assert beats_per_cycle(statistics) == pytest.approx(1.25, 0.001)
    assert abs(first - second) <= 2


@pytest.mark.parametrize("latency", [1, 2, 37])
def test_the_latency_of_a_read_is_exact(copier, latency):
    driver = copier(read_latency=latency)
    driver.run("read", 3)
    assert driver.get("latency") == latency


def test_the_latency_of_a_write_is_exact(copier):
    def cycles(latency):
        driver = copier(write_latency=latency)
        driver.start("write", 3)
        before = driver.board.cycles
        driver.board.wait_interrupt(1000 * CYCLE)
        return driver.board.cycles - before

    assert cycles(31) == cycles(1) + 30


def test_a_refresh_stops_what_is_not_read_ahead(copier):
    options = {"refresh_interval": 500, "refresh_cycles": 50, "cycles": 10_000}
    statistics = reading(copier, read_ahead=1, **options)
    assert statistics.refresh == 1000
    assert [port.read_beats for port in statistics.ports] == pytest.approx([9000, 9000], abs=25)
    hidden = reading(copier, read_ahead=51, **options)
    assert [port.read_beats for port in hidden.ports] == [10_000, 10_000]


def test_turns_cost_what_they_should(copier):
    def copying(turnaround):
        # 2 beats a cycle for 4 channels.
        driver = copier(sustained_gbs=4.0, turnaround=turnaround)
        driver.start("copy", 2000, target=2000)
        driver.board.clear_statistics()
        driver.board.wait_interrupt(50_000 * CYCLE)
        return driver.board.statistics()

    free, costly = copying(0), copying(20)
    assert costly.turning == 19 * costly.turnarounds
    assert free.turning == 0 < free.turnarounds
    assert free.cycles == pytest.approx(4000, rel=0.05)
    lost = costly.cycles - free.cycles
    assert lost == pytest.approx(20 * costly.turnarounds, rel=0.15)
    assert costly.turnarounds > 20


def test_patient_writes_come_in_the_end(copier):
    # Readers that could take all there is, and a write too small to be urgent.
    driver = copier(sustained_gbs=1.0, patience=300, words=25_000)
    driver.start("read", 25_000, ports=0b01)
    driver.set("ports", 0b10)
    driver.set("beats", 2)
    driver.set("control", 0b100)
    before = driver.board.cycles
    while driver.board.statistics().turnarounds == 0:
        driver.board.run(1)
        assert driver.board.cycles - before < 400
    assert driver.board.cycles - before > 300


@pytest.mark.parametrize("preset", ["ideal", "kv260-13.3"])
def test_every_cycle_of_a_port_counts_once(copier, preset):
    driver = copier(ddr=DDR[preset])
    driver.board.clear_statistics()
    before = driver.board.cycles
    driver.run("copy", 100, target=1000)
    driver.trouble("hold")
    driver.start("read", 100)
    driver.board.run(200)
    statistics = driver.board.statistics()
    assert statistics.cycles == driver.board.cycles - before
    for port in statistics.ports:
        told = port.read_beats + port.blocked + port.starved + port.idle
        assert told == statistics.cycles
        assert (port.read_beats, port.write_beats) == (100, 100)
        assert (port.read_bursts, port.write_bursts) == (8, 4)
        assert port.blocked > 100
    assert statistics.bytes_read == statistics.bytes_written == 1600


@pytest.mark.parametrize(
    "options",
    [
        {"ddr": DDR["kv260-13.3"]},
        {"ddr": DDR["kv260-16.0"], "pause": 0.3},
        {"sustained_gbs": 1.3, "turnaround": 7, "refresh_interval": 400, "refresh_cycles": 31},
        {"read_latency": 90, "outstanding_reads": 1},
        {"port_rate": 0.3},
        {"ddr": DDR["kv260-banks"], "pause": 0.1},
        {"ddr": DDR["kv260-one-bank"], "sustained_gbs": 3.0},
    ],
    ids=["kv260", "pauses", "slow", "far", "narrow", "banks", "one bank"],
)
def test_what_could_have_moved_has_moved_or_is_accounted_for(copier, options):
    driver = copier(**options)
    driver.board.clear_statistics()
    driver.run("copy", 700, target=1000)
    found = driver.board.statistics()
    ddr = replace(
        options.get("ddr", DDR["ideal"]), **{k: v for k, v in options.items() if k != "ddr"}
    )
    moved = (found.bytes_read + found.bytes_written) / ddr.bytes_per_cycle
    working = found.cycles - found.refresh - found.turning
    # The rate of a cycle and a beat of each port may be left over.
    size = ddr.banks.access_bytes if isinstance(ddr, BankedDdrConfig) else found.beat_bytes
    most = 1 + 2 * size / ddr.bytes_per_cycle
    lost = found.rows + found.full + found.latency + found.unasked
    assert moved + lost == pytest.approx(working, abs=most)
    assert (found.rows > 0) == isinstance(ddr, BankedDdrConfig)
    assert found.turning <= found.turnarounds * max(0, ddr.turnaround - 1)


def test_reasons_why_the_memory_rests(copier):
    def lost(cycles=1000, start=True, trouble=None, **options):
        driver = copier(words=25_000, **options)
        if trouble:
            driver.trouble(trouble)
        if start:
            driver.start("read", 20_000)
        driver.board.run(100)
        driver.board.clear_statistics()
        driver.board.run(cycles)
        found = driver.board.statistics()
        return [round(reason / cycles, 2) for reason in (found.full, found.latency, found.unasked)]

    rate = {"sustained_gbs": 4.0}  # That of the ports.
    assert lost(start=False, **rate) == [0, 0, 1]
    assert lost(**rate) == [0, 0, 0]
    assert lost(trouble="hold", **rate) == [1, 0, 0]
    assert lost(port_rate=0.25, **rate) == [0.75, 0, 0]
    assert lost(sustained_gbs=8.0) == [0.5, 0, 0]
    full, latency, unasked = lost(read_latency=96, outstanding_reads=1, **rate)
    # Bursts of 32 beats, one after the other.
    assert (full, unasked) == (0, pytest.approx(0, abs=0.02))
    assert latency == pytest.approx(96 / 128, abs=0.02)


def test_pauses_follow_their_seed(copier):
    def cycles(seed):
        driver = copier(pause=0.3, seed=seed)
        driver.start("copy", 500, target=1000)
        driver.board.wait_interrupt(5000 * CYCLE)
        return driver.board.cycles

    assert cycles(1) == cycles(1)
    assert len({cycles(seed) for seed in range(4)}) > 1


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("clock_mhz", 0, "clock_mhz must be above 0 and at most 2000"),
        ("sustained_gbs", -1.0, "sustained_gbs must be above 0 and at most 1000"),
        ("port_rate", 1.5, "port_rate must be above 0 and at most 1"),
        ("read_latency", 0, r"read_latency must be an integer in 1\.\.100000"),
        ("refresh_cycles", 1950, r"refresh_cycles must be an integer in 0\.\.1949"),
        ("batch", 65, r"batch must be an integer in 1\.\.64"),
        ("read_ahead", 1.0, r"read_ahead must be an integer in 1\.\.65536"),
        ("outstanding_reads", 257, r"outstanding_reads must be an integer in 1\.\.256"),
        ("pause", 1.0, "pause must be at least 0 and below 1"),
    ],
)
def test_rules_of_the_fields(field, value, rule):
    with pytest.raises(ValueError, match=f"{rule}, not {value!r}"):
        replace(DdrConfig(), **{field: value})
