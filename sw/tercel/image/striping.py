"""The interleave of words over memory ports.

Port p holds bytes ``[p * port_bytes, (p + 1) * port_bytes)`` of every word, word after word.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["deinterleave", "interleave", "split_words"]

Bytes = npt.NDArray[np.uint8]


def split_words(ports: Bytes | Sequence[Bytes], port_bytes: int) -> list[Bytes]:
    """Views of each port's bytes, uint8 ``[words, port_bytes]``."""
    return [port.reshape(-1, port_bytes) for port in ports]


def interleave(ports: Sequence[Bytes]) -> Bytes:
    """Words ``[count, ports * port_bytes]``, copied from the ports' ``[count, port_bytes]``."""
    return np.concatenate(ports, axis=-1)


def deinterleave(words: Bytes, ports: int) -> list[Bytes]:
    """Views of each port's part, ``[count, port_bytes]``, of words ``[count, word bytes]``."""
    width, rest = divmod(words.shape[-1], ports)
    if rest:
        raise ValueError(f"words of {words.shape[-1]} bytes cannot be split over {ports} ports")
    return [words[..., first : first + width] for first in range(0, ports * width, width)]
