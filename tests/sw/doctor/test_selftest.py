import pytest

from tercel.doctor.selftest import compare_counters

RIGHT = {"cycles": 1100, "compute": 64, "bytes_read": 5000, "least": 4096}


def finding(*counted):
    (found,) = compare_counters([RIGHT | counts for counts in counted], 64)
    return found


@pytest.mark.parametrize(
    ("counts", "level", "state"),
    [
        ({}, "ok", "row-chunks and bytes of 2 passes are right; cycles are predicted for presets"),
        ({"predicted": 1000}, "ok", "cycles within +10% of the model"),
        ({"predicted": 500}, "warning", "cycles differ by up to +120% from the cycle model"),
        ({"predicted": 2000}, "warning", "cycles differ by up to -45% from the cycle model"),
        ({"compute": 63}, "failure", "took 63 row-chunks and read 5000 bytes, but has 64"),
        ({"bytes_read": 4000}, "failure", "read 4000 bytes, but has 64 and at least 4096"),
    ],
)
def test_counters_are_compared_with_the_model(counts, level, state):
    found = finding({}, counts)
    assert found.level == level
    assert state in found.state
    assert bool(found.remedy) == (level != "ok")
