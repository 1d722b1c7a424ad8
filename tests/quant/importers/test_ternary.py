"""Float matrices that are ternary already are recognised, with the granularity of their scales."""

import pytest
import torch

from tercel_quant.importers import GroupedTernary, Ternary
from tercel_quant.importers.granularity import regroup
from tercel_quant.importers.ternary import recognise

ROWS, COLUMNS = 96, 768


def trits(rows=ROWS, columns=COLUMNS):
    generator = torch.Generator().manual_seed(7)
    return torch.randint(-1, 2, (rows, columns), generator=generator)


def spread(rows, columns):
    """Distinct scales of a grid, within 10 % of each other."""
    return (1 + 0.1 * torch.rand(rows, columns, generator=torch.Generator().manual_seed(8))) / 30


@pytest.mark.parametrize(
    ("grid", "granularity"),
    [
        ((ROWS, 1), "one scale per row"),
        ((6, 1), "one scale per shard of 16 rows"),
        ((1, 2), "one scale per shard of 384 columns"),
        ((ROWS, 3), "one scale per group of 256 columns"),
        ((ROWS, 6), "one scale per group of 128 columns"),
        ((ROWS, 12), "one scale per group of 64 columns"),
        ((4, 3), "one scale per block of 24 x 256"),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_granularity_is_found_exactly(grid, granularity, dtype):
    scales = spread(*grid)
    if dtype != torch.float32:
        # Few values are left, so that blocks must be told apart by less.
        scales = scales + torch.arange(scales.numel()).view(grid) / 8
    full = scales.repeat_interleave(ROWS // grid[0], 0).repeat_interleave(COLUMNS // grid[1], 1)
    weight = (trits() * full).to(dtype).float()
    found = recognise(weight)
    assert isinstance(found, GroupedTernary)
    assert found.granularity == granularity
    assert torch.equal(found.trits, trits().char())
    assert torch.equal(found.dequantise(), weight)
    assert found.scales.shape == grid


def test_one_scale_is_one():
    found = recognise(trits() * 0.3)
    assert isinstance(found, Ternary)
    assert found.scale == pytest.approx(0.3)
    assert torch.equal(found.dequantise(), trits() * 0.3)


def test_zeros_fit_every_scale():
    weight = trits() * 0.25
    weight[3] = 0
    weight[10:20, 64:128] = 0
    assert isinstance(recognise(weight), Ternary)
    zeros = recognise(torch.zeros(4, 32))
    assert isinstance(zeros, Ternary)
    assert zeros.scale == 0


@pytest.mark.parametrize("columns", [768, 100, 31])
def test_other_matrices_are_not(columns):
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(ROWS, columns, generator=generator)
    assert recognise(weight) is None
    nearly = trits(columns=columns) * 0.25
    nearly[-1, -1] = 0.125
    nearly[-1, -2] = 0.25
    assert recognise(nearly) is None


def test_rows_of_odd_length_have_a_scale_each_at_most():
    weight = trits(8, 31) * spread(8, 1)
    found = recognise(weight)
    assert isinstance(found, GroupedTernary)
    assert found.granularity == "one scale per row"


def test_one_scale_has_the_least_error():
    found = recognise(trits() * spread(ROWS, 6).repeat_interleave(128, 1))
    assert isinstance(found, GroupedTernary)
    reduced = regroup(found, "tensor")
    weight, one = found.dequantise().double(), reduced.ternary
    assert torch.equal(one.trits, found.trits)
    assert not reduced.exact

    def error(scale):
        return float((weight - found.trits * scale).norm() / weight.norm())

    assert reduced.loss == pytest.approx(error(one.scale), rel=1e-6)
    assert reduced.loss < min(error(one.scale * 0.999), error(one.scale * 1.001))
    assert 0.01 < reduced.loss < 0.05
    # The mean over all weights, which is for masters, is no scale of trits.
    assert error(float(weight.abs().mean())) > 0.3
