"""The accelerator's ports, grouped by the bus to which they belong."""

from typing import Any

from amaranth.hdl import Shape
from amaranth.lib import wiring

from tercel_hw.memory import Axi4LiteSignature, Axi4Signature, flat_name
from tercel_hw.top.accelerator import accelerator_signature
from tercel_hw.top.config import AcceleratorConfig

__all__ = ["describe_interfaces"]


def describe_interfaces(config: AcceleratorConfig) -> dict[str, dict[str, Any]]:
    """Return the interfaces by name: protocol, role, widths, direction and width of ports."""
    clocks = {"clk": _port("in", 1), "rst": _port("in", 1)}
    found: dict[str, Any] = {
        "clock": {"protocol": "clock and synchronous reset, active high", "ports": clocks}
    }
    for name, member in accelerator_signature(config).members.items():
        if member.is_port:
            width = Shape.cast(member.shape).width
            port = _port("in" if member.flow == wiring.In else "out", width)
            found[name] = {"protocol": "signal", "ports": {name: port}}
            continue
        paths = [(name, index) for index in range(*member.dimensions)] if member.dimensions else []
        for path in paths or [(name,)]:
            prefix = flat_name(path)
            found[prefix] = _bus(prefix, member)
    return found


def _port(direction: str, width: int) -> dict[str, Any]:
    return {"direction": direction, "width": width}


def _bus(prefix: str, member: wiring.Member) -> dict[str, Any]:
    signature: Any = member.signature
    manager = member.flow == wiring.Out
    ports = {
        f"{prefix}_{name}": _port(
            "out" if inner.flow == wiring.Out else "in", Shape.cast(inner.shape).width
        )
        for name, inner in signature.members.items()
    }
    own = signature if manager else signature.flip()
    return {"role": "manager" if manager else "subordinate", **_protocol(own), "ports": ports}


def _protocol(signature: wiring.Signature) -> dict[str, Any]:
    if isinstance(signature, Axi4Signature):
        axi = signature.config
        return {
            "protocol": "AXI4",
            "data_width": axi.data_width,
            "address_width": axi.address_width,
            "id_width": axi.id_width,
        }
    assert isinstance(signature, Axi4LiteSignature)
    return {"protocol": "AXI4-Lite", "data_width": 32, "address_width": signature.address_width}
