"""Flat port names for emission, as Vivado and the bus models expect them."""

from amaranth.back import verilog
from amaranth.hdl import Signal, Value, ValueCastable
from amaranth.hdl._ir import PortDirection
from amaranth.lib import wiring

__all__ = ["emit_verilog", "flat_name", "flat_ports"]


def flat_name(path: tuple[str | int, ...]) -> str:
    """Name of a member: parts joined by ``_``, an index attached to what it indexes.

    ``("m_axi_mem", 0, "araddr")`` becomes ``m_axi_mem0_araddr``.
    """
    name = ""
    for part in path:
        name += str(part) if isinstance(part, int) or not name else f"_{part}"
    return name


def flat_ports(
    interface: wiring.Component | wiring.PureInterface,
) -> dict[str, tuple[Signal, PortDirection]]:
    """Ports of a component or interface by flat name, for ``convert(ports=...)``.

    Raises
    ------
    ValueError
        If two members get the same name.
    """
    ports = {}
    for path, member, value in interface.signature.flatten(interface):
        name = flat_name(path)
        if name in ports:
            raise ValueError(f"two ports have the flat name {name}")
        signal = Value.cast(value) if isinstance(value, ValueCastable) else value
        incoming = member.flow == wiring.In
        ports[name] = (signal, PortDirection.Input if incoming else PortDirection.Output)
    return ports


def emit_verilog(component: wiring.Component, name: str) -> str:
    """Verilog of a component whose ports have flat names, without paths of source files."""
    ports = flat_ports(component)
    return verilog.convert(component, name=name, ports=ports, emit_src=False)
