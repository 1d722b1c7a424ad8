"""The stories of users, as files of a system: each is found, and says what to do."""

import os

import pytest

from tercel.doctor.machine import examine_machine
from tercel.doctor.software import Software
from tercel.hardware.system import System

PYNQ = Software(python=(3, 10), packages={"pynq": "3.0.1", "numpy": "1.26.4"})
BARE = Software(python=(3, 13), packages={"numpy": "2.4.0"})
KV260 = {
    "proc/device-tree/model": "ZynqMP SMK-K26 Rev1/B/A, KV260\0",
    "proc/device-tree/__symbols__/fpga_full": "/fpga-full\0",
    "proc/sys/kernel/osrelease": "5.15.0-1027-xilinx-zynqmp\n",
    "etc/os-release": 'PRETTY_NAME="Ubuntu 22.04.5 LTS"\nID=ubuntu\nVERSION_ID="22.04"\n',
    "proc/meminfo": "CmaTotal: 1024000 kB\nCmaFree: 1000000 kB\n",
    "sys/module/zocl/version": "2.13.0\n",
    "opt/xilinx/xrt/version.json": '{"BUILD_VERSION": "2.13.466"}',
    "dev/dri/renderD128": "",
    "sys/class/hwmon/hwmon0/name": "ina260_u14\n",
    "sys/class/hwmon/hwmon0/power1_input": "4200000\n",
    "sys/class/hwmon/hwmon1/name": "xilinx_ams\n",
    "sys/class/hwmon/hwmon1/temp1_input": "45000\n",
    "sys/class/hwmon/hwmon1/temp1_label": "PL\n",
}
"""A board on which nothing is wrong."""


@pytest.fixture
def examine(tmp_path, monkeypatch):
    """Findings by name for the files of a board, changed; ``None`` removes one."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    def run(changes=None, software=PYNQ):
        for name, text in (KV260 | (changes or {})).items():
            if text is not None:
                path = tmp_path / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
        return {finding.name: finding for finding in examine_machine(System(tmp_path), software)}

    return run


@pytest.mark.parametrize("software", [PYNQ, BARE])
def test_a_healthy_board(examine, software):
    found = examine(software=software)
    assert {finding.level for finding in found.values()} <= {"ok", "note"}
    assert "KV260, Ubuntu 22.04.5 LTS, kernel 5.15.0" in found["board"].state
    assert "ina260_u14 power1 4.2 W" in found["sensors"].state
    assert "xilinx_ams PL 45.0 degC" in found["sensors"].state
    assert "CMA of 1000 MiB" in found["memory"].state


@pytest.mark.parametrize(
    ("changes", "software", "name", "level", "remedy"),
    [
        ({"sys/module/zocl/version": "2.14.0"}, PYNQ, "zocl", "failure", "xrt and xrt-dkms"),
        ({"dev/dri/renderD128": None}, PYNQ, "zocl", "failure", "zyxclmm_drm"),
        ({"sys/module/zocl/version": None}, PYNQ, "zocl", "failure", "modprobe zocl"),
        (
            {"proc/device-tree/model": "ZynqMP KR260"},
            PYNQ,
            "pynq on KR260",
            "warning",
            "--device uio",
        ),
        (
            {"proc/device-tree/__symbols__/fpga_full": None},
            BARE,
            "device tree",
            "failure",
            "dtc -@",
        ),
        ({"proc/meminfo": "MemTotal: 1 kB\n"}, PYNQ, "memory", "warning", "cma=1000M"),
        (
            {
                "proc/pagetypeinfo": "Node 0, zone DMA, type CMA 900 800 700 600 500 400 300 200 "
                "100 50 20\n"
            },
            PYNQ,
            "memory",
            "warning",
            "restart",
        ),
        (
            {
                "sys/class/u-dma-buf/udmabuf0/size": "1048576",
                "sys/class/u-dma-buf/udmabuf0/sync_mode": "6",
            },
            BARE,
            "udmabuf0",
            "warning",
            "sync_mode",
        ),
        (
            {
                "sys/class/u-dma-buf/udmabuf0/size": "1048576",
                "sys/class/u-dma-buf/udmabuf0/dma_coherent": "1",
            },
            BARE,
            "udmabuf0",
            "failure",
            "remove dma-coherent",
        ),
        (
            {"etc/os-release": 'PRETTY_NAME="Ubuntu 24.04"\nID=ubuntu\nVERSION_ID="24.04"\n'},
            PYNQ,
            "image",
            "warning",
            "Ubuntu 22.04, or pynq 4",
        ),
        ({}, PYNQ, "firmware", "note", "xmutil bootfw_status"),
        ({"sys/class/hwmon/hwmon1/temp1_input": "91000"}, PYNQ, "sensors", "warning", "cool"),
        ({"sys/class/hwmon/hwmon1/temp1_input": "99000"}, PYNQ, "sensors", "failure", "cool"),
        ({"proc/device-tree/model": None}, PYNQ, "board", "warning", "run it on the board"),
    ],
)
def test_each_story_is_found_and_says_what_to_do(examine, changes, software, name, level, remedy):
    finding = examine(changes, software)[name]
    assert finding.level == level
    assert remedy in finding.remedy


def test_whole_blocks_of_the_contiguous_memory_are_no_fragments(examine):
    counts = " ".join(["0"] * 10 + ["240"])
    found = examine({"proc/pagetypeinfo": f"Node 0, zone DMA, type CMA {counts}\n"})
    assert found["memory"].level == "ok"
    assert "960 MiB of it in blocks of 4 MiB" in found["memory"].state


def test_another_user_needs_rights(examine, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert examine()["permissions"].level == "failure"
    files = {"sys/class/uio/uio4/name": "accelerator"}
    found = examine(files, BARE)["permissions"]
    assert "/dev/uio4 cannot be written" in found.state
    assert "udev rule" in found.remedy
    assert examine(files | {"dev/uio4": ""}, BARE)["permissions"].level == "ok"


def test_a_buffer_of_the_right_kind_is_ok(examine):
    found = examine({"sys/class/u-dma-buf/udmabuf0/size": "0x100000"}, BARE)
    assert found["udmabuf0"].level == "ok"
    assert found["udmabuf0"].state == "1 MiB"
