import os

import pytest
from hindrances import full_disk, names

from tercel.errors import TercelError
from tercel_hw.export.files import write_files


def test_files_are_written_whole_and_nothing_else_stays(tmp_path):
    folder = tmp_path / "new" / "folder"
    write_files(folder, {"a.v": "one\n", "b.json": "{}\n"})
    assert names(folder) == ["a.v", "b.json"]
    assert (folder / "a.v").read_bytes() == b"one\n"


def test_what_has_not_changed_is_left_alone(tmp_path):
    write_files(tmp_path, {"a.v": "one\n", "b.v": "two\n"})
    for name in ("a.v", "b.v"):
        os.utime(tmp_path / name, (1, 1))
    write_files(tmp_path, {"a.v": "one\n", "b.v": "other\n"})
    assert (tmp_path / "a.v").stat().st_mtime == 1
    assert (tmp_path / "b.v").stat().st_mtime != 1


def test_nothing_changes_where_a_file_cannot_be_written(tmp_path):
    (tmp_path / "b.v").mkdir()
    (tmp_path / "a.v").write_text("old\n")
    with pytest.raises(TercelError, match=r"cannot write .*b\.v: Is a directory"):
        write_files(tmp_path, {"a.v": "one\n", "b.v": "two\n"})
    assert (tmp_path / "a.v").read_text() == "old\n"
    assert names(tmp_path) == ["a.v", "b.v"]


@pytest.mark.parametrize("size", [4, 40_000])
def test_nothing_changes_on_a_full_disk(tmp_path, size):
    (tmp_path / "a.v").write_text("old\n")
    with full_disk(after=3), pytest.raises(TercelError, match="File too large"):
        write_files(tmp_path, {"b.v": "two", "a.v": "o" * size, "c.v": "six"})
    assert (tmp_path / "a.v").read_text() == "old\n"
    assert names(tmp_path) == ["a.v"]


def test_a_file_in_place_of_the_folder_is_reported(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TercelError, match=r"cannot write .*file: File exists; name a folder"):
        write_files(tmp_path / "file", {"a.v": ""})
