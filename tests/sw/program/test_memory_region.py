import numpy as np
import pytest

from tercel.errors import TercelError
from tercel.image import TapeLayout
from tercel.program import MemoryRegion, StripedMemory

LAYOUT = TapeLayout(ports=2, port_bytes=8)
FIRST, WORDS = 5, 9


@pytest.fixture
def whole():
    ports = np.random.default_rng(0).integers(0, 256, (2, 160), np.uint8)
    return StripedMemory(ports, port_bytes=8)


@pytest.fixture
def region(whole):
    return MemoryRegion(whole, LAYOUT, first_word=FIRST, words=WORDS)


def test_a_region_is_the_words_from_its_first_on(whole, region):
    assert region.words == WORDS
    flat = whole.read(FIRST, WORDS).reshape(-1)
    assert np.array_equal(region.read(2, 3).reshape(-1), flat[32:80])
    assert np.array_equal(region.read_pieces(range(4, 100, 32), 4)[:, 0], flat[4:100:32])
    assert region.read_pieces(range(4, 4, 32), 4).shape == (0, 4)
    assert region.read_at(np.array([140, 3]), 4).tolist() == [
        flat[140:].tolist(),
        flat[3:7].tolist(),
    ]
    before, after = whole.read(0, FIRST), whole.read(FIRST + WORDS, 20 - FIRST - WORDS)
    region.write(0, np.full((2, 16), 7, np.uint8))
    region.write_port(1, 8, np.full(8, 9, np.uint8))
    region.copy_pieces([(128, 32)], 16, count=1, stride=16)
    assert (whole.read(FIRST, 2) == 7).all()
    assert (whole.read(FIRST + 8, 1)[0, 8:] == 9).all()
    assert np.array_equal(whole.read(FIRST + 2, 1), whole.read(FIRST + 8, 1))
    assert np.array_equal(whole.read(0, FIRST), before)
    assert np.array_equal(whole.read(FIRST + WORDS, 20 - FIRST - WORDS), after)


def test_words_of_others_are_refused(region):
    for use in (
        lambda: region.read(8, 2),
        lambda: region.read(-1, 1),
        lambda: region.write(9, np.zeros((1, 16), np.uint8)),
        lambda: region.write_port(0, 8, np.zeros(16, np.uint8)),
        lambda: region.read_pieces(range(0, 160, 16), 8),
        lambda: region.read_at(np.array([144]), 4),
        lambda: region.copy_pieces([(16, 0)], 16, count=9, stride=16),
        lambda: region.copy_pieces([(16, -16)], 16, count=1, stride=16),
    ):
        with pytest.raises(TercelError, match=r"the region has the words 0\.\.8, not"):
            use()
