"""The identity of an accelerator and the reach of its ports."""

from collections.abc import Sequence

from tercel.device.board import Board
from tercel.device.registers import IDENTITY, MAJOR, REGISTERS
from tercel.errors import TercelError
from tercel.program import AcceleratorSpec

__all__ = ["check_bases", "check_identity"]


def check_identity(board: Board, spec: AcceleratorSpec) -> None:
    """Compare the accelerator's identification registers with its description.

    Raises
    ------
    TercelError
        If there is no accelerator, or another one.
    """
    found = board.read_register(REGISTERS["ID"])
    if found != IDENTITY:
        raise TercelError(
            f"the register id must be {IDENTITY:#x}, but is {found:#x}: "
            "there is no tercel accelerator; load its bitstream first"
        )
    major = board.read_register(REGISTERS["VERSION"]) >> REGISTERS["VERSION_MAJOR_SHIFT"]
    if major != MAJOR:
        raise TercelError(
            f"the accelerator's version must be {MAJOR}.x, but is {major}.x; "
            "use the tercel that it was built with"
        )
    for name, expected in (("CAPS", spec.caps), ("SHAPE", spec.shape)):
        if (found := board.read_register(REGISTERS[name])) != expected:
            raise TercelError(
                f"the register {name.lower()} must be {expected:#010x}, but is {found:#010x}: "
                "the accelerator was not built as its description says; "
                "take the one that came with it"
            )


def check_bases(bases: Sequence[int], words: int, spec: AcceleratorSpec) -> None:
    """Check that the address bits of the ports reach the end of the memory.

    Raises
    ------
    TercelError
        If they do not.
    """
    size, most = words * spec.layout.port_bytes, 1 << spec.address_width
    for port, base in enumerate(bases):
        if base + size > most:
            raise TercelError(
                f"the memory of port {port} must end at {most:#x}, which the accelerator's "
                f"{spec.address_width} address bits allow, but ends at {base + size:#x}; "
                "put it lower or build an accelerator with more address bits"
            )
