"""Outputs are whole or as before, whatever stands in their way."""

import io
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from hindrances import FULL, full_disk, make_device, names, permissions_hold, read_only

from tercel.errors import TercelError
from tercel.files import (
    check_folder,
    check_output,
    is_standard_output,
    make_folder,
    scratch_file,
    whole_file,
    whole_folder,
    write_errors,
    write_whole,
)


@pytest.fixture
def old(tmp_path):
    """A file in its own folder, with content that must not be lost."""
    path = tmp_path / "out"
    path.write_bytes(b"old")
    return path


def test_a_new_file_has_the_mode_that_the_umask_leaves(tmp_path):
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "out", "t\N{LATIN SMALL LETTER E WITH ACUTE}xt")
    finally:
        os.umask(before)
    assert (tmp_path / "out").read_text(encoding="utf-8") == "t\xe9xt"
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o640
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("mode", [0o600, 0o755])
def test_a_replaced_file_keeps_its_mode(old, mode):
    old.chmod(mode)
    with whole_file(old) as file:
        # Nobody may read meanwhile what could not be read before.
        assert stat.S_IMODE(os.stat(file.name).st_mode) == mode
        file.write(b"new")
        file.flush()
        assert old.read_bytes() == b"old"
    assert old.read_bytes() == b"new"
    assert stat.S_IMODE(old.stat().st_mode) == mode
    assert names(old.parent) == ["out"]


def test_a_replaced_file_keeps_its_owner(old):
    if os.geteuid():
        pytest.skip("only root gives files away")
    os.chown(old, 65534, 65534)
    write_whole(old, b"new")
    assert (old.stat().st_uid, old.stat().st_gid) == (65534, 65534)


def test_it_reaches_the_disk_before_its_name_and_the_name_after(old, monkeypatch):
    events = []
    fsync, replace = os.fsync, os.replace

    def note_fsync(descriptor):
        events.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def note_replace(*paths):
        events.append("rename")
        replace(*paths)

    monkeypatch.setattr("os.fsync", note_fsync)
    monkeypatch.setattr("os.replace", note_replace)
    write_whole(old, b"new")
    assert events == ["file", "rename", "folder"]


def test_the_stream_can_go_back(tmp_path):
    with whole_file(tmp_path / "out") as file:
        file.write(b"....rest")
        file.seek(0)
        file.write(b"head")
    assert (tmp_path / "out").read_bytes() == b"headrest"


def test_a_name_may_be_as_long_as_the_system_allows(tmp_path):
    name = "\N{EURO SIGN}" * 85
    write_whole(tmp_path / name, b"new")
    assert names(tmp_path) == [name]


def fail_half_way(path, error):
    with whole_file(path) as file:
        file.write(b"half")
        file.flush()
        raise error


@pytest.mark.parametrize("error", [ValueError("defect"), KeyboardInterrupt(), SystemExit(143)])
def test_a_failing_writer_leaves_everything_as_it_was(old, error):
    with pytest.raises(type(error)) as caught:
        fail_half_way(old, error)
    assert caught.value is error
    assert old.read_bytes() == b"old"
    assert names(old.parent) == ["out"]


def test_an_error_of_the_blocks_own_is_not_blamed_on_the_output(old):
    with pytest.raises(FileNotFoundError, match="absent"):
        with whole_file(old):
            os.stat(old.parent / "absent")
    assert names(old.parent) == ["out"]


def test_a_full_disk_is_one_line(old):
    with full_disk(), pytest.raises(TercelError) as caught:
        write_whole(old, b"new")
    assert str(caught.value) == (
        f"cannot write {old}: File too large; raise the limit of file sizes (ulimit -f)"
    )
    assert old.read_bytes() == b"old"
    assert names(old.parent) == ["out"]


def test_a_full_disk_is_told_though_a_library_calls_it_something_else(old):
    """torch.save replaces the write error by a RuntimeError."""

    def save(file):
        try:
            file.write(b"x" * (1 << 20))
        except OSError:
            raise RuntimeError("unexpected pos 64 vs 0") from None

    with full_disk(), pytest.raises(TercelError, match="File too large"), whole_file(old) as file:
        save(file)
    assert names(old.parent) == ["out"]


