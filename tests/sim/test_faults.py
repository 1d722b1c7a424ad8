import numpy as np
import pytest

from tercel.errors import TercelError

CYCLE = 1 / 250e6
"""Seconds, at the clock of the memory presets."""


def errors(driver):
    """Codes that (reader, writer) of ports 0 and 1 have kept."""
    kept = driver.get("errors")
    return [(kept >> 4 * port & 3, kept >> 4 * port + 2 & 3) for port in range(2)]


@pytest.mark.parametrize("response", [2, 3])
def test_a_read_beat_is_answered_with_an_error(copier, response):
    driver = copier()
    driver.run("read", 100)
    driver.board.fail_read(1, beats=50, response=response)
    driver.run("read", 50)
    assert errors(driver) == [(0, 0), (0, 0)]
    driver.run("read", 1)
    assert errors(driver) == [(0, 0), (response, 0)]


@pytest.mark.parametrize("response", [2, 3])
def test_the_burst_of_a_write_beat_is_answered_with_an_error(copier, response):
    driver = copier()
    driver.board.fail_write(0, beats=40, response=response)
    driver.run("write", 40)
    assert errors(driver) == [(0, 0), (0, 0)]
    driver.run("write", 1)
    assert errors(driver) == [(0, response), (0, 0)]


def test_reads_and_writes_outside_are_decode_errors(copier):
    driver = copier(words=1024)
    driver.run("read", 2, source=1022)
    driver.run("write", 2, target=1022)
    assert errors(driver) == [(0, 0), (0, 0)]
    driver.run("write", 2, target=1023, ports=0b10)
    assert errors(driver) == [(0, 0), (0, 3)]
    driver.run("read", 2, source=1023, ports=0b01)
    assert errors(driver) == [(3, 0), (0, 3)]
    assert not driver.board.read(0, 1022).any()


def test_a_port_stops_answering(copier):
    driver = copier()
    driver.start("copy", 500, target=1000)
    stop = driver.board.cycles + 100
    driver.board.stop(1, cycle=stop)
    driver.board.run(100)
    before = driver.board.statistics()
    with pytest.raises(TercelError, match="did not end within 5000 cycles"):
        driver.board.wait(5000 * CYCLE)
    after = driver.board.statistics()
    moved = [
        (new.read_beats - old.read_beats, new.write_beats - old.write_beats)
        for old, new in zip(before.ports, after.ports, strict=True)
    ]
    assert min(moved[0]) > 300
    assert moved[1] == (0, 0)
    assert not np.any(driver.board.read(1400, 100)[:, 8:])


def test_a_port_goes_on_where_it_was(copier):
    driver = copier()
    words = np.random.default_rng(1).integers(0, 256, (500, 16), np.uint8)
    driver.board.write(0, words)
    driver.start("copy", 500, target=1000)
    driver.board.stop(0, cycle=driver.board.cycles + 200)
    driver.board.run(1000)
    assert not np.array_equal(driver.board.read(1000, 500), words)
    driver.board.resume(0)
    driver.board.wait(5000 * CYCLE)
    assert np.array_equal(driver.board.read(1000, 500), words)


def test_faults_name_a_port_and_an_error(boards):
    board = boards()
    with pytest.raises(ValueError, match=r"port must be an integer in 0\.\.1, not 2"):
        board.stop(2, cycle=0)
    with pytest.raises(ValueError, match=r"response must be an integer in 2\.\.3, not 0"):
        board.fail_read(0, beats=0, response=0)
    with pytest.raises(ValueError, match=r"port must be an integer in 0\.\.1, not -1"):
        board.fail_write(-1, beats=0, response=2)
