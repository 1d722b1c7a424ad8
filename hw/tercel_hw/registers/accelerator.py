"""The accelerator's register map."""

from dataclasses import dataclass, field

from tercel.image import CODES, LAYOUTS, TapeLayout
from tercel_hw.checks import check_integer
from tercel_hw.registers.map import RegisterMap
from tercel_hw.registers.register import Access, Field, Register, check_name

__all__ = ["COUNTERS", "ControlConfig", "accelerator_registers"]

IDENTITY = int.from_bytes(b"TRCL", "big")
"""Constant value of the first register."""
COUNTERS = {
    "cycles": "Cycles of the pass",
    "tape_stall": "Cycles in which the ternary engine waited for the tape alone",
    "compute": "Cycles in which the ternary engine took row-chunks",
    "attention": "Cycles from the written cache to the last output of attention",
    "head": "Cycles in which the tape was the head's",
    "bytes_read": "Bytes read from memory",
    "bytes_written": "Bytes written to memory",
    "table_stall": "Cycles in which it waited for activations, tables or its sums' consumer",
}
"""64-bit counters, zeroed by a start; byte counters may add more than one a cycle."""
FIRST_COUNTER, FIRST_BASE = 0x40, 0x80


@dataclass(frozen=True, kw_only=True)
class ControlConfig:
    """Parameters of the register map.

    Raises
    ------
    ValueError
        If a field breaks its rule.
    """

    nodes: int = 8
    """Token lanes of a pass, K."""
    layout: TapeLayout = field(default_factory=lambda: LAYOUTS["kv260"])
    grouped: bool = False
    """True if the accelerator plays matrices with scales of rows and groups."""
    qk_norm: bool = False
    """True if it norms the heads of queries and keys."""
    shortlist: int = 0
    """Most rows that a two-stage head lists for a lane, 0 for none."""
    version: tuple[int, int, int] = (0, 1, 0)
    """Version of the contract between hardware and driver: major, minor, patch."""
    address_width: int = 40
    streams: tuple[str, ...] = ("program", "kv_read", "kv_write", "results", "embedding", "rope")
    """Streams with an error bit, besides the ports of the tape, the sequencer and the watchdog."""
    watchdog_cycles: int = 1 << 24
    """Value of the watchdog register after reset."""

    def __post_init__(self):
        check_integer("nodes", self.nodes, 1, 255)
        check_integer("address_width", self.address_width, 32, 64)
        check_integer("watchdog_cycles", self.watchdog_cycles, 0, 0xFFFFFFFF)
        if len(self.version) != 3:
            raise ValueError(f"version must be (major, minor, patch), not {self.version!r}")
        for part, most in zip(self.version, (0xFFFF, 0xFF, 0xFF), strict=True):
            check_integer("a part of version", part, 0, most)
        for stream in self.streams:
            check_name(stream)
        check_integer("number of error bits", len(self.errors), 1, 32)
        if len({*self.errors}) != len(self.errors):
            raise ValueError(f"streams must have different names, not {', '.join(self.errors)}")

    @property
    def errors(self) -> tuple[str, ...]:
        """Names of the sticky error bits, lowest first."""
        tape = tuple(f"tape{port}" for port in range(self.layout.ports))
        return (*tape, "code", "sequencer", "watchdog", "start", *self.streams)


def _described(name: str) -> str:
    special = {
        "code": "A weight code of the tape is corrupt",
        "sequencer": "The program has an unknown or impossible descriptor",
        "start": "A start came during a pass and was ignored",
        "watchdog": "Nothing moved for the watchdog's number of cycles",
    }
    return special.get(name, f"Memory answered stream `{name}` with an error")


