import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import assume, given, settings

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


@st.composite
def places(draw, port_bytes, ports, words, size):
    """A range of pieces in a memory."""
    count = draw(st.integers(0, 6))
    step = port_bytes * draw(st.integers(-(-size // port_bytes), 2 * ports))
    most = words * ports * port_bytes - size - step * max(count - 1, 0)
    assume(most >= 0)
    start = draw(st.integers(0, most))
    return range(start, start + count * step, step)


@settings(deadline=None)
@given(data=st.data())
def test_pieces_are_read_as_if_memory_were_flat(data):
    port_bytes, count = data.draw(st.sampled_from([(4, 3), (8, 1), (8, 2), (16, 4)]))
    ports = np.random.default_rng(0).integers(0, 256, (count, 20 * port_bytes), np.uint8)
    memory = StripedMemory(ports, port_bytes=port_bytes)
    flat = memory.read(0, 20).reshape(-1)
    size = data.draw(st.integers(1, count * port_bytes))
    where = data.draw(places(port_bytes, count, 20, size))
    expected = np.array([flat[at : at + size] for at in where]).reshape(-1, size)
    assert np.array_equal(memory.read_pieces(where, size), expected)


@pytest.mark.parametrize(("ports", "size"), [(4, 64), (4, 32), (4, 4), (1, 8), (2, 16), (2, 32)])
@pytest.mark.parametrize("count", [1, 3])
def test_pieces_are_copied_as_if_memory_were_flat(ports, size, count):
    content = np.random.default_rng(0).integers(0, 256, (ports, 40 * 16), np.uint8)
    memory = StripedMemory(content, port_bytes=16)
    flat, stride = memory.read(0, 40).reshape(-1), 11 * ports * 16
    moves = [(32 + source * size, 32 + target * size) for source, target in ((2, 1), (4, 2))]
    if size > 16:
        moves = [(source - 32, target - 32) for source, target in moves]
    for source, target in moves:
        for at in range(0, count * stride, stride):
            flat[target + at : target + at + size] = flat[source + at : source + at + size]
    memory.copy_pieces(moves, size, count=count, stride=stride)
    assert np.array_equal(memory.read(0, 40).reshape(-1), flat)
    with pytest.raises(TercelError, match=r"the words 0\.\.39, not"):
        memory.copy_pieces(moves, size, count=9, stride=stride)
    with pytest.raises(ValueError, match="stride must be a multiple of"):
        memory.copy_pieces(moves, size, count=2, stride=stride + 1)


def test_pieces_anywhere_are_read(ports):
    memory = StripedMemory(ports, port_bytes=4)
    flat = memory.read(0, 10).reshape(-1)
    at = np.array([116, 0, 4, 4, 50])
    assert np.array_equal(memory.read_at(at, 2), flat[at[:, None] + [0, 1]])
    assert memory.read_at(at[:0], 2).shape == (0, 2)


def test_pieces_outside_are_refused(ports):
    memory = StripedMemory(ports, port_bytes=4)
    for starts in (range(-12, 20, 12), range(0, 121, 12)):
        with pytest.raises(TercelError, match=r"the words 0\.\.9, not"):
            memory.read_pieces(starts, 4)
        with pytest.raises(TercelError, match=r"the words 0\.\.9, not"):
            memory.read_at(np.array(starts), 4)
