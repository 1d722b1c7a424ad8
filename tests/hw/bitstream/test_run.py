import shutil
import time
from pathlib import Path

import pytest

from tercel.errors import TercelError
from tercel_hw.bitstream.run import build_bitstream
from tercel_hw.bitstream.tool import find_vivado


@pytest.fixture
def build(vivado, tmp_path):
    """Runs a build in which a shell script stands for the tool; returns folder and progress."""

    def run(script, hours=0.01, source="/dts-v1/;\n/plugin/;\n&a { };\n"):
        vivado("vivado v2024.1 (64-bit)", script)
        folder, said = tmp_path / "build", []
        (folder / "overlay").mkdir(parents=True)
        (folder / "overlay" / "mine.dtso").write_text(source)
        (folder / "overlay" / "mine.bit.bin").write_bytes(b"bits")
        (folder / "overlay" / "shell.json").write_text("{}")
        found = build_bitstream(folder, find_vivado(), stem="mine", hours=hours, report=said.append)
        return found, said

    return run


def test_progress_is_told_and_the_rest_is_in_the_log(build, tmp_path):
    overlay, said = build('echo "$@"; echo noise; echo "tercel: synthesis"; echo "tercel: done"')
    assert overlay == tmp_path / "build" / "overlay"
    assert said[:2] == ["synthesis", "done"]
    log = (tmp_path / "build" / "vivado.log").read_text()
    assert log.startswith("-mode batch -nojournal -nolog -source flow/build.tcl\nnoise\n")


def test_the_firmware_folder_is_made_if_there_is_a_compiler(build):
    """Beside the bitstream, PYNQ would insert the device tree."""
    overlay, said = build("true")
    assert not list(overlay.glob("*.dtbo"))
    if shutil.which("dtc") is None:
        assert "no dtc on the path" in said[-1]
        return
    made = {path.name: path.read_bytes() for path in (overlay / "firmware").iterdir()}
    assert set(made) == {"mine.bit.bin", "mine.dtbo", "shell.json"}
    assert made["mine.bit.bin"] == b"bits"
    assert made["mine.dtbo"][:4] == bytes.fromhex("d00dfeed")


def test_a_device_tree_that_is_refused_is_told(build):
    if shutil.which("dtc") is None:
        pytest.skip("no dtc on the path: apt-get install device-tree-compiler")
    with pytest.raises(TercelError, match=r"^dtc refuses .*mine\.dtso: .*syntax error"):
        build("true", source="/dts-v1/;\nnonsense\n")


def test_the_last_error_is_the_message(build):
    with pytest.raises(TercelError, match=r"^timing is not met at 250 MHz \(log: .*vivado\.log\)$"):
        build('echo "ERROR: first"; echo "ERROR: timing is not met at 250 MHz"; exit 1')


def test_an_end_without_an_error_is_told_too(build):
    with pytest.raises(TercelError, match=r"^Vivado ended with 5 \(log: "):
        build("exit 5")


def alive(process):
    """True while a process runs; one that nobody waits for is a zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_tool_that_hangs_is_ended_with_what_it_started(build, tmp_path):
    start = time.monotonic()
    with pytest.raises(TercelError, match=r"Vivado took more than 0\.0001 hours, see"):
        build("sleep 60 > /dev/null & echo $! > pid; wait", hours=0.0001)
    assert time.monotonic() - start < 30
    child = (tmp_path / "build" / "pid").read_text().strip()
    while alive(child):
        assert time.monotonic() - start < 40
        time.sleep(0.01)
