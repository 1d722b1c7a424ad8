import io

import numpy as np
import pytest

from tercel.config import PRESETS
from tercel.errors import TercelError
from tercel.image import TapeLayout
from tercel.image.segment import segments
from tercel.image.tape_content import TapeContent

LAYOUT = TapeLayout(ports=2, port_bytes=8, tables=4)
SEGMENTS = segments(PRESETS["tiny"], LAYOUT)


def filled(scratch):
    """Random segments, completed in another order than the tape's."""
    content, rng = TapeContent(SEGMENTS, LAYOUT, scratch), np.random.default_rng(0)
    for segment in sorted(SEGMENTS, key=lambda each: each.words):
        content[segment.name][:] = rng.integers(256, size=segment.words * LAYOUT.word_bytes)
        content.complete(segment.name)
    return content


def test_memory_and_disk_hold_the_same_bytes():
    memory, disk = filled(None), filled(io.BytesIO())
    for segment in SEGMENTS:
        for port in range(LAYOUT.ports):
            found = disk.read(segment.name, port)
            assert found.shape == (segment.words * LAYOUT.port_bytes,)
            assert np.array_equal(found, memory.read(segment.name, port))


def test_ports_take_turns_in_a_word():
    content = filled(io.BytesIO())
    words = np.stack([content.read("head", port).reshape(-1, 8) for port in range(2)], axis=1)
    assert np.array_equal(words.reshape(-1), filled(None)["head"])


def test_a_full_disk_is_told():
    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(28, "No space left on device")

    content = TapeContent(SEGMENTS, LAYOUT, Full())
    content["head"][0] = 1
    with pytest.raises(TercelError, match="cannot be kept on the disk of the output: No space"):
        content.complete("head")
