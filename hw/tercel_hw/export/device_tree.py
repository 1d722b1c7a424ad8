"""The device-tree overlay of an accelerator, and the description of its firmware folder."""

import json

from tercel_hw.board import BoardSpec
from tercel_hw.processor import Processor

__all__ = ["INSTANCE", "LEVEL_HIGH", "device_tree", "shell"]

INSTANCE = "accelerator"
"""Name of the accelerator in the block design and of its node."""
LEVEL_HIGH = 4
"""Type of an interrupt in a device tree."""
PL0_CLOCK = 71
"""Number of the ZynqMP's first clock for the logic (``PL0_REF`` of the kernel's bindings)."""
PL_RESETS = range(116, 120)
"""Numbers of the ZynqMP's resets of the logic."""
FIRST_CLOCK = 15
"""Number of the Zynq-7000's first clock for the logic (``fclk0`` of its clock controller)."""
AFI_REGISTERS = range(14)
"""Widths of the ZynqMP's ports from the logic: reads and writes of HPC0, HPC1, HP0 to HP3, LPD."""
AFI_WIDTHS = {128: 0, 64: 1, 32: 2}
CONTROL_WIDTHS = 14, 0xA00
"""Register of the ZynqMP's control ports, and 128 bits for both, as after reset."""


def shell() -> str:
    """Return ``shell.json``, which tells dfx-mgr that the folder is one whole design."""
    return json.dumps({"shell_type": "XRT_FLAT", "num_slots": "1"}, indent=2) + "\n"


def device_tree(board: BoardSpec, *, stem: str) -> str:
    """Return the source of the overlay: bitstream, clock, widths of ports, registers, interrupt.

    Parameters
    ----------
    stem
        Base name of the overlay's files.
    """
    tree = {Processor.ZYNQMP: _zynqmp, Processor.ZYNQ_7: _zynq7}[board.processor]
    return (
        f"/* {board.description}: compile with\n"
        f" *   dtc -@ -I dts -O dtb -o {stem}.dtbo {stem}.dtso\n"
        " */\n/dts-v1/;\n/plugin/;\n\n" + "\n".join(tree(board, stem)) + "\n"
    )


def _zynqmp(board: BoardSpec, stem: str) -> list[str]:
    resets = ", ".join(f"<&zynqmp_reset {number}>" for number in PL_RESETS)
    width = AFI_WIDTHS[board.port_bits]
    pairs = [(register, width) for register in AFI_REGISTERS] + [CONTROL_WIDTHS]
    afi = ", ".join(f"<{register} {value:#x}>" for register, value in pairs)
    base, size = board.control_base, board.control_bytes
    return [
        "&fpga_full {",
        "\t#address-cells = <2>;",
        "\t#size-cells = <2>;",
        f'\tfirmware-name = "{stem}.bit.bin";',
        f"\tresets = {resets};",
        "};",
        "",
        "&amba {",
        "\t#address-cells = <2>;",
        "\t#size-cells = <2>;",
        "",
        f"\t{stem}_afi: afi0 {{",
        '\t\tcompatible = "xlnx,afi-fpga";',
        f"\t\tconfig-afi = {afi};",
        "\t};",
        "",
        *_clock(board, stem, "zynqmp_clk", PL0_CLOCK),
        "",
        *_node(board, f"{base >> 32:#x} {base & 0xFFFFFFFF:#x} 0x0 {size:#x}", "gic"),
        "};",
    ]


def _zynq7(board: BoardSpec, stem: str) -> list[str]:
    return [
        "&fpga_full {",
        "\t#address-cells = <1>;",
        "\t#size-cells = <1>;",
        f'\tfirmware-name = "{stem}.bit.bin";',
        "};",
        "",
        "&amba {",
        "\t#address-cells = <1>;",
        "\t#size-cells = <1>;",
        "",
        *_clock(board, stem, "clkc", FIRST_CLOCK),
        "",
        *_node(board, f"{board.control_base:#x} {board.control_bytes:#x}", "intc"),
        "};",
    ]


def _clock(board: BoardSpec, stem: str, controller: str, number: int) -> list[str]:
    """Node that sets the clock for the logic and keeps the kernel from stopping it."""
    return [
        f"\t{stem}_clock: clocking0 {{",
        '\t\tcompatible = "xlnx,fclk";',
        "\t\t#clock-cells = <0>;",
        f"\t\tclocks = <&{controller} {number}>;",
        f"\t\tassigned-clocks = <&{controller} {number}>;",
        f"\t\tassigned-clock-rates = <{round(board.clock_mhz * 1e6)}>;",
        '\t\tclock-output-names = "fabric_clk";',
        "\t};",
    ]


def _node(board: BoardSpec, registers: str, controller: str) -> list[str]:
    return [
        f"\t{INSTANCE}@{board.control_base:x} {{",
        '\t\tcompatible = "generic-uio";',
        f"\t\treg = <{registers}>;",
        f"\t\tinterrupt-parent = <&{controller}>;",
        f"\t\tinterrupts = <0 {board.processor.interrupt} {LEVEL_HIGH}>;",
        "\t};",
    ]
