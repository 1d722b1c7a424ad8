import pytest

from tercel.program import Slices


@pytest.mark.parametrize(
    ("word_bytes", "elements", "full", "half", "sizes"),
    [
        (64, 64, 1, False, [64]),
        (64, 96, 1, True, [64, 32]),
        (64, 80, 1, True, [64, 32]),
        (64, 112, 2, False, [64, 64]),
        (64, 128, 2, False, [64, 64]),
        (64, 16, 0, True, [32]),
        (64, 48, 1, False, [64]),
        (64, 65, 1, True, [64, 32]),
        (64, 1, 0, True, [32]),
        (16, 48, 3, False, [16, 16, 16]),
        (32, 48, 1, True, [32, 16]),
    ],
)
def test_slices_of_a_row(word_bytes, elements, full, half, sizes):
    slices = Slices(word_bytes=word_bytes, elements=elements)
    assert (slices.full, slices.half, slices.count) == (full, half, len(sizes))
    assert slices.sizes() == sizes
    assert sum(sizes) >= elements


@pytest.mark.parametrize(("rows", "words"), [(0, 0), (1, 2), (2, 3), (5, 8), (4096, 6144)])
def test_words_and_starts_of_slices(rows, words):
    slices = Slices(word_bytes=64, elements=96)
    assert slices.words(rows) == words
    assert slices.starts(rows) == [0, rows]
    assert Slices(word_bytes=64, elements=128).words(rows) == 2 * rows
