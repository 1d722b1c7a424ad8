"""Scales of a matrix fitted to its trits, in each granularity."""

import pytest
import torch

from tercel_quant.ternarise.rounding import output_error, round_to_trits
from tercel_quant.ternarise.scale_grid import scale_grid

ROWS, COLUMNS = 12, 300
SHAPES = {"tensor": (1, 1), "row": (ROWS, 1), "group": (ROWS, COLUMNS)}


def problem(seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(500, COLUMNS, generator=generator) @ torch.randn(
        COLUMNS, COLUMNS, generator=generator
    )
    weight = torch.randn(ROWS, COLUMNS, generator=generator)
    # Groups and rows of different sizes.
    weight *= torch.linspace(0.3, 2, ROWS)[:, None]
    weight *= torch.tensor([1.0, 0.4, 0.7]).repeat_interleave(128)[:COLUMNS]
    return weight, inputs.T @ inputs / len(inputs)


def fitted(granularity: str, order: torch.Tensor):
    weight, moments = problem()
    weight, moments = weight[:, order], moments[order][:, order]
    own = order.argsort()
    grid = scale_grid(granularity, weight[:, own], order)
    trits = (weight / grid.start()).round().clamp(-1, 1)
    return grid, weight, moments, trits, grid.fit(weight, trits, moments, grid.start())


@pytest.mark.parametrize("granularity", SHAPES)
@pytest.mark.parametrize("seed", [None, 3])
def test_no_other_scales_are_better(granularity, seed):
    """Also with the columns in another order than that of the groups."""
    order = torch.arange(COLUMNS)
    if seed is not None:
        order = torch.randperm(COLUMNS, generator=torch.Generator().manual_seed(seed))
    grid, weight, moments, trits, scales = fitted(granularity, order)
    assert scales.shape == SHAPES[granularity]
    best = grid.errors(weight - scales * trits, moments)
    generator = torch.Generator().manual_seed(1)
    for _ in range(20):
        noise = 1 + 0.1 * torch.randn(grid.ternary(trits, scales).trits.shape, generator=generator)
        if granularity == "group":
            # One factor for each group of a row.
            noise = noise[:, :3][:, order // 128]
        else:
            noise = noise[: scales.shape[0], : scales.shape[1]]
        other = grid.errors(weight - scales * noise * trits, moments)
        assert (other >= best * (1 - 1e-3)).all()


def test_group_scales_are_those_that_the_device_holds():
    order = torch.randperm(COLUMNS, generator=torch.Generator().manual_seed(5))
    grid, _, _, trits, scales = fitted("group", order)
    ternary = grid.ternary(trits, scales)
    assert ternary.multipliers is not None
    assert ternary.multipliers.shape == (ROWS, 3)
    own = order.argsort()
    assert torch.allclose(ternary.dequantise(), (scales * trits)[:, own], rtol=3e-3)


def test_errors_add_up_to_that_of_the_matrix():
    for granularity in SHAPES:
        grid, weight, moments, trits, scales = fitted(granularity, torch.arange(COLUMNS))
        difference = weight - scales * trits
        errors = grid.errors(difference, moments)
        assert errors.shape == (1 if granularity == "tensor" else ROWS, 1)
        assert float(errors.sum()) == pytest.approx(output_error(difference, moments), rel=1e-3)


def test_finer_scales_have_a_smaller_error():
    weight, moments = problem()
    errors = [
        output_error(
            weight - round_to_trits(weight, moments, granularity=each).dequantise(), moments
        )
        for each in SHAPES
    ]
    assert errors[2] < 0.95 * errors[1] < 0.95 * errors[0]


@pytest.mark.parametrize("granularity", ["row", "group"])
def test_rows_and_groups_of_zeros_stay_zero(granularity):
    weight, moments = problem()
    weight[3] = 0
    weight[5, :128] = 0
    ternary = round_to_trits(weight, moments, granularity=granularity)
    assert not ternary.dequantise()[3].any()
    assert torch.isfinite(ternary.dequantise()).all()
    if granularity == "group":
        assert ternary.multipliers is not None
        assert ternary.multipliers[5, 0] == 0
