"""Figures of a calibration on heads whose errors are known."""

import pytest
import torch

from tercel_quant.train_drafter.calibration import RANKS, calibrate
from tercel_quant.train_drafter.hydra import Hydra


class Known(Hydra):
    """Heads whose states are the true hidden states with an error of a known size."""

    def __init__(self, *args, error, **sizes):
        super().__init__(*args, **sizes)
        self.error = error
        self.truth = None

    def states(self, hidden, tokens):
        noise = torch.randn(self.truth.shape, generator=torch.Generator().manual_seed(3))
        return self.truth + self.error * noise


@pytest.fixture
def calibrated(image, data):
    def run(error):
        model = Known(image, data, width=64, inner=(4, 4), error=error)
        model.truth = data.held_out(6000).following
        return calibrate(model, data)

    return run


def test_heads_without_an_error_are_trusted(calibrated):
    found = calibrated(0.0)
    assert found.spread.shape == found.coverage.shape == (2, 3)
    assert found.accuracy.shape == (2, 3, RANKS)
    assert (found.accuracy[..., 0] > 0.6 * found.coverage).all()
    assert ((found.accuracy.sum(-1) - 1e-5) <= found.coverage).all()


def test_a_larger_error_gives_a_larger_spread_and_fewer_right_guesses(calibrated):
    small, large = calibrated(0.0), calibrated(1.0)
    assert (large.spread.mean(1) > small.spread.mean(1)).all()
    assert (large.accuracy[..., 0].mean(1) < small.accuracy[..., 0].mean(1)).all()
    assert torch.allclose(large.coverage[0], small.coverage[0])
