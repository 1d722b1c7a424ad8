# amaranth: UnusedElaboratable=no

import pytest
from amaranth.hdl import Module, Signal
from amaranth.hdl._ir import PortDirection
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from tercel_hw.memory import Axi4Signature, AxiConfig, connect_channels
from tercel_hw.memory.ports import flat_name, flat_ports


def test_flat_names():
    assert flat_name(("m_axi_mem", 0, "araddr")) == "m_axi_mem0_araddr"
    assert flat_name(("irq",)) == "irq"
    assert flat_name(("a", 1, 2, "b", 3)) == "a12_b3"


def interface(members):
    return wiring.Signature(members).create()


def test_ports_have_their_directions():
    made = interface({"i": In(stream.Signature(8)), "o": Out(stream.Signature(4)).array(2)})
    found = {name: (len(signal), way) for name, (signal, way) in flat_ports(made).items()}
    into, out = PortDirection.Input, PortDirection.Output
    assert found == {
        "i_payload": (8, into),
        "i_valid": (1, into),
        "i_ready": (1, out),
        "o0_payload": (4, out),
        "o0_valid": (1, out),
        "o0_ready": (1, into),
        "o1_payload": (4, out),
        "o1_valid": (1, out),
        "o1_ready": (1, into),
    }
    assert all(isinstance(signal, Signal) for signal, _ in flat_ports(made).values())


def test_names_that_meet_are_refused():
    made = interface({"a_b": In(1), "a": Out(wiring.Signature({"b": Out(1)}))})
    with pytest.raises(ValueError, match="two ports have the flat name a_b"):
        flat_ports(made)


def test_channels_must_be_there_once():
    config = AxiConfig(data_width=64)
    port = Axi4Signature(config).create()
    with pytest.raises(ValueError, match="must have the channels of the port, each once"):
        connect_channels(Module(), port)
    with pytest.raises(ValueError, match="must have the channels of the port, each once"):
        connect_channels(Module(), port, port, port)
    connect_channels(Module(), port, Axi4Signature(config).create())
