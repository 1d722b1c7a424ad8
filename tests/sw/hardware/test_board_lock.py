import os
import subprocess
import sys

import pytest

from tercel.errors import TercelError
from tercel.hardware.board_lock import BoardLock

HOLDER = """
import sys, time
from pathlib import Path
from tercel.hardware.board_lock import BoardLock
lock = BoardLock("pl", folder=Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def test_a_lock_is_free_after_its_holder(tmp_path):
    for _ in range(2):
        BoardLock("pl", folder=tmp_path).close()
    first = BoardLock("pl", folder=tmp_path)
    BoardLock("other", folder=tmp_path).close()
    with pytest.raises(TercelError, match=rf"board is held by process {os.getpid()} \(.*pytest"):
        BoardLock("pl", folder=tmp_path)
    first.close()
    BoardLock("pl", folder=tmp_path).close()


def test_a_killed_holder_leaves_nothing_behind(tmp_path):
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(TercelError, match=f"held by process {holder.pid} "):
            BoardLock("pl", folder=tmp_path)
        holder.kill()
    BoardLock("pl", folder=tmp_path).close()


def test_a_folder_that_cannot_be_used(tmp_path):
    with pytest.raises(TercelError, match=r"lock .*tercel-pl.lock cannot be opened: No such file"):
        BoardLock("pl", folder=tmp_path / "missing")
