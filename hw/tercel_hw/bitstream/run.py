"""A run of the vendor's tool on the scripts of a board."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tercel.errors import TercelError
from tercel.files import make_folder
from tercel_hw.bitstream.tool import Vivado
from tercel_hw.export.bundle import OVERLAY
from tercel_hw.export.vivado import BUILD_SCRIPT

__all__ = ["FIRMWARE", "build_bitstream"]

FIRMWARE = "firmware"
"""Folder in the overlay folder that becomes one of ``/lib/firmware/xilinx``."""

LOG = "vivado.log"
SAID = "tercel: "
"""Beginning of the lines by which the scripts tell their progress."""
FAILED = "ERROR: "
POLL_SECONDS = 0.2
COMPILER_SECONDS = 60


def build_bitstream(
    folder: Path,
    vivado: Vivado,
    *,
    stem: str,
    hours: float,
    report: Callable[[str], None] = lambda line: None,
) -> Path:
    """Run the scripts that ``tercel hdl --board`` wrote; return the overlay folder.

    If there is a compiler of device trees, the folder ``firmware`` in it is what dfx-mgr loads.

    Parameters
    ----------
    folder
        Folder of the scripts, in which the tool works.
    stem
        Base name of the overlay's files.
    hours
        Longest time that the tool may take.
    report
        Called with each line of progress.

    Raises
    ------
    TercelError
        If the tool fails or takes longer; the message has its last error and the log.
    """
    log = folder / LOG
    command = [vivado.path, "-mode", "batch", "-nojournal", "-nolog", "-source", BUILD_SCRIPT]
    rest, errors = "", ""
    with log.open("w", encoding="utf-8") as file, log.open(encoding="utf-8") as lines:
        process = subprocess.Popen(
            command, cwd=folder, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )
        end = time.monotonic() + 3600 * hours
        try:
            while True:
                done = process.poll() is not None
                rest += lines.read()
                *whole, rest = rest.split("\n")
                for line in whole:
                    if line.startswith(SAID):
                        report(line.removeprefix(SAID))
                    if line.startswith(FAILED):
                        errors = line.removeprefix(FAILED)
                if done:
                    break
                if time.monotonic() > end:
                    raise TercelError(f"Vivado took more than {hours:g} hours, see {log}")
                time.sleep(POLL_SECONDS)
        finally:
            # The tool's launcher starts others.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.returncode:
        raise TercelError(f"{errors or f'Vivado ended with {process.returncode}'} (log: {log})")
    overlay = folder / OVERLAY
    _make_firmware(overlay, stem, report)
    return overlay


def _make_firmware(overlay: Path, stem: str, report: Callable[[str], None]) -> None:
    """Compile the device tree into a folder of its own.

    Beside the bitstream PYNQ would insert it, and the kernel would load the bitstream once more.
    """
    compiler = shutil.which("dtc")
    if compiler is None:
        report(f"no dtc on the path: compile {stem}.dtso on the board, its first lines say how")
        return
    make_folder(overlay / FIRMWARE)
    for name in (f"{stem}.bit.bin", "shell.json"):
        shutil.copyfile(overlay / name, overlay / FIRMWARE / name)
    target = f"{FIRMWARE}/{stem}.dtbo"
    command = [compiler, "-@", "-I", "dts", "-O", "dtb", "-o", target, f"{stem}.dtso"]
    done = subprocess.run(
        command, cwd=overlay, capture_output=True, text=True, timeout=COMPILER_SECONDS, check=False
    )
    if done.returncode:
        raise TercelError(f"dtc refuses {overlay / stem}.dtso: {done.stderr.strip()}")
