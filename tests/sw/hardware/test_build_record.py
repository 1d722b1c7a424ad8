import pytest
from build_records import write_record

from tercel.errors import TercelError
from tercel.hardware.build_record import BuildRecord


@pytest.fixture
def written(tmp_path):
    """Writes a record with changes; returns its path."""

    def write(**changes):
        return write_record(tmp_path / "a_build.json", **changes)

    return write


def test_a_record_is_read(written):
    record = BuildRecord.load(written())
    assert (record.board, record.vivado, record.met) == ("kv260", "2023.2", True)
    assert [each.met for each in record.tries] == [False, True]
    assert record.used["bram36"] == (84.5, 144)
    assert record.verilog_sha256 == "ab"


@pytest.mark.parametrize("name", ["setup", "hold", "pulse"])
def test_each_slack_counts(written, name):
    slacks = {"setup": 0.1, "hold": 0.1, "pulse": 0.1}
    tries = [{"strategy": "a", **slacks, name: -0.001}]
    assert not BuildRecord.load(written(tries=tries, met=False)).tries[-1].met
    with pytest.raises(TercelError, match="contradicts itself: met and its slacks differ"):
        BuildRecord.load(written(tries=tries))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "tercel synthesis"}, "is no record of a build: `tercel bitstream` writes them"),
        ({"tries": []}, "contradicts itself"),
        ({"tries": [{"strategy": "a", "setup": 1}]}, "lacks or spoils a field: KeyError.'hold'"),
        ({"clock_mhz": "fast"}, "lacks or spoils a field: ValueError"),
        ({"utilisation": {"lut": 3}}, "lacks or spoils a field: TypeError"),
    ],
)
def test_records_of_something_else_are_refused(written, changes, message):
    with pytest.raises(TercelError, match=message):
        BuildRecord.load(written(**changes))


def test_a_file_that_is_none_is_refused(tmp_path):
    with pytest.raises(TercelError, match=r"absent\.json cannot be read"):
        BuildRecord.load(tmp_path / "absent.json")
