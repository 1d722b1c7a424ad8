"""Medusa and blockwise heads in torch and in NumPy, with and without the root."""

import numpy as np
import pytest
import torch

from tercel.speculation.drafters.blockwise import BlockwiseDrafter
from tercel.speculation.drafters.medusa import MedusaDrafter
from tercel_quant.train_drafter.calibration import calibrate
from tercel_quant.train_drafter.parallel_heads import Blockwise, Medusa


def medusa(image, data, sees_root):
    return Medusa(image, data, sees_root=sees_root)


def blockwise(image, data, sees_root):
    return Blockwise(image, data, inner=24, sees_root=sees_root)


KINDS = {"medusa": (medusa, MedusaDrafter), "blockwise": (blockwise, BlockwiseDrafter)}


@pytest.mark.parametrize("sees_root", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_the_drafter_computes_the_trained_states(image, data, write_file, kind, sees_root):
    torch.manual_seed(0)
    make, drafter = KINDS[kind]
    model = make(image, data, sees_root)
    batch = data.batch(seed=0, step=0, size=50)
    model.start(batch)
    with torch.no_grad():
        for value in model.parameters():
            value += 0.05 * torch.randn_like(value)
        expected = model.states(batch.hidden, batch.tokens)
    opened = write_file(kind, drafter, model, calibrate(model, data))
    for hidden, tokens, states in zip(batch.hidden, batch.tokens, expected, strict=True):
        found = [opened._first(hidden.numpy(), int(tokens[0]))]
        found += [opened._next(found[0], 0, depth) for depth in (1, 2)]
        assert np.allclose(np.stack(found), states, atol=0.05 * float(states.abs().max()))


@pytest.mark.parametrize("kind", KINDS)
def test_blind_heads_do_not_depend_on_the_root(image, data, kind):
    model = KINDS[kind][0](image, data, False)
    batch = data.batch(seed=0, step=0, size=5)
    model.start(batch)
    assert torch.equal(
        model.states(batch.hidden, batch.tokens), model.states(batch.hidden, batch.tokens * 0)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_start_predicts_the_hidden_states_that_follow(image, data, kind):
    torch.manual_seed(0)
    model = KINDS[kind][0](image, data, True)
    batch = data.batch(seed=0, step=0, size=400)

    def error():
        with torch.no_grad():
            states = model.states(batch.hidden, batch.tokens)
        return (states - batch.following).square().mean((0, 2))

    before = error()
    model.start(batch)
    assert (error() < 0.95 * before).all()
