"""The memory that an overlay's ports reach."""

from collections.abc import Mapping, Sequence
from typing import Any

from tercel.errors import TercelError

__all__ = ["check_segments"]


def check_segments(bases: Sequence[int], size: int, segments: Sequence[Mapping[str, Any]]) -> None:
    """Check that every port's memory lies in one of the segments of its address map.

    Parameters
    ----------
    bases
        First address of each port's memory.
    size
        Its bytes.
    segments
        ``base`` and ``bytes`` of each; empty is unknown.

    Raises
    ------
    TercelError
        If it does not.
    """
    for port, base in enumerate(bases):
        if segments and not any(
            segment["base"] <= base and base + size <= segment["base"] + segment["bytes"]
            for segment in segments
        ):
            known = ", ".join(
                f"{segment['base']:#x}..{segment['base'] + segment['bytes'] - 1:#x}"
                for segment in segments
            )
            raise TercelError(
                f"the memory of port {port}, {base:#x}..{base + size - 1:#x}, is out of the "
                f"overlay's reach ({known}); reserve it within, or build the overlay with more "
                "segments"
            )
