import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tercel.image.striping import deinterleave, interleave, split_words


@given(st.integers(1, 5), st.sampled_from([4, 8, 16]), st.integers(0, 7))
def test_bytes_of_words_lie_on_their_ports(ports, port_bytes, count):
    memory = np.arange(ports * count * port_bytes, dtype=np.uint16).astype(np.uint8)
    regions = split_words(memory.reshape(ports, -1), port_bytes)
    words = interleave(regions)
    assert words.shape == (count, ports * port_bytes)
    for word in range(count):
        for byte in range(ports * port_bytes):
            port, rest = divmod(byte, port_bytes)
            assert words[word, byte] == memory[(port * count + word) * port_bytes + rest]
    for region, part in zip(regions, deinterleave(words, ports), strict=True):
        assert np.array_equal(region, part)


def test_the_parts_are_views():
    memory = np.zeros((2, 16), np.uint8)
    split_words(memory, 4)[1][2] = 7
    assert memory[1, 8:12].tolist() == [7] * 4
    words = np.zeros((3, 8), np.uint8)
    deinterleave(words, 2)[1][:] = 5
    assert words[:, 4:].all()
    assert not words[:, :4].any()


def test_words_of_more_axes_lie_on_their_ports():
    ports = [np.full((2, 3, 4), port, np.uint8) for port in range(2)]
    assert interleave(ports).tolist() == [[[0] * 4 + [1] * 4] * 3] * 2


def test_words_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="words of 8 bytes cannot be split over 3 ports"):
        deinterleave(np.zeros((3, 8), np.uint8), 3)
