import itertools
import re

import pytest
import torch

from tercel.errors import TercelError
from tercel_quant.ternarise import RoundingConfig, absmean
from tercel_quant.ternarise.rounding import output_error, round_to_trits


def inputs(columns: int, seed: int = 0) -> torch.Tensor:
    """Correlated inputs of very different sizes."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(columns, columns, generator=generator)
    return torch.randn(1000, columns, generator=generator) @ mixing * torch.rand(columns) ** 2


def problem(rows: int = 48, columns: int = 96) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    x = inputs(columns)
    return torch.randn(rows, columns), x.T @ x / len(x)


def relative_error(weight, ternary, moments):
    return output_error(weight - ternary.dequantise(), moments) / output_error(weight, moments)


def test_output_error_is_that_of_the_product():
    x, difference = inputs(20), torch.randn(7, 20)
    assert output_error(difference, x.T @ x) == pytest.approx(
        float((x @ difference.T).square().sum()), rel=1e-4
    )


def test_far_better_than_absmean():
    weight, moments = problem()
    ours = relative_error(weight, round_to_trits(weight, moments), moments)
    assert ours < 0.5 * relative_error(weight, absmean(weight), moments)


def test_error_feedback_beats_rounding_alone_and_sweeps_improve_it():
    weight, moments = problem()
    alone = round_to_trits(weight, moments.diagonal().diag(), RoundingConfig(sweeps=0))
    errors = [relative_error(weight, alone, moments)] + [
        relative_error(weight, round_to_trits(weight, moments, RoundingConfig(sweeps=n)), moments)
        for n in (0, 1, 4)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[1] < 0.8 * errors[0]
    assert errors[3] < 0.9 * errors[1]


def test_small_problem_is_solved_nearly_as_well_as_by_trying_all():
    torch.manual_seed(4)
    x = inputs(5)
    weight, moments = torch.randn(1, 5), x.T @ x
    best = float("inf")
    for trits in itertools.product((-1.0, 0.0, 1.0), repeat=5):
        row = torch.tensor([trits])
        norm = output_error(row, moments)
        scale = max(float((row @ moments * weight).sum()) / norm, 0) if norm else 0
        best = min(best, output_error(weight - scale * row, moments))
    config = RoundingConfig(damping=1e-6, scales=tuple(0.5 + 0.1 * i for i in range(15)))
    found = round_to_trits(weight, moments, config)
    assert output_error(weight - found.dequantise(), moments) <= 1.2 * best + 1e-6


@pytest.mark.parametrize("columns", [1, 63, 64, 65, 130])
def test_widths_around_the_block(columns):
    torch.manual_seed(2)
    weight = torch.randn(9, columns)
    ternary = round_to_trits(weight, torch.eye(columns))
    assert ternary.trits.shape == weight.shape
    assert ternary.trits.dtype == torch.int8
    assert (ternary.trits.float() * weight >= 0).all()
    assert ternary.scale > 0


def test_ternary_weights_are_found_again():
    torch.manual_seed(3)
    trits = torch.randint(-1, 2, (16, 40)).float()
    _, moments = problem(columns=40)
    ternary = round_to_trits(0.3 * trits, moments, RoundingConfig(scales=(1.5,)))
    assert torch.equal(ternary.trits.float(), trits)
    assert ternary.scale == pytest.approx(0.3, rel=1e-3)


def test_dead_inputs_get_no_weight():
    weight, moments = problem()
    moments[5], moments[:, 5] = 0, 0
    ternary = round_to_trits(weight, moments)
    assert not ternary.trits[:, 5].any()
    assert ternary.trits[:, 4].any()


@pytest.mark.parametrize("dead", ["weight", "moments"])
def test_all_zeros_give_zeros(dead):
    weight, moments = problem()
    (weight if dead == "weight" else moments).zero_()
    ternary = round_to_trits(weight, moments)
    assert ternary.scale == 0
    assert not ternary.trits.any()


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"damping": 0}, "damping must be positive, not 0"),
        ({"scales": ()}, "scales must be positive numbers, not ()"),
        ({"scales": (1.0, -1.0)}, "scales must be positive numbers, not (1.0, -1.0)"),
        ({"sweeps": -1}, "sweeps must not be negative, not -1"),
    ],
)
def test_config_refused(fields, rule):
    with pytest.raises(TercelError, match=re.escape(rule)):
        RoundingConfig(**fields)
