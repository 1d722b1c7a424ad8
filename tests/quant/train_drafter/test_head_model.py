"""Base of trained heads: their start from the model's head, and the loss."""

import pytest
import torch

from tercel_quant.reference import head_logits
from tercel_quant.train_drafter.head_model import least_squares
from tercel_quant.train_drafter.hydra import Hydra
from tercel_quant.weights import ImageWeights


def test_full_width_rows_start_as_the_models_head(image, data):
    model = Hydra(image, data, width=64, inner=(8, 8))
    batch = data.batch(seed=0, step=0, size=20)
    weights = ImageWeights(image)
    expected = torch.cat(list(head_logits(weights, batch.hidden)))[:, data.vocabulary.ids]
    assert torch.allclose(model.logits(batch.hidden), expected, atol=1e-3)


def test_narrow_rows_are_the_best_of_their_rank(image, data):
    whole = Hydra(image, data, width=64, inner=(8, 8)).output.detach()
    model = Hydra(image, data, width=16, inner=(8, 8))
    found = model.output.detach() @ model.basis.T
    best = torch.linalg.svdvals(whole)[16:].square().sum()
    assert (found - whole).square().sum() == pytest.approx(float(best), rel=1e-3)


def test_the_loss_is_the_cross_entropy_of_the_rows_that_the_head_has(image, data):
    model = Hydra(image, data, width=16, inner=(8, 8))
    batch = data.batch(seed=0, step=0, size=5)
    with torch.no_grad():
        losses = model.losses(batch)
        logs = model.logits(model.states(batch.hidden, batch.tokens)).log_softmax(-1)
    for level in range(data.levels):
        total = 0.0
        for index in range(5):
            rows, probabilities = batch.rows[index, level], batch.logs[index, level].exp()
            for row, probability in zip(rows.tolist(), probabilities.tolist(), strict=True):
                if row >= 0:
                    total -= probability * float(logs[index, level, row])
        assert float(losses[level]) == pytest.approx(total / 5, rel=1e-4)


def test_least_squares_finds_a_linear_map():
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(20000, 6, generator=generator)
    matrix = torch.randn(6, 3, generator=generator)
    assert torch.allclose(least_squares(inputs, inputs @ matrix), matrix, atol=2e-2)
