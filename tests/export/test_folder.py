from pathlib import Path

import pytest
from hindrances import names, read_only

from tercel.errors import TercelError
from tercel_export.folder import export_folder

WRITTEN = {"a", "b"}.__contains__


def test_a_folder_appears_whole(tmp_path):
    with export_folder(tmp_path / "out", WRITTEN) as folder:
        (folder / "a").write_text("new")
        assert not (tmp_path / "out").exists()
    assert (tmp_path / "out/a").read_text() == "new"
    assert names(tmp_path) == ["out"]


def test_an_earlier_export_is_replaced_as_a_whole(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "b").write_text("old")
    with export_folder(out, WRITTEN) as folder:
        (folder / "a").write_text("new")
        assert names(out) == ["b"]
    assert names(out) == ["a"]


def test_a_folder_with_other_files_is_never_replaced(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(TercelError, match=r"holds 'thesis.tex', which this export does not write"):
        with export_folder(tmp_path, WRITTEN):
            pytest.fail("the work has begun")
    assert names(tmp_path) == ["thesis.tex"]


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(TercelError, match=r"cannot write .*out: Not a directory"):
        with export_folder(tmp_path / "out", WRITTEN):
            pytest.fail("the work has begun")


def test_the_current_folder_is_not_taken_away(tmp_path, monkeypatch):
    (tmp_path / "out/inner").mkdir(parents=True)
    for place, path in (("out", "."), ("out/inner", "..")):
        monkeypatch.chdir(tmp_path / place)
        with pytest.raises(TercelError, match=r"is the current folder, or one around it"):
            with export_folder(Path(path), bool):
                pytest.fail("the work has begun")


def test_the_folder_around_it_is_not_made(tmp_path):
    """As for a file: a mistyped path is told."""
    message = r"cannot write .*out: No such file or directory; make its folder first"
    with pytest.raises(TercelError, match=message):
        with export_folder(tmp_path / "missing" / "out", WRITTEN):
            pytest.fail("the work has begun")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_told_before_the_work(tmp_path):
    with read_only(tmp_path), pytest.raises(TercelError, match="Permission denied"):
        with export_folder(tmp_path / "out", WRITTEN):
            pytest.fail("the work has begun")


def test_the_standard_output_is_no_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TercelError, match="a folder cannot go to the standard output"):
        with export_folder(Path("-"), WRITTEN):
            pytest.fail("the work has begun")
    assert names(tmp_path) == []


def test_a_failure_leaves_the_old_folder(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "a").write_text("old")

    def work():
        with export_folder(out, WRITTEN) as folder:
            (folder / "a").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert (out / "a").read_text() == "old"
    assert names(tmp_path) == ["out"]


def test_an_os_error_of_the_work_is_one_line(tmp_path):
    with pytest.raises(TercelError, match=r"cannot write .*out: No space left on device; free"):
        with export_folder(tmp_path / "out", WRITTEN):
            raise OSError(28, "No space left on device")
    assert names(tmp_path) == []
