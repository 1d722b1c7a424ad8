"""Flat port names for emission, as Vivado and the bus models expect them."""

from amaranth.hdl import Module, Signal, Value, ValueCastable
from amaranth.hdl._ir import PortDirection
from amaranth.lib import wiring

from tercel_hw.memory.axi import Axi4Interface

__all__ = ["connect_channels", "flat_name", "flat_ports"]


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


def connect_channels(m: Module, port: Axi4Interface, *parts: Axi4Interface) -> None:
    """Connect a port of the design to the blocks inside that drive its channels.

    A reader and a writer share an AXI4 port so, for its read and write channels are independent.

    Raises
    ------
    ValueError
        If the port's channels are not those of the parts together, each once.
    """
    names = [name for part in parts for name in part.signature.members]
    if sorted(names) != sorted(port.signature.members):
        raise ValueError("the parts must have the channels of the port, each once")
    for part in parts:
        for name, member in part.signature.members.items():
            inside, outside = getattr(part, name), getattr(port, name)
            outwards = member.flow == wiring.Out
            m.d.comb += outside.eq(inside) if outwards else inside.eq(outside)
