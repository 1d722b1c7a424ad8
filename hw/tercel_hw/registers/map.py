"""Register maps, from which hardware, driver and documents are made."""

import dataclasses
import json
from dataclasses import dataclass
from typing import ClassVar

from tercel_hw.registers.register import Access, Field, Register

__all__ = ["RegisterMap"]


@dataclass(frozen=True, kw_only=True)
class RegisterMap:
    """Registers in the order of their offsets.

    Raises
    ------
    ValueError
        If there is no register, two overlap, have the same name or stand out of order.
    """

    WIDE: ClassVar[str] = (
        "A register of 64 bits is two words, the low one first; reading the low word of a "
        "read-only one keeps its high word for the next read of that."
    )
    """Rules of access, a part of every exported description."""

    name: str
    description: str
    registers: tuple[Register, ...]

    def __post_init__(self):
        if not self.registers:
            raise ValueError("a register map must have registers, not none")
        end, before, names = 0, None, set()
        for register in self.registers:
            if register.offset < end:
                raise ValueError(
                    f"{register.name} at {register.offset:#x} overlaps or precedes {before}, "
                    f"which ends at {end:#x}"
                )
            if register.name in names:
                raise ValueError(f"two registers are named {register.name}")
            if register.name == "bus":
                raise ValueError("a register must not be named bus: that is the file's port")
            end, before = register.offset + register.width // 8, register.name
            names.add(register.name)

    @property
    def size(self) -> int:
        """Size in bytes, up to the end of the last register."""
        return self.registers[-1].offset + self.registers[-1].width // 8

    @property
    def address_width(self) -> int:
        """Width of a byte address within the map, in bits."""
        return max(3, (self.size - 1).bit_length())

    def __getitem__(self, name: str) -> Register:
        """Return the register of a name.

        Raises
        ------
        KeyError
            If there is no such register.
        """
        for register in self.registers:
            if register.name == name:
                return register
        raise KeyError(f"{self.name} has no register {name!r}")

    def constants(self) -> dict[str, int]:
        """Return a driver's constants: offsets, and the shift and mask of every field.

        ``STATUS`` is the offset of ``status``, ``STATUS_BUSY_SHIFT`` and ``STATUS_BUSY_MASK`` (in
        place) describe its field ``busy``.
        """
        constants = {}
        for register in self.registers:
            name = register.name.upper()
            constants[name] = register.offset
            for field in register.fields:
                constants[f"{name}_{field.name.upper()}_SHIFT"] = field.bit
                constants[f"{name}_{field.name.upper()}_MASK"] = field.mask
        return constants

    def to_json(self) -> str:
        def plain(value: object) -> object:
            return value.value if isinstance(value, Access) else value

        def fields(pairs: list[tuple[str, object]]) -> dict[str, object]:
            return {name: plain(value) for name, value in pairs}

        return json.dumps(dataclasses.asdict(self, dict_factory=fields), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "RegisterMap":
        """Inverse of :meth:`to_json`."""
        contents = json.loads(text)
        registers = [
            Register(
                **register
                | {
                    "access": Access(register["access"]),
                    "fields": tuple(Field(**field) for field in register["fields"]),
                }
            )
            for register in contents["registers"]
        ]
        return cls(**contents | {"registers": tuple(registers)})
