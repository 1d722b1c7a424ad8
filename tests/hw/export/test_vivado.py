import dataclasses
import re

import pytest

from tercel.errors import TercelError
from tercel_hw.board import load_board
from tercel_hw.export.vivado import board_files, check_board, wrapper


def test_the_wrapper_hands_on_every_port(interfaces):
    text = wrapper(interfaces, module="tercel", burst_beats=16)
    ports = {name for bus in interfaces.values() for name in bus["ports"]}
    assert set(re.findall(r"^        \.(\w+)\(\1\)", text, re.M)) == ports
    declared = re.findall(r"^    (?:in|out)put wire (?:\[\d+:0\] )?(\w+)", text, re.M)
    assert sorted(declared) == sorted(ports)
    assert text.count("X_INTERFACE_INFO") == len(ports)
    busif = "ASSOCIATED_BUSIF s_axi_control:m_axi_mem0:m_axi_mem1, ASSOCIATED_RESET rst"
    assert busif in text
    assert '"xilinx.com:interface:aximm:1.0 m_axi_mem1 ARADDR"' in text
    assert text.count("PROTOCOL AXI4LITE, DATA_WIDTH 32, ADDR_WIDTH 8") == 1
    memory = "PROTOCOL AXI4, DATA_WIDTH 64, ADDR_WIDTH 32, ID_WIDTH 1, MAX_BURST_LENGTH 16"
    assert text.count(f"{memory}, SUPPORTS_NARROW_BURST 0") == 2
    assert "[63:0] m_axi_mem0_rdata" in text


def test_the_scripts_use_the_settings_that_are_written(tiny, interfaces, narrow_board):
    files = board_files(
        narrow_board, interfaces, config=tiny, module="tercel", stem="a", sha256="ab"
    )
    written = set(re.findall(r"^    (\w+) \{", files["settings.tcl"], re.M))
    scripts = "".join(text for name, text in files.items() if name.startswith("flow/"))
    used = set(re.findall(r"\$tercel\((\w+)\)", scripts))
    made = set(re.findall(r"lassign .* tercel\((\w+)\) tercel\((\w+)\)", scripts)[0])
    assert used == written | made
    assert "memory_interfaces {m_axi_mem0 m_axi_mem1}" in files["settings.tcl"]
    assert "memory_ports {S_AXI_HP0_FPD S_AXI_HP1_FPD}" in files["settings.tcl"]
    assert "control_interface {s_axi_control}" in files["settings.tcl"]
    assert "interrupt {irq}" in files["settings.tcl"]


def test_a_board_must_have_the_ports(tiny, narrow_board):
    with pytest.raises(TercelError, match=r"kv260 have 128 bits, but the accelerator's 64"):
        check_board(dataclasses.replace(narrow_board, port_bits=128), tiny)
    with pytest.raises(TercelError, match=r"pynq-z2 \(AXI3\) have at most 16 beats, .* 32"):
        check_board(load_board("pynq-z2"), dataclasses.replace(tiny, burst_beats=32))
    with pytest.raises(TercelError, match=r"pynq-z2 has no UltraRAM, but .* ultra_ram"):
        check_board(load_board("pynq-z2"), tiny)
    check_board(narrow_board, tiny)
    large = dataclasses.replace(narrow_board, segments=load_board("kv260").segments)
    with pytest.raises(TercelError, match=r"ends at 0x880000000, but .* have 32 bits"):
        check_board(large, tiny)
    few = dataclasses.replace(narrow_board, memory_ports=("S_AXI_HP0_FPD",))
    with pytest.raises(TercelError, match=r"kv260 has 1 memory ports, but the accelerator 2"):
        check_board(few, tiny)
