"""The recurrent head in torch and in NumPy, and its start."""

import numpy as np
import torch

from tercel.speculation.drafters.hydra import HydraDrafter
from tercel_quant.train_drafter.calibration import calibrate
from tercel_quant.train_drafter.hydra import Hydra


def test_the_start_predicts_the_hidden_states_that_follow(image, data):
    torch.manual_seed(0)
    model = Hydra(image, data, width=64, inner=(8, 8))
    batch = data.batch(seed=0, step=0, size=400)

    def error():
        with torch.no_grad():
            states = model.states(batch.hidden, batch.tokens)
        return (states - batch.following @ model.basis).square().mean((0, 2))

    before = error()
    model.start(batch)
    assert (error() < 0.9 * before).all()


def test_the_drafter_computes_the_trained_states(image, data, tmp_path, write_file):
    torch.manual_seed(0)
    model = Hydra(image, data, width=16, inner=(8, 6))
    batch = data.batch(seed=0, step=0, size=50)
    model.start(batch)
    with torch.no_grad():
        for value in model.parameters():
            value += 0.1 * value.std() * torch.randn_like(value)
        expected = model.states(batch.hidden, batch.tokens)
    drafter = write_file("hydra", HydraDrafter, model, calibrate(model, data))
    for hidden, tokens, states in zip(batch.hidden, batch.tokens, expected, strict=True):
        state = drafter._first(hidden.numpy(), int(tokens[0]))
        scale = float(states.abs().max())
        assert np.allclose(state, states[0], atol=0.05 * scale)
        state = drafter._next(state, int(tokens[1]), 1)
        assert np.allclose(state, states[1], atol=0.1 * scale)
