"""Flat port names in emitted Verilog, as Vivado and the bus models expect them."""

from amaranth.hdl import Module, Signal, Value, ValueCastable
from amaranth.hdl._ir import PortDirection
from amaranth.lib import wiring

from tercel_hw.memory.axi import Axi4Interface

__all__ = ["connect_channels", "flat_name", "flat_ports"]


def flat_name(path: tuple[str | int, ...]) -> str:
    """Return the flat name of a member: parts joined by ``_``, an index attached to its array.

    ``("m_axi_mem", 0, "araddr")`` becomes ``m_axi_mem0_araddr``.
    """
    name = ""
    for part in path:
        name += str(part) if isinstance(part, int) or not name else f"_{part}"
    return name


def flat_ports(
    interface: wiring.Component | wiring.PureInterface,
) -> dict[str, tuple[Signal, PortDirection]]:
    """Return the ports of a component or interface by flat name, for ``convert(ports=...)``.

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


def connect_channels(m: Module, port: Axi4Interface, *parts: Axi4Interface) -> None:
    """Connect a port of the design to the blocks inside that drive its channels.

    So a reader and a writer share an AXI4 port, whose read and write channels are independent.

    Raises
    ------
    ValueError
        If the parts together do not have each of the port's channels exactly once.
    """
    names = [name for part in parts for name in part.signature.members]
    if sorted(names) != sorted(port.signature.members):
        raise ValueError("the parts must have the channels of the port, each once")
    for part in parts:
        for name, member in part.signature.members.items():
            inside, outside = getattr(part, name), getattr(port, name)
            outwards = member.flow == wiring.Out
            m.d.comb += outside.eq(inside) if outwards else inside.eq(outside)