MOUNTED = """
import os, sys
from tercel.errors import TercelError
from tercel.files import check_output, write_whole
for action in (write_whole, lambda path, content: check_output(path)):
    try:
        action(sys.argv[1], b"x" * 100_000)
        print("done")
    except TercelError as error:
        print(error)
print(sorted(os.listdir(os.path.dirname(sys.argv[1]))))
"""


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        (
            "size=64k",
            [
                "cannot write {}: No space left on device; "
                "free some space, or write to another disk",
                "done",
            ],
        ),
        ("ro", 2 * ["cannot write {}: Read-only file system; write to another disk, or mount"]),
    ],
)
def test_a_disk_of_its_own_is_full_or_read_only(tmp_path, options, lines):
    """In mounts that this test alone sees."""
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "-Urm"]
    script = f'mount -t tmpfs -o {options} none "$1" && exec "$2" -c "$3" "$1/out"'
    command = [*unshare, "sh", "-c", script, "-", tmp_path, sys.executable, MOUNTED]
    if not shutil.which("unshare") or subprocess.run([*unshare, "true"]).returncode:
        pytest.skip("this system allows no mounts of a process's own")
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if "mount: " in done.stderr:
        pytest.skip(f"this system allows no mounts of a process's own: {done.stderr}")
    assert done.stderr == ""
    *found, left = done.stdout.splitlines()
    for line, expected in zip(found, lines, strict=True):
        assert line.startswith(expected.format(tmp_path / "out"))
    assert left == "[]"


@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize("write", [check_output, lambda path: write_whole(path, b"new")])
def test_a_read_only_folder_is_told_on_entry(tmp_path, existing, write):
    if existing:
        (tmp_path / "out").write_bytes(b"old")
    with read_only(tmp_path), pytest.raises(TercelError) as caught:
        write(tmp_path / "out")
    assert str(caught.value) == (
        f"cannot write {tmp_path / 'out'}: Permission denied; "
        "write where you have the permission, or change it"
    )
    assert names(tmp_path) == ["out"] * existing


def test_a_file_that_may_not_be_written_is_not_replaced_either(old):
    old.chmod(0o444)
    with permissions_hold(), pytest.raises(TercelError, match="Permission denied"):
        check_output(old)
    assert old.read_bytes() == b"old"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("folder", "Is a directory; name a file, not a folder"),
        ("absent/out", "No such file or directory; make its folder first"),
        ("file/out", "Not a directory; name a path whose folders are folders"),
        ("loop", "Too many levels of symbolic links; name a path whose links lead to a file"),
        ("socket", "is a socket, which is not written to; name a file"),
    ],
)
@pytest.mark.parametrize("enter", [check_output, lambda path: write_whole(path, b"new")])
def test_what_is_no_file_is_refused_on_entry(tmp_path, monkeypatch, name, message, enter):
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket")
        before = names(tmp_path)
        with pytest.raises(TercelError) as caught:
            enter(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert message in str(caught.value)
    assert names(tmp_path) == before


def test_a_block_device_is_refused_by_name(tmp_path):
    """A device number without a driver, in the test's own folder; it is never opened."""
    path = tmp_path / "disk"
    try:
        os.mknod(path, 0o600 | stat.S_IFBLK, os.makedev(4095, 0))
    except PermissionError:
        pytest.skip("making device nodes takes root")
    with pytest.raises(TercelError, match="disk is a block device, which is not written to"):
        write_whole(path, b"new")
    assert stat.S_ISBLK(path.stat().st_mode)


@pytest.mark.parametrize("made", [True, False])
def test_a_link_is_followed_and_stays(tmp_path, made):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "other").symlink_to("target")
    (tmp_path / "link").symlink_to("real/other")
    target = tmp_path / "real" / "target"
    if made:
        target.write_bytes(b"old")
    write_whole(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "other").is_symlink()
    assert target.read_bytes() == b"new"
    assert (names(tmp_path), names(tmp_path / "real")) == (["link", "real"], ["other", "target"])


