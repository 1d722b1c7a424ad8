"""Examination of the board and its Linux, from the files of the kernel."""

import json
import os
import re
from collections.abc import Iterator

from tercel.doctor.finding import Finding
from tercel.doctor.software import Software
from tercel.errors import TercelError
from tercel.hardware.contiguous_memory import cma_bytes, mebibytes
from tercel.hardware.system import System
from tercel.hwmon import power_sensors, temperature_sensors

__all__ = ["examine_machine"]

MODEL = "/proc/device-tree/model"
HOT, TOO_HOT = 85.0, 95.0
"""Degrees Celsius: the limit of commercial and of extended parts less a margin."""
BIG_ORDER = 10
"""Order of the free blocks of 4 MiB, the largest that the kernel counts."""
UNCACHED_MODES = ("5", "6", "7")
"""Values of ``sync_mode`` with which a u-dma-buf is never cached."""


def examine_machine(system: System, software: Software) -> Iterator[Finding]:
    """Examine board, kernel, XRT, firmware, memory for devices, permissions and sensors."""
    yield from _board(system, software)
    yield from _xrt(system, software)
    yield from _device_tree(system, software)
    yield from _contiguous_memory(system)
    yield from _buffers(system)
    yield from _permissions(system, software)
    yield from _sensors(system)


def _board(system: System, software: Software) -> Iterator[Finding]:
    model = system.read(MODEL)
    release = dict(
        re.findall(r'^(\w+)="?([^"\n]*)"?$', system.read("/etc/os-release") or "", re.MULTILINE)
    )
    image = release.get("PRETTY_NAME", "an unknown Linux")
    kernel = system.read("/proc/sys/kernel/osrelease") or "unknown"
    state = f"{model or 'no device tree'}, {image}, kernel {kernel}"
    if model is None:
        yield Finding(
            name="board",
            level="warning",
            state=f"{state}: this is no board with programmable logic",
            remedy="run it on the board",
        )
        return
    yield Finding(name="board", level="ok", state=state)
    kria, pynq = "KV260" in model or "KR260" in model or "Kria" in model, software.release("pynq")
    if kria and release.get("ID") == "ubuntu":
        yield Finding(
            name="firmware",
            level="note",
            state="boot firmware before 2022.1 does not boot Ubuntu 22.04, and Linux cannot tell",
            remedy="`xmutil bootfw_status` shows it, `xmutil bootfw_update` renews it",
        )
    if "KR260" in model and pynq is not None and pynq < (3, 1):
        yield Finding(
            name="pynq on KR260",
            level="warning",
            state="Kria-PYNQ loads no overlay on a KR260 unless its pull request 55 is applied",
            remedy="apply it, or take --device uio",
        )
    if pynq is not None and pynq[0] == 3 and release.get("VERSION_ID", "") > "22.04":
        yield Finding(
            name="image",
            level="warning",
            state=f"pynq 3 on {image}: Kria-PYNQ knows Ubuntu 22.04 alone",
            remedy="install Ubuntu 22.04, or pynq 4, or take --device uio",
        )


def _xrt(system: System, software: Software) -> Iterator[Finding]:
    """The kernel's zocl and the library XRT must be of one release; pynq needs both."""
    if software.release("pynq") is None:
        return
    driver = system.read("/sys/module/zocl/version")
    described = system.read("/opt/xilinx/xrt/version.json")
    try:
        library = json.loads(described)["BUILD_VERSION"] if described else None
    except (ValueError, KeyError, TypeError):
        library = None
    if not system.path("/sys/module/zocl").is_dir():
        yield Finding(
            name="zocl",
            level="failure",
            state="the kernel's driver zocl is not loaded, so pynq finds no device",
            remedy="`modprobe zocl`; its device-tree node comes with the board's pynq image",
        )
    elif not system.names("/dev/dri"):
        yield Finding(
            name="zocl",
            level="failure",
            state="zocl is loaded but has no device in /dev/dri, so pynq finds none",
            remedy="the device tree lacks its node zyxclmm_drm: use the image of Kria-PYNQ, or "
            "take --device uio",
        )
    elif driver and library and driver.split(".")[:2] != library.split(".")[:2]:
        yield Finding(
            name="zocl",
            level="failure",
            state=f"zocl {driver} in the kernel, but XRT {library}: the device does not open",
            remedy="install the packages xrt and xrt-dkms of one release",
        )
    else:
        yield Finding(
            name="zocl",
            level="ok",
            state=f"zocl {driver or 'of unknown release'}, XRT {library or 'of unknown release'}",
        )


