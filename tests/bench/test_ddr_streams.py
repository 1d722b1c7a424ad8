"""The memory with banks against what was measured on a KV260's four ports."""

import shutil

import pytest

from tercel_sim.ddr import DDR

if shutil.which("g++") is None:
    pytest.skip("needs g++", allow_module_level=True)

from ddr_streams import (
    LONG_GBS,
    MODEL_GBS,
    SCALING,
    engines,
    long_stream,
    model_stream,
    stream,
)

BANKS = DDR["kv260-banks"]


def test_the_model_stream_is_that_of_the_board():
    phases, whole = model_stream(BANKS)
    assert whole == pytest.approx(MODEL_GBS, rel=0.01)
    found = {phase.name: each for phase, each in phases}
    for phase, each in phases:
        measured = 4 * phase.bytes / phase.microseconds / 1e3
        assert each.gbs == pytest.approx(measured, rel=0.08), phase.name
    # In one bank the two ports that share one of the controller end a third later than the others.
    assert 0.28 < found["o"].late < 0.35
    assert found["qkv"].late < found["down"].late < found["o"].late


def test_a_long_stream_is_that_of_the_board():
    low, high = LONG_GBS
    assert low * 0.995 <= long_stream(BANKS).gbs <= high


@pytest.mark.parametrize("count", SCALING)
def test_some_engines_are_limited_by_their_ports(count):
    assert engines(BANKS, count) == pytest.approx(SCALING[count], rel=0.035)


def test_a_memory_without_banks_is_the_same_wherever_the_streams_begin():
    sizes = [1 << 17] * 4
    plain = DDR["kv260-13.3"]
    assert stream(plain, [0] * 4, sizes) == stream(plain, [0, 8192, 32768, 49152], sizes)
    assert stream(BANKS, [0] * 4, sizes) != stream(BANKS, [0, 8192, 32768, 49152], sizes)
