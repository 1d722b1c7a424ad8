import pytest

from tercel_quant.whole_file import whole_file


def fail_half_way(path):
    with whole_file(path) as temporary:
        temporary.write_bytes(b"half")
        raise OSError("disk full")


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with pytest.raises(OSError, match="disk full"):
        fail_half_way(path)
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]