def _device_tree(system: System, software: Software) -> Iterator[Finding]:
    """Overlays of the device tree name the node of the logic by a symbol."""
    symbols = system.names("/proc/device-tree/__symbols__")
    if software.release("pynq") is not None or system.read(MODEL) is None:
        return
    if not {"fpga_full", "fpga"} & set(symbols):
        yield Finding(
            name="device tree",
            level="failure",
            state="the device tree has no symbol fpga_full, so no .dtbo can be loaded",
            remedy="boot a device tree that is built with symbols (dtc -@)",
        )
    else:
        yield Finding(name="device tree", level="ok", state="has the symbol of the logic")


def _contiguous_memory(system: System) -> Iterator[Finding]:
    total, free = cma_bytes(system.root)
    if not total:
        yield Finding(
            name="memory",
            level="warning",
            state="the kernel keeps no contiguous memory (CMA)",
            remedy="boot with cma=1000M, or with a reserved-memory node (docs/board.md)",
        )
        return
    state = f"CMA of {mebibytes(total)}, {mebibytes(free)} free"
    whole = _whole_blocks(system)
    if whole is not None:
        state += f", {mebibytes(whole)} of it in blocks of 4 MiB"
    if whole is not None and free - whole > free // 2:
        yield Finding(
            name="memory",
            level="warning",
            state=state + ": it is in fragments",
            remedy="restart, and load the model first",
        )
    else:
        yield Finding(name="memory", level="ok", state=state)


def _whole_blocks(system: System) -> int | None:
    """Free bytes of the CMA in the largest blocks; ``None`` if the kernel does not tell."""
    rows = re.findall(
        r"type\s+CMA((?:\s+>?\d+)+)\s*$", system.read("/proc/pagetypeinfo") or "", re.MULTILINE
    )
    if not rows:
        return None
    counts = [row.replace(">", "").split() for row in rows]
    return sum(int(row[BIG_ORDER]) << 22 for row in counts if len(row) > BIG_ORDER)


def _buffers(system: System) -> Iterator[Finding]:
    """Settings of u-dma-buf with which reads are slow or old."""
    folder = "/sys/class/u-dma-buf"
    for name in system.names(folder):
        size = system.read(f"{folder}/{name}/size")
        if system.read(f"{folder}/{name}/sync_mode") in UNCACHED_MODES:
            yield Finding(
                name=name,
                level="warning",
                state="is never cached, so the host reads some 250 MB/s of it instead of 800",
                remedy=f"echo 1 > {folder}/{name}/sync_mode",
            )
        elif system.read(f"{folder}/{name}/dma_coherent") == "1":
            yield Finding(
                name=name,
                level="failure",
                state="is said to be coherent, so it is never synchronised, but the ports of the "
                "overlays are not coherent: the host reads old data",
                remedy="remove dma-coherent from its node in the device tree",
            )
        elif size:
            yield Finding(name=name, level="ok", state=mebibytes(int(size, 0)))


def _permissions(system: System, software: Software) -> Iterator[Finding]:
    if os.geteuid() == 0:
        yield Finding(name="permissions", level="ok", state="root")
    elif software.release("pynq") is not None:
        yield Finding(
            name="permissions",
            level="failure",
            state="not root, which pynq needs",
            remedy="`sudo -s`, then `source /etc/profile.d/pynq_venv.sh`",
        )
    else:
        closed = [
            f"/dev/{name}"
            for kind, prefix in (("uio", "uio"), ("u-dma-buf", ""))
            for name in system.names(f"/sys/class/{kind}")
            if name.startswith(prefix) and not os.access(system.path(f"/dev/{name}"), os.W_OK)
        ]
        if closed:
            yield Finding(
                name="permissions",
                level="failure",
                state=f"{', '.join(closed)} cannot be written",
                remedy="run as root, or give the devices a group by a udev rule (docs/board.md)",
            )
        else:
            yield Finding(name="permissions", level="ok", state="the devices can be written")


def _sensors(system: System) -> Iterator[Finding]:
    chips = system.path("/sys/class/hwmon")
    values = []
    level, remedy = "ok", ""
    for sensor in (*temperature_sensors(chips), *power_sensors(chips)):
        try:
            value = sensor.read()
        except TercelError:
            continue
        values.append(f"{sensor.name} {value:.1f} {sensor.unit}")
        if sensor.kind == "temp" and value >= HOT:
            level = "failure" if value >= TOO_HOT else "warning"
            remedy = "cool the board: above its limit it is throttled or wrong"
    if values:
        yield Finding(name="sensors", level=level, state=", ".join(values), remedy=remedy)
    else:
        yield Finding(name="sensors", level="note", state="hwmon has no temperature and no power")
