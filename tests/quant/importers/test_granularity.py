"""Ternary matrices in the granularities of the device."""

import pytest
import torch

from tercel_quant.group_scales import GROUP, spread
from tercel_quant.importers import GroupedTernary, Ternary
from tercel_quant.importers.granularity import exact_granularity, refusal, regroup
from tercel_quant.importers.ternary import recognise

ROWS, COLUMNS = 24, 768


def matrix(rows: int, columns: int, dtype=torch.float16) -> Ternary | GroupedTernary:
    """A matrix with a scale for each block of ``rows x columns``, of very different sizes."""
    generator = torch.Generator().manual_seed(rows * columns)
    trits = torch.randint(-1, 2, (ROWS, COLUMNS), generator=generator)
    shape = (ROWS // rows, COLUMNS // columns)
    scales = (0.01 * 8 ** -torch.rand(shape, generator=generator)).to(dtype).float()
    full = scales.repeat_interleave(rows, 0).repeat_interleave(columns, 1)
    found = recognise(trits * full)
    assert found is not None
    return found


BLOCKS = [
    (ROWS, COLUMNS, "tensor"),
    (1, COLUMNS, "row"),
    (8, COLUMNS, "row"),
    (1, 128, "group"),
    (1, 384, "group"),
    (12, 256, "group"),
    (ROWS, 128, "group"),
    (1, 64, None),
    (1, 192, None),
]


@pytest.mark.parametrize(("rows", "columns", "granularity"), BLOCKS)
def test_the_coarsest_exact_granularity_is_found(rows, columns, granularity):
    assert exact_granularity(matrix(rows, columns)) == granularity


def test_narrow_groups_fit_where_neighbours_have_one_scale():
    """A last group of 64 columns makes all look like groups of 64."""
    trits = torch.ones(4, 192)
    found = recognise(trits * torch.tensor([1.0, 1.0, 2.0]).repeat_interleave(64))
    assert isinstance(found, GroupedTernary)
    assert found.granularity == "one scale per shard of 64 columns"
    assert exact_granularity(found) == "group"
    again = regroup(found, "group").ternary
    assert torch.allclose(again.dequantise(), found.dequantise(), rtol=2e-3)


@pytest.mark.parametrize(("rows", "columns", "granularity"), BLOCKS[:7])
def test_regrouped_weights_are_the_same(rows, columns, granularity):
    weight = matrix(rows, columns)
    found = regroup(weight, granularity)
    assert found.exact
    assert found.loss == 0
    if granularity == "group":
        # Every scale is at least an eighth of its row's largest.
        assert 0 < found.rounding.max() < 2e-3
        assert len(found.rounding) == ROWS * COLUMNS // GROUP
        ours, theirs = found.ternary.dequantise(), weight.dequantise()
        used = theirs != 0
        error = ((ours - theirs).abs() / theirs.abs())[used].max()
        assert float(error) == pytest.approx(float(found.rounding.max()), abs=1e-6)
    else:
        assert not len(found.rounding)
        assert torch.equal(found.ternary.dequantise(), weight.dequantise())


def test_a_finer_granularity_than_needed_is_exact_too():
    weight = matrix(ROWS, COLUMNS)
    for granularity in ("row", "group"):
        found = regroup(weight, granularity)
        assert found.exact
        assert torch.allclose(found.ternary.dequantise(), weight.dequantise(), rtol=1e-6)


@pytest.mark.parametrize("granularity", ["tensor", "row", "group"])
def test_fewer_scales_have_the_least_error(granularity):
    weight = matrix(1, 64)
    found = regroup(weight, granularity)
    assert not found.exact
    theirs, ours = weight.dequantise().double(), found.ternary.dequantise().double()
    error = float((theirs - ours).norm() / theirs.norm())
    assert error == pytest.approx(found.loss, rel=1e-2)
    for factor in (0.98, 1.02):
        assert float((theirs - factor * ours).norm() / theirs.norm()) > error
    assert torch.equal(found.ternary.trits, weight.trits)


def test_groups_of_zeros_have_a_multiplier_of_zero_and_no_error():
    weight = torch.full((2, 256), 0.5)
    weight[0, :128] = 0
    weight[1] = 0
    known = recognise(weight)
    assert known is not None
    found = regroup(known, "group")
    assert found.ternary.multipliers is not None
    assert found.ternary.multipliers[0, 0] == 0
    assert not found.ternary.multipliers[1].any()
    assert torch.equal(found.ternary.dequantise(), weight)
    assert len(found.rounding) == 1


def test_the_integers_of_groups_are_trits_times_multipliers():
    ternary = regroup(matrix(1, 128), "group").ternary
    assert ternary.multipliers is not None
    expected = ternary.trits * spread(ternary.multipliers, COLUMNS)
    assert torch.equal(ternary.integers(), expected.float())
    assert ternary.granularity == "one scale per group of 128 columns"


def test_the_refusal_says_why_and_what_to_do():
    weight = matrix(1, 64)
    assert isinstance(weight, GroupedTernary)
    text = str(refusal("layers.0.q", weight, regroup(weight, "group"), "group"))
    assert "groups of 64 beside each other have different scales" in text
    assert "--granularity group --requantize" in text
    weight = matrix(1, COLUMNS)
    assert isinstance(weight, GroupedTernary)
    text = str(refusal("layers.0.q", weight, regroup(weight, "tensor"), "tensor"))
    assert "one scale per row (24 scales), but the granularity 'tensor' has fewer" in text
