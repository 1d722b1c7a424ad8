"""AXI4 and AXI4-Lite signatures, from the manager's side."""

from dataclasses import dataclass

from amaranth.hdl import Module, Signal
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from tercel_hw.checks import check_integer, check_power_of_two

__all__ = [
    "PAGE_BYTES",
    "Axi4Interface",
    "Axi4LiteInterface",
    "Axi4LiteSignature",
    "Axi4Signature",
    "AxiConfig",
    "drive_attributes",
]

PAGE_BYTES = 4096
"""Size of a page; no AXI4 burst may cross the border of one."""
CACHE = 0b0011
"""Normal memory, not cached, bufferable: what the memory ports of a Zynq expect."""


class BurstKind(enum.Enum, shape=2):
    """Burst types of AXI4 (AxBURST)."""

    FIXED = 0
    INCR = 1
    WRAP = 2


@dataclass(frozen=True, kw_only=True)
class AxiConfig:
    """Widths of an AXI4 port.

    Raises
    ------
    ValueError
        If a width breaks its rule.
    """

    address_width: int = 40
    data_width: int = 128
    id_width: int = 1

    def __post_init__(self):
        check_integer("address_width", self.address_width, 12, 64)
        check_power_of_two("data_width", self.data_width, 32, 1024)
        check_integer("id_width", self.id_width, 1, 32)

    @property
    def beat_bytes(self) -> int:
        return self.data_width // 8

    @property
    def beat_bits(self) -> int:
        """Number of low address bits that are zero at the start of a beat."""
        return exact_log2(self.beat_bytes)

    @property
    def beat_address_width(self) -> int:
        """Width of an address that counts beats."""
        return self.address_width - self.beat_bits

    @property
    def page_beats(self) -> int:
        """Beats of a page."""
        return min(256, PAGE_BYTES // self.beat_bytes)


class Axi4Interface(wiring.PureInterface):
    """Interface made by :meth:`Axi4Signature.create`; absent channels have no attributes."""

    arid: Signal
    araddr: Signal
    arlen: Signal
    arsize: Signal
    arburst: Signal
    arlock: Signal
    arcache: Signal
    arprot: Signal
    arqos: Signal
    arvalid: Signal
    arready: Signal
    rid: Signal
    rdata: Signal
    rresp: Signal
    rlast: Signal
    rvalid: Signal
    rready: Signal
    awid: Signal
    awaddr: Signal
    awlen: Signal
    awsize: Signal
    awburst: Signal
    awlock: Signal
    awcache: Signal
    awprot: Signal
    awqos: Signal
    awvalid: Signal
    awready: Signal
    wdata: Signal
    wstrb: Signal
    wlast: Signal
    wvalid: Signal
    wready: Signal
    bid: Signal
    bresp: Signal
    bvalid: Signal
    bready: Signal


def _request(prefix: str, config: AxiConfig) -> dict[str, wiring.Member]:
    widths = {
        "id": config.id_width,
        "addr": config.address_width,
        "len": 8,
        "size": 3,
        "burst": 2,
        "lock": 1,
        "cache": 4,
        "prot": 3,
        "qos": 4,
        "valid": 1,
    }
    members = {prefix + name: Out(width) for name, width in widths.items()}
    return members | {prefix + "ready": In(1)}


class Axi4Signature(wiring.Signature):
    """AXI4 port with the vendor's signal names; outputs are the manager's.

    Parameters
    ----------
    config
        Widths of the port.
    read, write
        Presence of the read and of the write channels.

    Raises
    ------
    ValueError
        If the port has no channels.
    """

    def __init__(self, config: AxiConfig, *, read: bool = True, write: bool = True):
        if not read and not write:
            raise ValueError("an AXI4 port must have read or write channels, not neither")
        self._key = (config, bool(read), bool(write))
        members = {}
        if read:
            members |= _request("ar", config) | {
                "rid": In(config.id_width),
                "rdata": In(config.data_width),
                "rresp": In(2),
                "rlast": In(1),
                "rvalid": In(1),
                "rready": Out(1),
            }
        if write:
            members |= _request("aw", config) | {
                "wdata": Out(config.data_width),
                "wstrb": Out(config.data_width // 8),
                "wlast": Out(1),
                "wvalid": Out(1),
                "wready": In(1),
                "bid": In(config.id_width),
                "bresp": In(2),
                "bvalid": In(1),
                "bready": Out(1),
            }
        super().__init__(members)

    @property
    def config(self) -> AxiConfig:
        return self._key[0]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Axi4Signature) and self._key == other._key

    def create(self, *, path=None, src_loc_at=0) -> Axi4Interface:
        return Axi4Interface(self, path=path, src_loc_at=1 + src_loc_at)

    def __repr__(self) -> str:
        config, read, write = self._key
        return f"Axi4Signature({config!r}, read={read}, write={write})"


def drive_attributes(m: Module, axi: Axi4Interface, prefix: str, beat_bits: int) -> None:
    """Drive the constants of channel ``prefix`` (``ar`` or ``aw``): INCR bursts of whole beats."""
    constants = {"size": beat_bits, "burst": BurstKind.INCR.value, "cache": CACHE}
    for name in ("id", "size", "burst", "lock", "cache", "prot", "qos"):
        m.d.comb += getattr(axi, prefix + name).eq(constants.get(name, 0))


class Axi4LiteInterface(wiring.PureInterface):
    """Interface made by :meth:`Axi4LiteSignature.create`."""

    awaddr: Signal
    awprot: Signal
    awvalid: Signal
    awready: Signal
    wdata: Signal
    wstrb: Signal
    wvalid: Signal
    wready: Signal
    bresp: Signal
    bvalid: Signal
    bready: Signal
    araddr: Signal
    arprot: Signal
    arvalid: Signal
    arready: Signal
    rdata: Signal
    rresp: Signal
    rvalid: Signal
    rready: Signal


class Axi4LiteSignature(wiring.Signature):
    """AXI4-Lite port of 32 data bits; outputs are the manager's.

    Raises
    ------
    ValueError
        If the address width is not in 3..64.
    """

    def __init__(self, *, address_width: int):
        check_integer("address_width", address_width, 3, 64)
        self._address_width = address_width
        super().__init__(
            {
                "awaddr": Out(address_width),
                "awprot": Out(3),
                "awvalid": Out(1),
                "awready": In(1),
                "wdata": Out(32),
                "wstrb": Out(4),
                "wvalid": Out(1),
                "wready": In(1),
                "bresp": In(2),
                "bvalid": In(1),
                "bready": Out(1),
                "araddr": Out(address_width),
                "arprot": Out(3),
                "arvalid": Out(1),
                "arready": In(1),
                "rdata": In(32),
                "rresp": In(2),
                "rvalid": In(1),
                "rready": Out(1),
            }
        )

    @property
    def address_width(self) -> int:
        return self._address_width

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Axi4LiteSignature) and self._address_width == other._address_width

    def create(self, *, path=None, src_loc_at=0) -> Axi4LiteInterface:
        return Axi4LiteInterface(self, path=path, src_loc_at=1 + src_loc_at)

    def __repr__(self) -> str:
        return f"Axi4LiteSignature(address_width={self._address_width})"
