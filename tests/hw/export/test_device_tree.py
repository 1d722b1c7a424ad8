import json
import re
import shutil
import subprocess

import pytest

from tercel_hw.board import board_names, load_board
from tercel_hw.export.device_tree import device_tree, shell


@pytest.mark.parametrize("name", board_names())
def test_the_compiler_takes_the_overlay(name, tmp_path):
    compiler = shutil.which("dtc")
    if compiler is None:
        pytest.skip("no dtc on the path: apt-get install device-tree-compiler")
    source = tmp_path / "a.dtso"
    source.write_text(device_tree(load_board(name), stem="a"))
    command = [compiler, "-@", "-I", "dts", "-O", "dtb", "-o", tmp_path / "a.dtbo", source]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    back = [compiler, "-I", "dtb", "-O", "dts", tmp_path / "a.dtbo"]
    text = subprocess.run(back, capture_output=True, text=True, timeout=60, check=True).stdout
    assert 'firmware-name = "a.bit.bin"' in text
    assert 'compatible = "generic-uio"' in text


def values(name, text):
    return re.findall(rf"{name} = (.*);", text)


def test_the_kv260_has_clock_widths_registers_and_interrupt():
    text = device_tree(load_board("kv260"), stem="a")
    assert values("assigned-clock-rates", text) == ["<250000000>"]
    assert values("clocks", text) == ["<&zynqmp_clk 71>"] * 2
    assert values("reg", text) == ["<0x0 0xa0000000 0x0 0x10000>"]
    assert values("interrupts", text) == ["<0 89 4>"]
    assert values("resets", text)[0].count("&zynqmp_reset") == 4
    pairs = re.findall(r"<(\d+) (0x[0-9a-f]+)>", values("config-afi", text)[0])
    assert pairs == [(f"{register}", "0x0") for register in range(14)] + [("14", "0xa00")]


def test_a_zynq_7000_has_addresses_of_one_cell():
    text = device_tree(load_board("pynq-z2"), stem="a")
    assert values("reg", text) == ["<0x40000000 0x10000>"]
    assert values("interrupts", text) == ["<0 29 4>"]
    assert values("clocks", text) == ["<&clkc 15>"] * 2
    assert "afi" not in text
    assert values("#address-cells", text) == ["<1>", "<1>"]


def test_the_folder_is_a_flat_shell():
    assert json.loads(shell()) == {"shell_type": "XRT_FLAT", "num_slots": "1"}
