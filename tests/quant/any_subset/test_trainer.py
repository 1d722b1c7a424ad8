import math

import pytest
import torch

from tercel.errors import TercelError
from tercel_quant.any_subset import (
    AnySubsetConfig,
    AnySubsetModel,
    AnySubsetTraining,
    train_any_subset,
)

CONFIG = AnySubsetConfig(vocab_size=4, length=6, width=16, layers=1, heads=2)


def make_model():
    model = AnySubsetModel(CONFIG)
    model.initialise(seed=1)
    return model


def losses_of(text, **training):
    found = []
    train_any_subset(
        make_model(),
        torch.tensor(text),
        AnySubsetTraining(**training),
        report=lambda step, loss: found.append(loss),
    )
    return found


def test_a_model_learns_to_fill_a_text_in_any_order():
    losses = losses_of([0, 1, 2, 3] * 20, steps=120, batch=16, learning_rate=1e-2)
    # The first token of an order is one of four; every other one follows from it.
    assert losses[0] > 1.2
    assert math.log(4) / 6 < losses[-1] < 2 * math.log(4) / 6


def test_the_seed_gives_the_training():
    text = [0, 1, 1, 2, 0, 3, 1] * 5
    assert losses_of(text, steps=3) == losses_of(text, steps=3) != losses_of(text, steps=3, seed=2)


def test_a_text_is_as_long_as_a_window():
    with pytest.raises(TercelError, match="has 5 tokens, fewer than a window of 6"):
        train_any_subset(make_model(), torch.zeros(5, dtype=torch.int64), AnySubsetTraining())


def test_a_loss_that_is_not_finite_ends_the_training():
    model = make_model()
    with torch.no_grad():
        model.norm.weight.fill_(math.nan)
    with pytest.raises(TercelError, match="the loss of step 0 is not finite"):
        train_any_subset(model, torch.zeros(9, dtype=torch.int64), AnySubsetTraining(steps=1))


@pytest.mark.parametrize("fields", [{"steps": 0}, {"batch": 0}, {"learning_rate": 0}])
def test_bad_parameters_are_refused(fields):
    with pytest.raises(TercelError, match="must be"):
        AnySubsetTraining(**fields)
