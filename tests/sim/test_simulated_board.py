import numpy as np
import pytest


def random_words(count, word_bytes=16, seed=5):
    return np.random.default_rng(seed).integers(0, 256, (count, word_bytes), np.uint8)


def test_memory_is_read_as_written_and_striped(boards):
    board = boards(words=100)
    words = random_words(7)
    board.write(93, words)
    assert np.array_equal(board.read(93, 7), words)
    assert not board.read(0, 93).any()
    assert (board.ports, board.port_bytes, board.word_bytes, board.words) == (2, 8, 16, 100)


@pytest.mark.parametrize("options", [{}, {"pause": 0.4, "seed": 3}], ids=["ideal", "pauses"])
def test_a_copy(copier, options):
    driver = copier(**options)
    words = random_words(300)
    driver.board.write(50, words)
    driver.run("copy", 300, source=50, target=1001)
    assert np.array_equal(driver.board.read(1001, 300), words)
    assert driver.get("errors") == 0
