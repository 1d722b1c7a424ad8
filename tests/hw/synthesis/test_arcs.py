"""Timing arcs of cells."""

import pytest

from tercel_hw.synthesis.arcs import Pin, arcs, is_fabric
from tercel_hw.synthesis.delays import DELAYS
from tercel_hw.synthesis.netlist import Cell


def cell(kind, inputs, outputs, **parameters):
    reads, writes = (
        {name: tuple(bits) for name, bits in ports.items()} for ports in (inputs, outputs)
    )
    return Cell(name="c", kind=kind, pair=None, inputs=reads, outputs=writes, parameters=parameters)


def test_a_table_passes_each_input():
    found = arcs(cell("LUT3", {"I0": [1], "I1": [2], "I2": ["1"]}, {"O": [3]}))
    assert found.through == [(1, 3, Pin.ROUTED, DELAYS.lut), (2, 3, Pin.ROUTED, DELAYS.lut)]
    assert not found.launches
    assert not found.captures


def test_a_flip_flop_separates_data_and_control():
    found = arcs(cell("FDRE", {"C": [9], "CE": [1], "D": [2], "R": [3]}, {"Q": [4]}))
    assert found.launches == [(4, DELAYS.register)]
    assert found.captures == [
        (1, Pin.CONTROL, DELAYS.control_setup),
        (2, Pin.DATA, DELAYS.register_setup),
        (3, Pin.CONTROL, DELAYS.control_setup),
    ]


def test_a_carry_leads_upwards():
    found = arcs(
        cell(
            "CARRY4",
            {"CI": [1], "CYINIT": ["0"], "S": [10, 11, 12, 13], "DI": [20, 21, 22, 23]},
            {"O": [30, 31, 32, 33], "CO": [40, 41, 42, 43]},
        )
    )
    into = {
        target: {source for source, to, _, _ in found.through if to == target}
        for target in (30, 31, 40, 43)
    }
    assert into[30] == {1, 10}
    assert into[31] == {1, 10, 20, 11}
    assert into[40] == {1, 10, 20}
    assert into[43] == {1, 10, 11, 12, 13, 20, 21, 22, 23}
    delays = {(source, target): delay for source, target, _, delay in found.through}
    assert delays[1, 43] == DELAYS.carry_in_out < delays[1, 33] == DELAYS.carry_in_sum
    assert delays[10, 43] == DELAYS.carry
    pins = {source: pin for source, _, pin, _ in found.through}
    assert pins[1] is Pin.DIRECT
    assert pins[10] is pins[20] is Pin.CARRY


def test_a_memory_of_tables_is_read_within_the_cycle():
    found = arcs(
        cell(
            "RAM32M16",
            {"WCLK": [9], "WE": [1], "DIA": [2], "ADDRA": [3], "ADDRH": [4]},
            {"DOA": [5]},
        )
    )
    assert found.through == [(3, 5, Pin.ROUTED, DELAYS.lut)]
    assert found.launches == [(5, DELAYS.lut_memory)]
    assert {bit for bit, _, _ in found.captures} == {1, 2, 4}


@pytest.mark.parametrize(
    ("kind", "output", "parameters", "delay"),
    [
        ("RAMB36E2", "DOUTADOUT", {}, DELAYS.block_ram),
        ("RAMB36E2", "DOUTADOUT", {"DOA_REG": "0" * 31 + "1"}, DELAYS.block_ram_registered),
        ("RAMB18E2", "DOUTBDOUT", {"DOA_REG": "1"}, DELAYS.block_ram),
        ("RAMB18E2", "DOUTBDOUT", {"DOB_REG": "1"}, DELAYS.block_ram_registered),
        ("URAM288", "DOUT_B", {"OREG_B": "FALSE"}, DELAYS.ultra_ram),
        ("URAM288", "DOUT_A", {"OREG_A": "TRUE"}, DELAYS.ultra_ram_registered),
    ],
)
def test_a_memory_is_slow_without_output_register(kind, output, parameters, delay):
    found = arcs(cell(kind, {"CLK": [9], "ADDR_A": [1]}, {output: [2]}, **parameters))
    assert found.launches == [(2, delay)]
    assert found.captures == [(1, Pin.ROUTED, DELAYS.memory_setup)]


def test_a_dsp_with_registers_ends_and_starts_paths():
    found = arcs(cell("DSP48E2", {"A": [1], "C": [2], "PCIN": [3], "CEP": [4]}, {"P": [5]}))
    assert not found.through
    assert found.launches == [(5, DELAYS.dsp_output)]
    setups = {bit: (pin, setup) for bit, pin, setup in found.captures}
    assert setups[1] == setups[2] == setups[4] == (Pin.ROUTED, DELAYS.dsp_setup)
    assert setups[3] == (Pin.DIRECT, DELAYS.dsp_adder)


def test_a_dsp_without_registers_is_logic():
    registers = dict.fromkeys(("AREG", "BREG", "CREG", "MREG", "PREG"), "0")
    found = arcs(cell("DSP48E2", {"A": [1], "B": [2], "C": [3]}, {"P": [5]}, **registers))
    whole = DELAYS.dsp_multiplier + DELAYS.dsp_adder
    assert {(source, delay) for source, _, _, delay in found.through} == {
        (1, whole),
        (2, whole),
        (3, DELAYS.dsp_adder),
    }
    assert not found.launches
    assert not found.captures


def test_a_dsp_whose_product_has_the_only_register_splits_the_path():
    registers = {"AREG": "0", "BREG": "0", "PREG": "0"}
    found = arcs(cell("DSP48E2", {"A": [1]}, {"P": [5]}, **registers))
    assert found.captures == [(1, Pin.ROUTED, DELAYS.dsp_multiplier)]
    assert found.launches == [(5, DELAYS.dsp_adder)]


def test_logic_of_slices_is_known():
    assert all(map(is_fabric, ("LUT6", "INV", "MUXF7", "CARRY8", "RAM64M8", "SRL16E")))
    assert not any(map(is_fabric, ("FDRE", "RAMB36E2", "URAM288", "DSP48E2")))
