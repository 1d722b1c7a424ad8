"""Perplexity on held-out text."""

import math

import pytest
import torch

from tercel.config import PRESETS
from tercel_quant.model import Transformer
from tercel_quant.perplexity import Perplexity, measure_perplexity


def test_equals_the_mean_over_all_windows():
    model = Transformer(PRESETS["tiny"])
    model.initialise(seed=0)
    windows = torch.randint(96, (5, 9), generator=torch.Generator().manual_seed(0))
    found = measure_perplexity(model, windows, batch_size=2)
    logits = model.reference_logits(windows[:, :-1]).log_softmax(-1)
    expected = -logits.gather(-1, windows[:, 1:, None]).mean().item()
    assert found.tokens == 40
    assert found.loss == pytest.approx(expected, rel=1e-5)
    assert found.perplexity == pytest.approx(math.exp(expected), rel=1e-5)


def test_bits_per_byte():
    assert Perplexity(tokens=1, loss=2 * math.log(2)).bits_per_byte(4) == pytest.approx(0.5)
