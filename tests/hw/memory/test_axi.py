import pytest
from amaranth.back import rtlil
from amaranth.hdl import Fragment, Module
from amaranth.hdl._ir import PortDirection
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from tercel_hw.emission import emit_verilog
from tercel_hw.memory import (
    Axi4LiteSignature,
    Axi4Signature,
    AxiConfig,
    AxiReader,
    AxiWriter,
    BurstConfig,
    ReaderConfig,
    StripedConfig,
    StripedReader,
    WriterConfig,
    connect_channels,
    flat_name,
    flat_ports,
)


def test_signatures_compare_by_value():
    config = AxiConfig(address_width=32)
    assert Axi4Signature(config) == Axi4Signature(AxiConfig(address_width=32))
    assert Axi4Signature(config) != Axi4Signature(config, write=False)
    assert Axi4Signature(config).config == config
    assert Axi4LiteSignature(address_width=8) == Axi4LiteSignature(address_width=8)
    assert Axi4LiteSignature(address_width=8) != Axi4LiteSignature(address_width=9)
    assert Axi4LiteSignature(address_width=8).address_width == 8
    assert "read=True, write=False" in repr(Axi4Signature(config, write=False))
    assert repr(Axi4LiteSignature(address_width=8)) == "Axi4LiteSignature(address_width=8)"


def test_a_port_has_only_its_channels():
    config = AxiConfig()
    read, write = Axi4Signature(config, write=False), Axi4Signature(config, read=False)
    assert not any(name.startswith(("aw", "w", "b")) for name in read.members)
    assert not any(name.startswith(("ar", "r")) for name in write.members)
    assert {*read.members, *write.members} == {*Axi4Signature(config).members}


def test_axi4_lite_has_the_pins_of_its_specification():
    """With 12 bits of address."""
    out, into = PortDirection.Output, PortDirection.Input
    found = flat_ports(Axi4LiteSignature(address_width=12).create())
    assert {name: (len(signal), way) for name, (signal, way) in found.items()} == {
        **{f"{channel}addr": (12, out) for channel in ("aw", "ar")},
        **{f"{channel}prot": (3, out) for channel in ("aw", "ar")},
        **{f"{channel}valid": (1, out) for channel in ("aw", "w", "ar")},
        **{f"{channel}ready": (1, into) for channel in ("aw", "w", "ar")},
        **{"wdata": (32, out), "wstrb": (4, out), "rdata": (32, into)},
        **{f"{channel}resp": (2, into) for channel in ("b", "r")},
        **{f"{channel}valid": (1, into) for channel in ("b", "r")},
        **{f"{channel}ready": (1, out) for channel in ("b", "r")},
    }


def test_pages_bound_bursts():
    assert [AxiConfig(data_width=width).page_beats for width in (32, 128, 256, 1024)] == [
        256,
        256,
        128,
        32,
    ]


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("address_width", 11, "address_width must be an integer in 12..64, not 11"),
        ("data_width", 96, "data_width must be a power of two in 32..1024, not 96"),
        ("data_width", 128.0, "data_width must be a power of two in 32..1024, not 128.0"),
        ("id_width", True, "id_width must be an integer in 1..32, not True"),
    ],
)
def test_a_broken_field_is_named(field, value, rule):
    with pytest.raises(ValueError, match=rule):
        AxiConfig(**{field: value})


def test_a_port_without_channels_is_refused():
    with pytest.raises(ValueError, match="must have read or write channels, not neither"):
        Axi4Signature(AxiConfig(), read=False, write=False)


def test_flat_names():
    assert flat_name(("m_axi_mem", 0, "araddr")) == "m_axi_mem0_araddr"
    assert flat_name(("i_command", "payload")) == "i_command_payload"


def test_ports_of_an_array_are_numbered():
    reader = ReaderConfig(burst=BurstConfig(max_beats=16), buffer_beats=32)
    striped = StripedReader(config=StripedConfig(reader=reader, ports=2))
    ports = flat_ports(striped)
    rtlil.convert(striped, ports=ports)
    assert {"axi0_araddr", "axi1_rready", "i_command_payload", "errors", "base"} <= {*ports}
    assert not any("__" in name for name in ports)
    assert ports["axi0_araddr"][1] is PortDirection.Output
    assert ports["axi1_rready"][1] is PortDirection.Output
    assert ports["axi1_rdata"][1] is PortDirection.Input


class Shared(wiring.Component):
    """A reader and a writer on one port."""

    def __init__(self, parts):
        self.parts = parts
        super().__init__({"m_axi_mem": Out(Axi4Signature(AxiConfig()))})

    def elaborate(self, platform):
        m = Module()
        m.submodules += self.parts
        connect_channels(m, self.m_axi_mem, *(part.axi for part in self.parts))
        return m


def test_a_reader_and_a_writer_share_a_port():
    shared = Shared([AxiReader(config=ReaderConfig()), AxiWriter(config=WriterConfig())])
    text = rtlil.convert(shared, ports=flat_ports(shared))
    assert "m_axi_mem_araddr" in text
    assert "m_axi_mem_wdata" in text
    read, both = Axi4Signature(AxiConfig(), write=False), Axi4Signature(AxiConfig())
    m = Module()
    with pytest.raises(ValueError, match="must have the channels of the port, each once"):
        connect_channels(m, both.create(), read.create())
    Fragment.get(m, None)  # used, or it warns


def test_two_ports_of_one_name_are_refused():
    inner = wiring.Signature({"b": Out(1)})
    doubled = wiring.Signature({"a": Out(inner), "a_b": Out(1)}).create()
    with pytest.raises(ValueError, match="two ports have the flat name a_b"):
        flat_ports(doubled)


def test_verilog_has_the_flat_names_and_repeats():
    config = ReaderConfig(burst=BurstConfig(max_beats=16), buffer_beats=32)
    text = emit_verilog(AxiReader(config=config), "reader")
    assert "module reader(" in text
    assert "output [39:0] axi_araddr;" in text
    assert "input [127:0] axi_rdata;" in text
    assert text == emit_verilog(AxiReader(config=config), "reader")
