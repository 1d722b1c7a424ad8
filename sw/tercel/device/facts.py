"""Facts about a device that its figures depend on, and the clock that times its passes."""

import enum
from dataclasses import dataclass, fields
from typing import Any

__all__ = ["DeviceFacts", "Fact", "Timing"]


class Timing(enum.Enum):
    """The clock that the time of a pass comes from; the value is the evidence class."""

    HOST = "measured in software"
    """The host computes the pass: its clock is the only one."""
    SIMULATED = "cycle-accurate simulation"
    """The accelerator is simulated: its cycles, at a clock rate that is given."""
    BOARD = "measured on a board"
    """The accelerator is hardware: its cycles, and the host's clock around them."""


@dataclass(frozen=True, kw_only=True)
class Fact:
    """A value and its source, or ``None`` and the reason why there is no value."""

    value: str | int | float | bool | None
    note: str

    def to_dict(self) -> dict[str, Any]:
        """The object of a record: ``value`` with ``source``, or null with ``reason``."""
        return {"value": self.value, "reason" if self.value is None else "source": self.note}


UNTOLD = Fact(value=None, note="the device does not tell it")


@dataclass(frozen=True, kw_only=True)
class DeviceFacts:
    """Facts about an opened device; those that it does not give have a reason."""

    timing: Timing
    hardware: Fact = UNTOLD
    """Name of the board, or of what stands for it."""
    accelerator: Fact = UNTOLD
    """The accelerator's parameters in one line."""
    overlay_sha256: Fact = UNTOLD
    """SHA-256 of the bitstream that is loaded."""
    clock_hz: Fact = UNTOLD
    """Frequency of the accelerator's clock in Hz."""
    memory_peak: Fact = UNTOLD
    """Most bytes a second that the memory can move."""
    memory_rate: Fact = UNTOLD
    """Bytes a second that a bandwidth program on the device moved."""
    selftest: Fact = UNTOLD
    """True if the recorded passes of the self-test were equal bit for bit."""

    def to_dict(self) -> dict[str, Any]:
        """Every fact by name, with its source or reason."""
        facts = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            "timing": facts.pop("timing").value,
            **{name: fact.to_dict() for name, fact in facts.items()},
        }
