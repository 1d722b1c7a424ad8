"""Files for Vivado: a wrapper that names the buses, and the scripts of a board."""

from typing import Any

from tercel.errors import TercelError
from tercel_hw.board import BoardSpec
from tercel_hw.top.config import AcceleratorConfig

__all__ = ["BUILD_SCRIPT", "SETTINGS", "board_files", "check_board", "wrapper"]

BUILD_SCRIPT = "build.tcl"
SETTINGS = "settings.tcl"
VLNV = {"AXI4": "xilinx.com:interface:aximm:1.0", "AXI4-Lite": "xilinx.com:interface:aximm:1.0"}
PROTOCOLS = {"AXI4": "AXI4", "AXI4-Lite": "AXI4LITE"}


def check_board(board: BoardSpec, config: AcceleratorConfig) -> None:
    """Refuse an accelerator whose ports do not fit a board.

    Raises
    ------
    TercelError
        If a port differs; the message quotes both numbers.
    """
    if config.ports > len(board.memory_ports):
        raise TercelError(
            f"the board {board.name} has {len(board.memory_ports)} memory ports, but the "
            f"accelerator {config.ports}"
        )
    if 8 * config.port_bytes != board.port_bits:
        raise TercelError(
            f"the memory ports of {board.name} have {board.port_bits} bits, but the "
            f"accelerator's {8 * config.port_bytes}"
        )


def board_files(
    board: BoardSpec, interfaces: dict[str, Any], *, module: str, stem: str
) -> dict[str, str]:
    """Return the wrapper and the scripts of a board by file name."""
    buses = {name: bus for name, bus in interfaces.items() if "role" in bus}
    memory = [name for name, bus in buses.items() if bus["role"] == "manager"]
    control = next(name for name, bus in buses.items() if bus["role"] == "subordinate")
    settings = {
        "board": board.name,
        "part": board.part,
        "board_part": board.board_part,
        "tested_vivado": " ".join(board.tested_vivado),
        "verilog": f"{stem}.v",
        "wrapper": f"{module}_top.v",
        "top": f"{module}_top",
        "clock": board.clock,
        "clock_mhz": board.clock_mhz,
        "memory_interfaces": " ".join(memory),
        "memory_ports": " ".join(board.memory_ports[: len(memory)]),
        "port_bits": board.port_bits,
        "segments": " ".join(board.segments),
        "control_interface": control,
        "control_port": board.control_port,
        "control_base": f"{board.control_base:#x}",
        "control_bytes": f"{board.control_bytes:#x}",
        "interrupt": "irq",
    }
    lines = ["# Settings of build.tcl, written by `tercel hdl`.", "", "array set tercel {"]
    lines += [f"    {name} {{{value}}}" for name, value in settings.items()]
    script = (board.folder / BUILD_SCRIPT).read_text(encoding="utf-8")
    return {
        f"{module}_top.v": wrapper(interfaces, module=module),
        SETTINGS: "\n".join([*lines, "}"]) + "\n",
        BUILD_SCRIPT: script,
    }


def wrapper(interfaces: dict[str, Any], *, module: str) -> str:
    """Return a Verilog wrapper whose attributes declare the accelerator's buses to Vivado."""
    buses = {name: bus for name, bus in interfaces.items() if "role" in bus}
    attributes = {
        "clk": (
            "xilinx.com:signal:clock:1.0 clk CLK",
            f"ASSOCIATED_BUSIF {':'.join(buses)}, ASSOCIATED_RESET rst",
        ),
        "rst": ("xilinx.com:signal:reset:1.0 rst RST", "POLARITY ACTIVE_HIGH"),
        "irq": ("xilinx.com:signal:interrupt:1.0 irq INTERRUPT", "SENSITIVITY LEVEL_HIGH"),
    }
    for name, bus in buses.items():
        parameter = f"XIL_INTERFACENAME {name}, PROTOCOL {PROTOCOLS[bus['protocol']]}"
        for port in bus["ports"]:
            signal = port.removeprefix(f"{name}_").upper()
            attributes[port] = (f"{VLNV[bus['protocol']]} {name} {signal}", parameter)
            parameter = ""
    ports = {name: port for bus in interfaces.values() for name, port in bus["ports"].items()}
    declared = []
    for name, port in ports.items():
        info, parameter = attributes[name]
        width = f"[{port['width'] - 1}:0] " if port["width"] > 1 else ""
        text = f'    (* X_INTERFACE_INFO = "{info}" *)\n'
        if parameter:
            text += f'    (* X_INTERFACE_PARAMETER = "{parameter}" *)\n'
        declared.append(f"{text}    {port['direction']}put wire {width}{name}")
    connected = ",\n".join(f"        .{name}({name})" for name in ports)
    return (
        f"// {module} with its buses named for Vivado's block designs.\n"
        f"module {module}_top (\n" + ",\n".join(declared) + "\n);\n"
        f"    {module} accelerator (\n{connected}\n    );\nendmodule\n"
    )
