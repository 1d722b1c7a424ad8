import dataclasses
import re

import pytest

from tercel.errors import TercelError
from tercel_hw.export.vivado import board_files, check_board, wrapper


def test_the_wrapper_hands_on_every_port(interfaces):
    text = wrapper(interfaces, module="tercel")
    ports = {name for bus in interfaces.values() for name in bus["ports"]}
    assert set(re.findall(r"^        \.(\w+)\(\1\)", text, re.M)) == ports
    declared = re.findall(r"^    (?:in|out)put wire (?:\[\d+:0\] )?(\w+)", text, re.M)
    assert sorted(declared) == sorted(ports)
    assert text.count("X_INTERFACE_INFO") == len(ports)
    busif = "ASSOCIATED_BUSIF s_axi_control:m_axi_mem0:m_axi_mem1, ASSOCIATED_RESET rst"
    assert busif in text
    assert '"xilinx.com:interface:aximm:1.0 m_axi_mem1 ARADDR"' in text
    assert text.count("PROTOCOL AXI4LITE") == 1
    assert "[63:0] m_axi_mem0_rdata" in text


def test_the_script_uses_no_setting_that_is_not_written(interfaces, narrow_board):
    files = board_files(narrow_board, interfaces, module="tercel", stem="a")
    written = set(re.findall(r"^    (\w+) \{", files["settings.tcl"], re.M))
    used = set(re.findall(r"\$tercel\((\w+)\)", files["build.tcl"]))
    assert used <= written
    assert written - used == {"board"}
    assert "memory_interfaces {m_axi_mem0 m_axi_mem1}" in files["settings.tcl"]
    assert "memory_ports {S_AXI_HP0_FPD S_AXI_HP1_FPD}" in files["settings.tcl"]
    assert "control_interface {s_axi_control}" in files["settings.tcl"]
    assert "interrupt {irq}" in files["settings.tcl"]


def test_a_board_must_have_the_ports(tiny, narrow_board):
    check_board(narrow_board, tiny)
    with pytest.raises(TercelError, match=r"kv260 have 128 bits, but the accelerator's 64"):
        check_board(dataclasses.replace(narrow_board, port_bits=128), tiny)
    few = dataclasses.replace(narrow_board, memory_ports=("S_AXI_HP0_FPD",))
    with pytest.raises(TercelError, match=r"kv260 has 1 memory ports, but the accelerator 2"):
        check_board(few, tiny)
