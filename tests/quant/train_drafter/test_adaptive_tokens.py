"""Tuning of adaptive tokens, and the way of a tuned model to its device."""

import dataclasses

import pytest
import torch

from tercel.config import PRESETS
from tercel.errors import TercelError
from tercel_quant.model import Transformer
from tercel_quant.train_drafter.adaptive_tokens import AdaptiveTokenConfig, AdaptiveTokenTrainer

SHAPE = dataclasses.replace(PRESETS["tiny"], vocab_size=16, tied_head=True)
PERIOD = [1, 5, 2, 7, 3, 9, 4, 8]
CONFIG = AdaptiveTokenConfig(steps=150, batch=8, learning_rate=1e-2)


def make_model():
    model = Transformer(SHAPE)
    model.initialise(1)
    return model


def make_trainer(model=None, config=CONFIG, text=PERIOD * 12, length=24):
    model = make_model() if model is None else model
    return AdaptiveTokenTrainer(model, config, torch.tensor(text), length=length)


def test_losses_are_those_of_the_tokens_behind_the_place():
    model = make_model()
    window = torch.tensor([PERIOD * 2])
    ordinary, guesses = make_trainer(model).losses(window, 4)
    tokens = torch.tensor([[*(PERIOD * 2)[:5], 13, 14, 15]])
    logs = model(tokens).log_softmax(-1)[0]
    right = [-logs[i, window[0, i + 1]] for i in range(5)]
    torch.testing.assert_close(ordinary, torch.stack(right).mean())
    for i in range(3):  # the token at 5 is left to the text; adaptive token i guesses that at 6 + i
        torch.testing.assert_close(guesses[i], -logs[5 + i, window[0, 6 + i]])


def test_adaptive_tokens_learn_what_follows_and_the_text_is_kept():
    trainer = make_trainer()
    losses = [trainer.advance() for _ in range(CONFIG.steps)]
    late = torch.tensor(losses[-10:]).mean(0)
    assert min(losses[0]) > 2
    assert late[1:].max() < 0.5
    assert late[0] < 1
    assert trainer.rows.shape == (3, SHAPE.hidden_size)


@pytest.mark.parametrize(
    ("text", "length", "message"),
    [
        ([1, 13] * 20, 24, "ids from 13 on are adaptive tokens"),
        (PERIOD, 24, "windows have 6 to 8 tokens, not 24"),
        (PERIOD * 12, 5, "windows have 6 to 64 tokens, not 5"),
    ],
)
def test_bad_texts_are_refused(text, length, message):
    with pytest.raises(TercelError, match=message):
        make_trainer(text=text, length=length)


@pytest.mark.parametrize(
    "fields", [{"tokens": 0}, {"batch": 0}, {"learning_rate": 0.0}, {"decay": 0.0}]
)
def test_bad_parameters_are_refused(fields):
    with pytest.raises(TercelError, match="must be"):
        AdaptiveTokenConfig(**fields)
