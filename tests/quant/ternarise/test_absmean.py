import pytest
import torch

from tercel_quant.ternarise import absmean

WEIGHT = torch.randn(30, 40, generator=torch.Generator().manual_seed(0))


def test_scale_is_the_mean_magnitude():
    ternary = absmean(WEIGHT)
    assert ternary.scale == pytest.approx(float(WEIGHT.abs().mean()))
    assert ternary.trits.dtype == torch.int8
    expected = (WEIGHT / ternary.scale).round().clamp(-1, 1)
    assert torch.equal(ternary.trits.float(), expected)


def test_given_weights_are_not_changed():
    before = WEIGHT.clone()
    absmean(WEIGHT)
    assert torch.equal(WEIGHT, before)


def test_zeros_have_scale_zero():
    ternary = absmean(torch.zeros(4, 8))
    assert ternary.scale == 0
    assert not ternary.trits.any()


def test_tiny_weights_meet_the_floor_of_the_rule():
    ternary = absmean(torch.full((2, 2), 1e-7))
    assert ternary.scale == 1e-5
    assert not ternary.trits.any()
