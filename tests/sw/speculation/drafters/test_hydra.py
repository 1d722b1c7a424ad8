"""States of the recurrent head against its formula in float64."""

import numpy as np
from head_tensors import hydra_tensors

from tercel.speculation.drafters.hydra import HydraDrafter
from tercel.speculation.drafters.int8_matrix import read_matrix


def cell(tensors, name, image, state, token):
    """``B [s; e] + O silu(A [s; e] + c)``."""
    values, scales = image.rows("embedding", [token])
    embedding = values[0] * scales[0].astype(np.float64)
    inner = len(read_matrix(tensors, f"{name}.output"))
    both = np.concatenate((state, embedding)) @ np.concatenate(
        [read_matrix(tensors, f"{name}.{part}").astype(np.float64) for part in ("state", "token")]
    )
    both = both + tensors[f"{name}.bias"]
    gate = both[:inner] / (1 + np.exp(-both[:inner]))
    return both[inner:] + gate @ read_matrix(tensors, f"{name}.output")


def test_states_follow_the_formula(make_image):
    image = make_image(1)
    tensors = hydra_tensors(image)
    drafter = HydraDrafter(tensors, image)
    hidden = np.random.default_rng(5).normal(0, 1, image.config.hidden_size).astype(np.float32)
    state = drafter._first(hidden, 7)
    expected = cell(tensors, "first", image, hidden, 7)
    assert np.allclose(state, expected, atol=1e-4)
    for depth, token in enumerate((200, 3), 1):
        state = drafter._next(state, token, depth)
        expected = cell(tensors, "next", image, expected, token)
        assert np.allclose(state, expected, atol=1e-4)
