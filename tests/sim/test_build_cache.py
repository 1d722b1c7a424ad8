"""The cache of compiled accelerators: whole entries, made once, wherever it lies."""

import json
import subprocess
import sys
import time
from contextlib import contextmanager
from multiprocessing.pool import ThreadPool

import pytest
from hindrances import full_disk, names, read_only

from tercel.errors import TercelError
from tercel_sim import build_cache
from tercel_sim.build_cache import BuildCache

NAME = 32 * "a" + ".so"


@pytest.fixture
def cache(tmp_path):
    return BuildCache(tmp_path / "cache")


class Builder:
    """Builds entries of a text, and counts."""

    def __init__(self, text="built", pause=0.0):
        self.text, self.pause, self.count, self.active = text, pause, 0, 0

    def __call__(self, folder):
        assert names(folder) == []
        assert self.active == 0, "two builds at once"
        self.active += 1
        time.sleep(self.pause)
        self.active -= 1
        self.count += 1
        (folder / "made").write_text(self.text)
        return folder / "made"


def test_an_entry_is_built_once(cache):
    build = Builder()
    path = cache.obtain(NAME, build, title="an entry", about={"nodes": 4})
    assert path.read_text() == "built"
    assert cache.obtain(NAME, build, title="an entry") == cache.find(NAME) == path
    assert build.count == 1
    (entry,) = cache.entries()
    assert (entry.path, entry.manifest.title, entry.manifest.bytes) == (path, "an entry", 5)
    assert entry.manifest.about == {"nodes": 4}
    assert abs(entry.written - time.time()) < 60
    assert names(cache.folder) == [NAME, f"{NAME}.json"]


def truncate(path):
    path.write_bytes(path.read_bytes()[:-1])


def empty(path):
    path.write_bytes(b"")


def flip(path):
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])


def manifest(text):
    return lambda path: path.with_name(path.name + ".json").write_text(text)


@pytest.mark.parametrize(
    "breaking",
    [
        truncate,
        empty,
        flip,
        lambda path: path.unlink(),
        lambda path: path.with_name(path.name + ".json").unlink(),
        manifest(""),
        manifest("[]"),
        manifest("{}"),
        manifest('{"title": "x", "bytes": 5, "sha256": "?"}'),
    ],
)
def test_a_broken_entry_is_built_again(cache, breaking):
    build = Builder()
    path = cache.obtain(NAME, build, title="an entry")
    breaking(path)
    assert cache.find(NAME) is None
    assert cache.obtain(NAME, build, title="an entry").read_text() == "built"
    assert build.count == 2


def test_what_a_killed_build_left_goes(cache):
    scratch = cache.folder / f"{NAME}.build"
    (scratch / "deep").mkdir(parents=True)
    (cache.folder / f"{NAME}.lock").touch()
    cache.obtain(NAME, Builder(), title="an entry")
    assert names(cache.folder) == [NAME, f"{NAME}.json"]


def test_a_failed_build_leaves_nothing(cache):
    def fail(folder):
        (folder / "part").touch()
        raise TercelError("no")

    with pytest.raises(TercelError, match=r"^no$"):
        cache.obtain(NAME, fail, title="an entry")
    assert names(cache.folder) == []


def test_one_thread_builds_and_the_others_wait(cache):
    build, steps = Builder(pause=0.3), []

    @contextmanager
    def progress(step):
        steps.append(step)
        yield

    def obtain(_):
        return cache.obtain(NAME, build, title="an entry", progress=progress)

    with ThreadPool(4) as pool:
        assert {*pool.map(obtain, range(4))} == {cache.folder / NAME}
    assert build.count == 1
    assert steps == 3 * ["waiting for the process that builds the same"]


def test_an_entry_that_is_broken_over_and_over_is_never_built_twice_at_once(cache):
    build = Builder(pause=0.005)

    def obtain(turn):
        if turn % 3:
            cache.obtain(NAME, build, title="an entry")
        else:
            cache.clear()

    with ThreadPool(4) as pool:
        pool.map(obtain, range(60), chunksize=1)
    cache.obtain(NAME, build, title="an entry")
    assert names(cache.folder) == [NAME, f"{NAME}.json"]