@pytest.mark.parametrize("kind", ["itself", "another way", "link", "hard link"])
@pytest.mark.parametrize("enter", [check_output, lambda *a, **k: write_whole(*a, b"new", **k)])
def test_an_input_is_never_the_output(old, kind, enter):
    output = old.parent / "output"
    if kind == "itself":
        output = old
    elif kind == "another way":
        output = old.parent / ".." / old.parent.name / old.name
    elif kind == "link":
        output.symlink_to(old)
    else:
        os.link(old, output)
    with pytest.raises(TercelError) as caught:
        enter(output, inputs=[old.parent / "absent", old])
    assert str(caught.value) == f"{output} is the input {old} too; name another output"
    assert old.read_bytes() == b"old"


class PipeReader:
    """A pipe that is open for reading, so that it can be opened for writing."""

    def __init__(self, path):
        os.mkfifo(path)
        self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self._found = b""
        self._thread = threading.Thread(target=self._read, daemon=True)

    def start(self):
        """Read until all writers have closed the pipe; call after the first has opened it."""
        os.set_blocking(self._descriptor, True)
        self._thread.start()

    def _read(self):
        with open(self._descriptor, "rb") as file:
            self._found = file.read()

    def end(self):
        self._thread.join(10)
        assert not self._thread.is_alive()
        return self._found


def test_a_pipe_gets_the_whole_and_stays(tmp_path):
    path = tmp_path / "pipe"
    reader = PipeReader(path)
    with whole_file(path) as file:
        reader.start()
        file.write(b"....")
        file.write(b"x" * 200_000)
        file.seek(0)
        file.write(b"head")
    assert reader.end() == b"head" + b"x" * 200_000
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert names(tmp_path) == ["pipe"]


def test_a_pipe_gets_nothing_of_a_failure(tmp_path):
    reader = PipeReader(tmp_path / "pipe")
    with pytest.raises(ValueError, match="defect"):
        fail_half_way(tmp_path / "pipe", ValueError("defect"))
    reader.start()
    assert reader.end() == b""


