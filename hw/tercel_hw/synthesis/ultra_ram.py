"""The UltraRAM blocks that the vendor's tool takes for a memory."""

import math
import re

__all__ = ["BLOCK_BITS", "BLOCK_WORDS", "packed_blocks", "ultra_blocks"]

BLOCK_BITS, BLOCK_WORDS = 72, 4096
"""Shape of a block, which is the only one."""
MEMORY = re.compile(
    r'^  attribute \\ram_style "ultra"\n  memory width (\d+) size (\d+) ', re.MULTILINE
)


def packed_blocks(width: int, words: int) -> int:
    """Return the blocks of a memory: whole columns of 72 bits by whole banks of 4096 words.

    Yosys puts the last bits of several banks into one block, the vendor's tool does not.
    """
    return math.ceil(width / BLOCK_BITS) * math.ceil(words / BLOCK_WORDS)


def ultra_blocks(rtlil: str) -> int:
    """Return the blocks of all memories of an RTLIL text that are to be UltraRAM."""
    return sum(packed_blocks(int(width), int(words)) for width, words in MEMORY.findall(rtlil))