PROCESS = """
import sys, time
from pathlib import Path
from tercel_sim.build_cache import BuildCache
folder, name = Path(sys.argv[1]), sys.argv[2]
def build(scratch):
    with (folder.parent / "builds").open("a") as file:
        file.write("built\\n")
    time.sleep(1)
    (scratch / "made").write_text("whole")
    return scratch / "made"
print(BuildCache(folder).obtain(name, build, title="an entry").read_text())
"""


def test_one_process_builds_and_the_other_waits(cache):
    command = [sys.executable, "-c", PROCESS, str(cache.folder), NAME]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [each.communicate(timeout=120)[0] for each in both] == ["whole\n", "whole\n"]
    assert (cache.folder.parent / "builds").read_text() == "built\n"


def test_a_build_that_never_ends_is_not_waited_for(cache, monkeypatch):
    monkeypatch.setattr(build_cache, "WAIT_S", 0.2)

    def build(folder):
        with pytest.raises(TercelError, match=r"another process has held .*\.lock for 0.2 s"):
            cache.obtain(NAME, Builder(), title="an entry")
        return Builder()(folder)

    cache.obtain(NAME, build, title="an entry")


def test_a_full_disk_is_one_line_and_leaves_nothing(cache):
    with full_disk(after=3), pytest.raises(TercelError) as caught:
        cache.obtain(NAME, Builder(), title="an entry")
    assert str(caught.value) == (
        f"the cache of compiled accelerators, {cache.folder}, cannot be used: File too large; "
        "free some space, or choose another folder with XDG_CACHE_HOME, --cache or --set cache=DIR"
    )
    assert names(cache.folder) == []


def test_a_manifest_that_cannot_be_written_leaves_no_entry(cache):
    with full_disk(after=5), pytest.raises(TercelError, match="File too large"):
        cache.obtain(NAME, Builder(), title="an entry")
    assert names(cache.folder) == []


def test_a_folder_that_cannot_be_written_is_told_before_the_build(cache, tmp_path):
    build = Builder()
    with (
        read_only(tmp_path),
        pytest.raises(TercelError, match=r"cannot be used: Permission denied; choose another"),
    ):
        cache.obtain(NAME, build, title="an entry")
    assert build.count == 0


def test_entries_of_a_folder_that_cannot_be_written_are_used(cache):
    path = cache.obtain(NAME, Builder(), title="an entry")
    with read_only(cache.folder):
        assert cache.obtain(NAME, Builder(), title="an entry") == path
        with pytest.raises(TercelError, match="cannot be used: Permission denied"):
            cache.clear()


@pytest.mark.parametrize("place", ["file", "file/cache"])
def test_a_file_in_the_place_of_the_folder_is_told(tmp_path, place):
    (tmp_path / "file").touch()
    cache = BuildCache(tmp_path / place)
    for use in (
        lambda: cache.obtain(NAME, Builder(), title="an entry"),
        cache.entries,
        cache.clear,
    ):
        with pytest.raises(TercelError, match=r"cannot be used: (Not a directory|File exists)"):
            use()


def test_clearing_keeps_what_is_not_the_caches(cache):
    cache.obtain(NAME, Builder(), title="an entry")
    old = 32 * "b"
    for name in ("letter.txt", f"{old}.v", f"{old}.lock", f"{NAME}.log"):
        (cache.folder / name).write_text("text")
    (cache.folder / f"{old}.build").mkdir()
    manifest_bytes = (cache.folder / f"{NAME}.json").stat().st_size
    assert cache.clear() == 5 + manifest_bytes + 4 + 4
    assert names(cache.folder) == ["letter.txt"]
    assert cache.entries() == []


def test_clearing_needs_no_room(cache):
    cache.obtain(NAME, Builder(), title="an entry")
    with full_disk():
        assert cache.clear() > 0
    assert names(cache.folder) == []


def test_clearing_keeps_what_is_being_built(cache):
    def build(folder):
        cache.clear()
        return Builder()(folder)

    cache.obtain(NAME, build, title="an entry")
    assert cache.find(NAME) is not None


def test_the_default_folder_is_the_users(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert BuildCache().folder == tmp_path / "tercel" / "simulation"


def test_a_manifest_is_json(cache):
    path = cache.obtain(NAME, Builder(), title="an entry")
    found = json.loads(path.with_name(f"{NAME}.json").read_text())
    assert found.keys() == {"title", "bytes", "sha256", "about"}
