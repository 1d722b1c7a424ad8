"""Rounding of matrices to int8 rows."""

import numpy as np
import pytest

from tercel.errors import TercelError
from tercel.speculation.drafters.int8_matrix import read_array, read_matrix, write_matrix


def test_rows_are_rounded_to_127_steps_of_their_largest_magnitude():
    matrix = np.array([[0.5, -1.0, 0.25], [0.0, 0.0, 0.0], [200.0, 100.0, -1.0]])
    tensors = write_matrix("m", matrix)
    assert tensors["m"].dtype == np.int8
    assert tensors["m"].tolist() == [[64, -127, 32], [0, 0, 0], [127, 64, -1]]
    found = read_matrix(tensors, "m")
    assert found.dtype == np.float32
    largest = np.abs(matrix).max(1, keepdims=True)
    assert (np.abs(found - matrix) <= largest / 254 * 1.0001).all()


@pytest.mark.parametrize("missing", ["m", "m.scale"])
def test_a_missing_array_is_named(missing):
    tensors = write_matrix("m", np.ones((2, 2)))
    del tensors[missing]
    with pytest.raises(TercelError, match=f"no array '{missing}'"):
        read_matrix(tensors, "m")


def test_arrays_are_copies():
    tensors = {"a": np.zeros(3)}
    read_array(tensors, "a")[0] = 1
    assert tensors["a"][0] == 0
