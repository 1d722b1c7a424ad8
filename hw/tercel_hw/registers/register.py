"""Registers and their fields."""

import enum
import re
from dataclasses import dataclass

from tercel_hw.checks import check_integer

__all__ = ["Access", "Field", "Register"]

NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


class Access(enum.Enum):
    """Access of the driver to a register."""

    RO = "ro"
    """Read-only: the hardware drives the value."""
    RW = "rw"
    """Read and write: the hardware reads the value."""
    W1C = "w1c"
    """Write 1 to clear: the hardware sets bits, and the driver clears a bit by writing 1."""
    PULSE = "pulse"
    """Write only: writing 1 gives the hardware a pulse of one cycle; reads 0."""


def check_name(name: str) -> None:
    """Refuse anything but ``lower_case`` words of letters and digits."""
    if not NAME.fullmatch(name):
        raise ValueError(f"a name must be lower_case letters and digits, not {name!r}")


@dataclass(frozen=True, kw_only=True)
class Field:
    """Bits of a register.

    Raises
    ------
    ValueError
        If the name or a number breaks its rule.
    """

    name: str
    bit: int
    """Lowest bit."""
    width: int = 1
    description: str

    def __post_init__(self):
        check_name(self.name)
        check_integer(f"bit of {self.name}", self.bit, 0, 63)
        check_integer(f"width of {self.name}", self.width, 1, 64 - self.bit)

    @property
    def mask(self) -> int:
        """Mask of the field within the register."""
        return ((1 << self.width) - 1) << self.bit


@dataclass(frozen=True, kw_only=True)
class Register:
    """A register of 32 bits, or of 64 as two words, the low one first.

    Raises
    ------
    ValueError
        If a field breaks its rule, fields overlap or leave the register, or a value does not fit.
    """

    name: str
    offset: int
    """Byte address in the register file: a multiple of 4, of 8 for 64 bits."""
    access: Access
    fields: tuple[Field, ...] = ()
    """Fields; an empty tuple means that the register is one number."""
    width: int = 32
    description: str
    constant: int | None = None
    """Constant value of a read-only register; None if the hardware drives it."""
    reset: int = 0
    """Value of a read-write register after reset."""

    def __post_init__(self):
        check_name(self.name)
        if self.width not in (32, 64):
            raise ValueError(f"width of {self.name} must be 32 or 64, not {self.width!r}")
        check_integer(f"offset of {self.name}", self.offset, 0, 1 << 20)
        if self.offset % (self.width // 8):
            raise ValueError(
                f"offset of {self.name} must be a multiple of {self.width // 8}, "
                f"not {self.offset:#x}"
            )
        self._check_fields()
        if self.constant is not None and self.access is not Access.RO:
            raise ValueError(f"{self.name} is {self.access.value} and cannot be constant")
        if self.reset and self.access is not Access.RW:
            raise ValueError(f"{self.name} is {self.access.value} and cannot have a reset value")
        if self.width == 64 and self.access in (Access.W1C, Access.PULSE):
            raise ValueError(f"{self.name} is {self.access.value} and must have 32 bits, not 64")
        for what, value in (("constant", self.constant), ("reset", self.reset)):
            if value is not None and value & ~self.mask:
                raise ValueError(f"{what} of {self.name} has bits outside fields: {value:#x}")

    def _check_fields(self) -> None:
        used, names = 0, set()
        for field in self.fields:
            if field.mask >> self.width:
                raise ValueError(f"field {field.name} leaves the {self.width} bits of {self.name}")
            if field.mask & used:
                raise ValueError(f"field {field.name} of {self.name} overlaps another field")
            if field.name in names:
                raise ValueError(f"{self.name} has two fields named {field.name}")
            used, names = used | field.mask, names | {field.name}

    @property
    def mask(self) -> int:
        """Mask of the bits that are in use."""
        if not self.fields:
            return (1 << self.width) - 1
        return sum(field.mask for field in self.fields)

    @property
    def words(self) -> int:
        return self.width // 32

    @property
    def at_reset(self) -> int | None:
        """Value of a read after reset; None if the hardware drives it."""
        if self.access is Access.RO:
            return self.constant
        return self.reset
