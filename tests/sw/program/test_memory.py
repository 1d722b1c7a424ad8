import numpy as np
import pytest

from tercel.errors import TercelError
from tercel.program import StripedMemory


@pytest.fixture
def ports():
    return np.arange(3 * 40, dtype=np.uint8).reshape(3, 40)


def test_a_word_is_a_piece_of_each_port(ports):
    memory = StripedMemory(ports, port_bytes=4)
    assert memory.words == 10
    words = memory.read(2, 2)
    assert words.tolist() == [
        [*range(8, 12), *range(48, 52), *range(88, 92)],
        [*range(12, 16), *range(52, 56), *range(92, 96)],
    ]


def test_written_words_are_read_back_and_no_others_change(ports):
    before = ports.copy()
    memory = StripedMemory(ports, port_bytes=4)
    content = np.arange(100, 124, dtype=np.uint8).reshape(2, 12)
    memory.write(5, content)
    assert (memory.read(5, 2) == content).all()
    assert (ports[1, 20:28] == [104, 105, 106, 107, 116, 117, 118, 119]).all()
    changed = np.zeros(40, bool)
    changed[20:28] = True
    assert (ports == before)[:, ~changed].all()


def test_a_port_is_written_as_it_lies(ports):
    before = ports.copy()
    memory = StripedMemory(list(ports), port_bytes=4)
    memory.write_port(1, 3, np.arange(200, 208, dtype=np.uint8))
    assert memory.read(3, 2)[:, 4:8].reshape(-1).tolist() == list(range(200, 208))
    before[1, 12:20] = range(200, 208)
    assert (ports == before).all()
    with pytest.raises(TercelError, match=r"the words 0\.\.9, not 9\.\.10"):
        memory.write_port(1, 9, np.zeros(8, np.uint8))


def test_content_of_another_shape_is_refused(ports):
    memory = StripedMemory(ports, port_bytes=4)
    for content in (np.zeros((2, 8), np.uint8), np.zeros((2, 12), np.int8), np.zeros(12, np.uint8)):
        with pytest.raises(ValueError, match=r"content must be uint8 \[count, 12\], not"):
            memory.write(0, content)


@pytest.mark.parametrize("count", [1, 3])
def test_a_read_is_a_copy(ports, count):
    memory = StripedMemory(ports[:count], port_bytes=8)
    memory.read(0, 1)[:] = 255
    assert ports[0, 0] == 0
    assert memory.read(1, 0).shape == (0, 8 * count)


@pytest.mark.parametrize(("word", "count"), [(9, 1), (0, 10), (10, 0)])
def test_words_up_to_the_end_are_there(ports, word, count):
    memory = StripedMemory(ports, port_bytes=4)
    memory.write(word, np.full((count, 12), 200, np.uint8))
    memory.write_port(2, word, np.full(4 * count, 201, np.uint8))
    assert memory.read(word, count).tolist() == [[200] * 8 + [201] * 4] * count


@pytest.mark.parametrize(("word", "count"), [(-1, 1), (9, 2), (10, 1)])
def test_words_outside_are_refused(ports, word, count):
    memory = StripedMemory(ports, port_bytes=4)
    last = word + count - 1
    with pytest.raises(TercelError, match=rf"the words 0\.\.9, not {word}\.\.{last}"):
        memory.read(word, count)
    with pytest.raises(TercelError, match=rf"the words 0\.\.9, not {word}\.\.{last}"):
        memory.write(word, np.zeros((count, 12), np.uint8))
