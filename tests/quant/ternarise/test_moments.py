import torch

from tercel_quant.ternarise.moments import Moments

GENERATOR = torch.Generator().manual_seed(0)
ORIGINAL = torch.randn(4, 100, 12, generator=GENERATOR)
DAMAGED = ORIGINAL * 0.7 + 0.3 * torch.randn(4, 100, 12, generator=GENERATOR)
WEIGHT = torch.randn(6, 12, generator=GENERATOR)


def moments():
    sums = Moments(12)
    for quantised, original in zip(DAMAGED.split(1), ORIGINAL.split(1), strict=True):
        sums.add(quantised, original)
    return sums


def test_sums_run_over_all_tokens():
    x, y = DAMAGED.flatten(0, 1), ORIGINAL.flatten(0, 1)
    torch.testing.assert_close(moments().seen, x.T @ x, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(moments().crossed, y.T @ x, rtol=1e-4, atol=1e-3)


def test_compensated_weights_are_those_of_least_squares():
    ours = moments().compensated(WEIGHT, strength=1, damping=1e-9)
    x, y = DAMAGED.flatten(0, 1), ORIGINAL.flatten(0, 1) @ WEIGHT.T
    torch.testing.assert_close(ours, torch.linalg.lstsq(x, y).solution.T, rtol=1e-3, atol=1e-3)


def test_strength_leads_from_the_weights_to_the_solution():
    whole = moments().compensated(WEIGHT, strength=1, damping=0.01)
    half = moments().compensated(WEIGHT, strength=0.5, damping=0.01)
    assert torch.equal(moments().compensated(WEIGHT, strength=0, damping=0.01), WEIGHT)
    torch.testing.assert_close(half, (WEIGHT + whole) / 2)


def test_much_damping_keeps_the_weights():
    near = moments().compensated(WEIGHT, strength=1, damping=1e6)
    torch.testing.assert_close(near, WEIGHT, rtol=1e-4, atol=1e-4)


def test_undamaged_inputs_keep_the_weights():
    sums = Moments(12)
    sums.add(ORIGINAL, ORIGINAL)
    torch.testing.assert_close(sums.compensated(WEIGHT, strength=1, damping=0.01), WEIGHT)


def test_no_inputs_keep_the_weights():
    assert torch.equal(Moments(12).compensated(WEIGHT, strength=1, damping=0.01), WEIGHT)