@pytest.mark.timeout(20)
def test_a_pipe_without_a_reader_is_refused_at_once(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(TercelError, match="nothing reads it; start its reader first"):
        write_whole(path, b"new")
    check_output(path)  # which must not open it
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_a_pipe_whose_reader_leaves_is_told(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def leave():
        with whole_file(path) as file:
            file.write(b"new")
            os.close(reader)

    with pytest.raises(TercelError, match="Broken pipe; let its reader read to the end"):
        leave()


def test_a_terminal_is_written_to(tmp_path):
    """A character device that every user may make."""
    own, theirs = os.openpty()
    (tmp_path / "link").symlink_to(os.ttyname(theirs))
    write_whole(tmp_path / "link", b"new")
    assert os.read(own, 100) == b"new"
    assert (tmp_path / "link").is_symlink()
    os.close(own)
    os.close(theirs)


def test_a_device_that_is_full_stays_what_it_is(tmp_path):
    path = tmp_path / "full"
    make_device(path, FULL)
    with pytest.raises(TercelError, match="full: No space left on device"):
        write_whole(path, b"new")
    assert stat.S_ISCHR(path.stat().st_mode)


@pytest.mark.parametrize("name", ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output_gets_what_was_printed_before_first(capfd, name):
    print("before", end=" ")
    write_whole(name, b"new")
    assert capfd.readouterr().out == "before new"


def test_a_descriptor_that_appends_appends(old):
    with old.open("ab") as file:
        write_whole(f"/dev/fd/{file.fileno()}", b" and new")
    assert old.read_bytes() == b"old and new"


def test_a_closed_standard_output_is_for_the_command_line_to_tell(tmp_path):
    code = "from tercel.files import write_whole\nwrite_whole('-', b'x' * 1000)"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.close()
        assert "BrokenPipeError" in process.stderr.read().decode().splitlines()[-1]
    assert process.returncode == 1


@pytest.mark.parametrize("name", ["-", "/dev/stdout", "link"])
def test_standard_output_is_known_by_all_its_names(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    os.symlink("/dev/stdout", "link")
    assert is_standard_output(Path(name))
    assert not is_standard_output(tmp_path / "-")


def test_a_file_that_is_read_again_must_be_regular(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "-"):
        with pytest.raises(TercelError, match="is no regular file, and must be one; name a file"):
            check_output(path, regular=True)
    check_output(tmp_path / "new", regular=True)
    assert names(tmp_path) == ["pipe"]


def test_a_folder_is_checked_without_being_made(tmp_path):
    check_folder(tmp_path / "new" / "folder", ["a"])
    assert names(tmp_path) == []
    (tmp_path / "file").touch()
    with pytest.raises(TercelError, match="folder: Not a directory; name a path whose folders"):
        check_folder(tmp_path / "file" / "folder")
    with read_only(tmp_path), pytest.raises(TercelError, match="folder: Permission denied"):
        check_folder(tmp_path / "new" / "folder")


def test_the_files_of_a_folder_are_checked(old):
    check_folder(old.parent, ["new", old.name])
    with pytest.raises(TercelError, match="out is the input"):
        check_folder(old.parent, ["new", old.name], inputs=iter([old]))
    assert names(old.parent) == ["out"]


def test_folders_are_made_and_a_file_in_their_place_is_told(tmp_path):
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    (tmp_path / "a" / "c").touch()
    with pytest.raises(TercelError, match="c: File exists; name a folder, not a file"):
        make_folder(tmp_path / "a" / "c")


def test_errors_of_other_writers_get_the_same_line(tmp_path):
    with pytest.raises(TercelError, match="log: No space left on device; free some space"):
        with write_errors(tmp_path / "log"):
            raise OSError(28, "No space left on device")


def test_a_folder_is_put_in_place_whole(tmp_path):
    for content in ("one", "two"):
        with whole_folder(tmp_path / "folder") as part:
            (part / content).mkdir()
            (part / content / "file").write_text(content)
        assert names(tmp_path) == ["folder"]
        assert names(tmp_path / "folder") == [content]


def test_files_of_a_folder_have_the_mode_that_the_umask_leaves(tmp_path):
    before = os.umask(0o027)
    try:
        with whole_folder(tmp_path / "folder") as part:
            (part / "private").touch(0o600)  # as safetensors writes
            (part / "script").touch(0o700)
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / "folder" / n).stat().st_mode) for n in ("private", "script")]
    assert modes == [0o640, 0o740]


def test_a_link_to_a_folder_is_followed(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    with whole_folder(tmp_path / "link") as part:
        (part / "new").touch()
    assert (tmp_path / "link").is_symlink()
    assert names(tmp_path / "folder") == ["new"]


def test_a_folder_is_as_before_where_its_writer_fails(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "old").touch()

    def interrupt(part):
        (part / "new").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), whole_folder(tmp_path / "folder") as part:
        interrupt(part)
    assert (names(tmp_path), names(tmp_path / "folder")) == (["folder"], ["old"])


def test_a_folder_in_a_read_only_one_is_told(tmp_path):
    with read_only(tmp_path), pytest.raises(TercelError, match="folder: Permission denied"):
        with whole_folder(tmp_path / "folder"):
            pass
    assert names(tmp_path) == []


def test_an_old_folder_comes_back_where_the_new_one_cannot_take_its_place(tmp_path, monkeypatch):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "old").touch()
    rename = os.rename

    def fail_once(source, target):
        if os.path.basename(source) == "new":
            raise OSError(5, "Input/output error")
        rename(source, target)

    monkeypatch.setattr("os.rename", fail_once)
    with pytest.raises(TercelError, match="folder: Input/output error"):
        with whole_folder(tmp_path / "folder") as part:
            (part / "new").touch()
    assert (names(tmp_path), names(tmp_path / "folder")) == (["folder"], ["old"])


def test_a_scratch_file_is_on_the_disk_of_its_output_and_has_no_name(tmp_path, monkeypatch):
    asked = []
    real = tempfile.TemporaryFile
    monkeypatch.setattr(
        tempfile, "TemporaryFile", lambda dir: asked.append(Path(dir)) or real(dir=dir)
    )
    with whole_file(tmp_path / "m.tercel") as output, scratch_file(output) as file:
        file.write(b"abc")
        file.seek(1)
        assert file.read() == b"bc"
        assert len(list(tmp_path.iterdir())) == 1, "the temporary file of the output alone"
    with scratch_file(io.BytesIO()):
        pass
    assert asked == [tmp_path, Path(tempfile.gettempdir())]


def test_a_folder_for_scratch_files_that_cannot_be_written_is_told(tmp_path):
    with whole_file(tmp_path / "m.tercel") as output, read_only(tmp_path):
        with pytest.raises(TercelError, match=f"cannot write {tmp_path}: Permission denied"):
            with scratch_file(output):
                pass
