"""Files for Vivado: a wrapper that names the buses, settings of a board, and the scripts."""

from typing import Any

from tercel.errors import TercelError
from tercel_hw.board import BoardSpec, board_folder
from tercel_hw.top.config import AcceleratorConfig

__all__ = ["BUILD_SCRIPT", "OLDEST_VIVADO", "board_files", "check_board", "wrapper"]

FLOW = "flow"
"""Folder of the scripts, beside the boards and beside the Verilog."""
BUILD_SCRIPT = f"{FLOW}/build.tcl"
SETTINGS = "settings.tcl"
OLDEST_VIVADO = "2022.1"
"""The release of PYNQ 3.0.1, the oldest supported image."""
STRATEGIES = (
    "Performance_Explore",
    "Performance_ExplorePostRoutePhysOpt",
    "Performance_ExtraTimingOpt",
    "Congestion_SpreadLogic_high",
)
"""Vivado's implementation strategies in the order in which they are tried."""
VLNV = {"AXI4": "xilinx.com:interface:aximm:1.0", "AXI4-Lite": "xilinx.com:interface:aximm:1.0"}
PROTOCOLS = {"AXI4": "AXI4", "AXI4-Lite": "AXI4LITE"}


def check_board(board: BoardSpec, config: AcceleratorConfig) -> None:
    """Refuse an accelerator that does not fit a board's ports, memory and device.

    Raises
    ------
    TercelError
        If something differs; the message quotes both values.
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
    if config.burst_beats > board.processor.burst_beats:
        raise TercelError(
            f"bursts at the memory ports of {board.name} ({board.processor.protocol}) have at most "
            f"{board.processor.burst_beats} beats, but the accelerator's {config.burst_beats}"
        )
    if config.ultra_ram and not board.resources.uram:
        raise TercelError(
            f"the board {board.name} has no UltraRAM, but the accelerator uses it: set ultra_ram "
            "to false"
        )
    top = max(segment.base + segment.bytes for segment in board.segments)
    if top > 1 << config.address_width:
        raise TercelError(
            f"the memory of {board.name} ends at {top:#x}, but the accelerator's addresses have "
            f"{config.address_width} bits"
        )


def board_files(
    board: BoardSpec,
    interfaces: dict[str, Any],
    *,
    config: AcceleratorConfig,
    module: str,
    stem: str,
    sha256: str,
) -> dict[str, str]:
    """Return the wrapper, the settings and the scripts of a board by file name.

    Parameters
    ----------
    sha256
        Hash of the Verilog, for the record of the build.
    """
    buses = {name: bus for name, bus in interfaces.items() if "role" in bus}
    memory = [name for name, bus in buses.items() if bus["role"] == "manager"]
    control = next(name for name, bus in buses.items() if bus["role"] == "subordinate")
    segments = [
        f"{segment.name} {segment.base:#x} {segment.bytes:#x}" for segment in board.segments
    ]
    settings = {
        "board": board.name,
        "processor": board.processor.value,
        "part": board.part,
        "board_part": board.board_part,
        "oldest_vivado": OLDEST_VIVADO,
        "tested_vivado": " ".join(board.tested_vivado),
        "stem": stem,
        "verilog": f"{stem}.v",
        "sha256": sha256,
        "wrapper": f"{module}_top.v",
        "core": module,
        "top": f"{module}_top",
        "clock": board.clock,
        "clock_mhz": f"{board.clock_mhz:g}",
        "pll": board.processor.pll,
        "memory_interfaces": " ".join(memory),
        "memory_ports": " ".join(board.memory_ports[: len(memory)]),
        "port_bits": board.port_bits,
        "protocol": board.processor.protocol,
        "segments": " ".join(segments),
        "control_interface": control,
        "control_port": board.control_port,
        "control_base": f"{board.control_base:#x}",
        "control_bytes": f"{board.control_bytes:#x}",
        "interrupt": "irq",
        "strategies": " ".join(STRATEGIES),
    }
    lines = ["# Settings of flow/build.tcl, written by `tercel hdl`.", "", "array set tercel {"]
    lines += [f"    {name} {{{value}}}" for name, value in settings.items()]
    scripts = sorted((board_folder() / FLOW).glob("*.tcl"))
    return {
        f"{module}_top.v": wrapper(interfaces, module=module, burst_beats=config.burst_beats),
        SETTINGS: "\n".join([*lines, "}"]) + "\n",
        **{f"{FLOW}/{path.name}": path.read_text(encoding="ascii") for path in scripts},
    }


def wrapper(interfaces: dict[str, Any], *, module: str, burst_beats: int) -> str:
    """Return a Verilog wrapper whose attributes declare the accelerator's buses to Vivado.

    Parameters
    ----------
    burst_beats
        Beats of the longest burst of a memory port.
    """
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
        parameter = _bus_parameters(name, bus, burst_beats)
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


def _bus_parameters(name: str, bus: dict[str, Any], burst_beats: int) -> str:
    """Return the parameters of a bus, with its widths and longest burst."""
    values = {
        "PROTOCOL": PROTOCOLS[bus["protocol"]],
        "DATA_WIDTH": bus["data_width"],
        "ADDR_WIDTH": bus["address_width"],
    }
    if "id_width" in bus:
        values |= {
            "ID_WIDTH": bus["id_width"],
            "MAX_BURST_LENGTH": burst_beats,
            "SUPPORTS_NARROW_BURST": 0,
        }
    return ", ".join([f"XIL_INTERFACENAME {name}", *(f"{k} {v}" for k, v in values.items())])