def _identity(config: ControlConfig) -> list[Register]:
    layout = config.layout
    major, minor, patch = config.version
    caps = (
        config.nodes
        | layout.ports << 8
        | layout.port_bytes << 16
        | list(CODES).index(layout.code) << 24
        | config.grouped << 28
        | config.qk_norm << 29
    )
    lists = max(0, config.shortlist.bit_length() - 1)
    return [
        Register(
            name="id",
            offset=0x00,
            access=Access.RO,
            constant=IDENTITY,
            description="`TRCL` in ASCII, the T highest.",
        ),
        Register(
            name="version",
            offset=0x04,
            access=Access.RO,
            constant=major << 16 | minor << 8 | patch,
            description="Version of this contract.",
            fields=(
                Field(name="patch", bit=0, width=8, description="Changes nothing for drivers."),
                Field(name="minor", bit=8, width=8, description="Adds."),
                Field(name="major", bit=16, width=16, description="Breaks."),
            ),
        ),
        Register(
            name="caps",
            offset=0x08,
            access=Access.RO,
            constant=caps,
            description="What the accelerator was built with.",
            fields=(
                Field(name="nodes", bit=0, width=8, description="Token lanes of a pass."),
                Field(name="ports", bit=8, width=8, description="Memory ports of the tape."),
                Field(name="port_bytes", bit=16, width=8, description="Bytes of a port's beat."),
                Field(
                    name="code",
                    bit=24,
                    width=4,
                    description="Weight code: "
                    + ", ".join(f"{index} {name}" for index, name in enumerate(CODES))
                    + ".",
                ),
                Field(
                    name="groups",
                    bit=28,
                    description="Matrices may have scales of rows and groups, the head be ternary.",
                ),
                Field(name="qk_norm", bit=29, description="Heads of q and k may be normed."),
            ),
        ),
        Register(
            name="shape",
            offset=0x0C,
            access=Access.RO,
            constant=layout.tables | lists << 8 | layout.block_rows - 1 << 16,
            description="Shape of the ternary engine, and of two-stage heads.",
            fields=(
                Field(name="tables", bit=0, width=8, description="Codes of a row-chunk at most."),
                Field(
                    name="shortlist",
                    bit=8,
                    width=4,
                    description="Base-2 logarithm of the rows that a two-stage head lists for a "
                    "lane; 0 if there are none.",
                ),
                Field(name="last_row", bit=16, width=16, description="Rows of a block less one."),
            ),
        ),
    ]


def _control(config: ControlConfig) -> list[Register]:
    done = Field(name="done", bit=0, description="A pass has ended.")
    error = Field(name="error", bit=1, description="An error bit has been set.")
    return [
        Register(
            name="control",
            offset=0x10,
            access=Access.PULSE,
            description="What to do.",
            fields=(
                Field(name="start", bit=0, description="Start a pass; ignored while busy."),
                Field(name="reset", bit=1, description="Reset all but the memory ports."),
            ),
        ),
        Register(
            name="status",
            offset=0x14,
            access=Access.RO,
            description="How it goes.",
            fields=(
                Field(name="busy", bit=0, description="A pass is running."),
                Field(name="done", bit=1, description="The last pass has ended; a start clears."),
                Field(name="error", bit=2, description="Some bit of `error` is set."),
            ),
        ),
        Register(
            name="error",
            offset=0x18,
            access=Access.W1C,
            description="What went wrong since it was last cleared.",
            fields=tuple(
                Field(name=name, bit=bit, description=_described(name) + ".")
                for bit, name in enumerate(config.errors)
            ),
        ),
        Register(
            name="irq_status",
            offset=0x1C,
            access=Access.W1C,
            description="Events that raise the interrupt where `irq_enable` has them.",
            fields=(done, error),
        ),
        Register(
            name="irq_enable",
            offset=0x20,
            access=Access.RW,
            description="Which events raise the interrupt.",
            fields=(done, error),
        ),
        Register(
            name="watchdog",
            offset=0x24,
            access=Access.RW,
            reset=config.watchdog_cycles,
            description="Cycles of a pass without progress until the error `watchdog`; 0 is never.",
        ),
        Register(
            name="program_address",
            offset=0x28,
            access=Access.RW,
            width=64,
            description="Word address of the pass program.",
            fields=(
                Field(name="address", bit=0, width=config.address_width, description="In words."),
            ),
        ),
        Register(
            name="program_length",
            offset=0x30,
            access=Access.RW,
            description="Number of commands of the pass program.",
        ),
    ]


def accelerator_registers(config: ControlConfig) -> RegisterMap:
    """Return the register map of an accelerator.

    Offsets do not move with the configuration: ``tape_base{p}`` is last.
    """
    counters = [
        Register(
            name=name,
            offset=FIRST_COUNTER + 8 * index,
            access=Access.RO,
            width=64,
            description=f"{description} since its start.",
        )
        for index, (name, description) in enumerate(COUNTERS.items())
    ]
    bases = [
        Register(
            name=f"tape_base{port}",
            offset=FIRST_BASE + 8 * port,
            access=Access.RW,
            width=64,
            description=f"Where the tape of port {port} starts; must not change during a pass.",
            fields=(
                Field(name="address", bit=0, width=config.address_width, description="In bytes."),
            ),
        )
        for port in range(config.layout.ports)
    ]
    return RegisterMap(
        name="tercel",
        description="Registers of the tercel accelerator.",
        registers=(*_identity(config), *_control(config), *counters, *bases),
    )
