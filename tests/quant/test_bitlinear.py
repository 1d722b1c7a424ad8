"""BitLinear: rounding rules, straight-through gradients, agreement with integer arithmetic."""

import numpy as np
import pytest
import torch

from tercel.errors import TercelError
from tercel.numerics import block_quantise
from tercel_quant.bitlinear import (
    BitLinear,
    project,
    quantise_activations,
    quantise_blocks,
    ternarise,
    ternarise_rows,
)
from tercel_quant.group_scales import spread


def make(rows, columns, *, precision="ternary", granularity="tensor", seed=0):
    linear = BitLinear(rows=rows, columns=columns, precision=precision, granularity=granularity)
    torch.nn.init.normal_(linear.weight, generator=torch.Generator().manual_seed(seed))
    return linear


def test_ternarise_follows_the_absmean_rule():
    weight = torch.tensor([[0.1, -0.9, 2.0], [-0.4, 0.5, 0.3]])
    trits, scale = ternarise(weight)
    assert scale.item() == pytest.approx(4.2 / 6)
    assert trits.tolist() == [[0, -1, 1], [-1, 1, 0]]


def test_ternarise_of_zeros_is_zero():
    trits, scale = ternarise(torch.zeros(3, 4))
    assert scale == 0
    assert not trits.any()


def test_activations_follow_the_absmax_rule():
    integers, scale = quantise_activations(torch.tensor([[127.0, -2.5, 3.5], [0.0, 0.0, 0.0]]))
    assert integers.tolist() == [[127, -2, 4], [0, 0, 0]]
    assert scale.flatten().tolist() == [1, 0]


def test_forward_equals_integer_arithmetic():
    linear = make(24, 48)
    x = torch.randn(5, 48, generator=torch.Generator().manual_seed(1))
    trits, scale = ternarise(linear.weight)
    integers, x_scale = quantise_activations(x)
    exact = integers.numpy().astype(np.int64) @ trits.numpy().astype(np.int64).T
    expected = exact.astype(np.float32) * (x_scale.numpy() * scale.numpy())
    np.testing.assert_array_equal(linear(x).detach().numpy(), expected)


def test_bfloat16_autocast_rounds_only_the_product():
    linear = make(24, 48)
    x = torch.randn(5, 48, generator=torch.Generator().manual_seed(1))
    with torch.autocast("cpu", torch.bfloat16):
        rounded = linear(x)
    torch.testing.assert_close(rounded.float(), linear(x), rtol=2**-7, atol=0)


def test_gradients_pass_as_if_nothing_were_quantised():
    linear = make(6, 8)
    x = torch.randn(3, 8, generator=torch.Generator().manual_seed(1), requires_grad=True)
    upstream = torch.randn(3, 6, generator=torch.Generator().manual_seed(2))
    linear(x).backward(upstream)
    trits, scale = ternarise(linear.weight)
    integers, x_scale = quantise_activations(x)
    assert x.grad is not None
    assert linear.weight.grad is not None
    torch.testing.assert_close(x.grad, upstream @ (trits * scale))
    torch.testing.assert_close(linear.weight.grad, upstream.T @ (integers * x_scale))


def test_zero_weights_and_zero_activations_give_no_nan():
    linear = make(4, 8)
    x = torch.zeros(2, 8, requires_grad=True)
    linear(x).sum().backward()
    assert torch.isfinite(linear.weight.grad).all()
    torch.nn.init.zeros_(linear.weight)
    y = linear(torch.ones(2, 8, requires_grad=True))
    y.sum().backward()
    assert not y.any()
    assert torch.isfinite(linear.weight.grad).all()


@pytest.mark.parametrize("precision", ["float", "ternary"])
def test_project_equals_separate_linears(precision):
    linears = [make(rows, 16, precision=precision, seed=rows) for rows in (8, 4, 4)]
    x = torch.randn(3, 16, generator=torch.Generator().manual_seed(1))
    for together, linear in zip(project(x, *linears), linears, strict=True):
        torch.testing.assert_close(together, linear(x))


def test_float_precision_is_a_plain_linear():
    linear = make(6, 8, precision="float")
    x = torch.randn(3, 8, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(linear(x), x @ linear.weight.T)


def test_unknown_precision_is_refused():
    with pytest.raises(TercelError, match="precision must be one of float, ternary, not 'int4'"):
        BitLinear(rows=2, columns=2, precision="int4")


def test_rows_have_the_mean_magnitude_of_each_row():
    weight = torch.tensor([[0.1, -0.9, 2.0], [0.0, 0.0, 0.0]])
    trits, scale, multipliers = ternarise_rows(weight, "row")
    assert multipliers is None
    assert scale.tolist() == pytest.approx([1, 0])
    assert trits.tolist() == [[0, -1, 1], [0, 0, 0]]


def test_groups_have_the_nearest_scales_that_the_device_holds():
    weight = torch.randn(5, 300, generator=torch.Generator().manual_seed(3))
    weight[:, 128:256] *= 0.2
    weight[2] = 0
    trits, scale, multipliers = ternarise_rows(weight, "group")
    assert multipliers is not None
    scales = multipliers * scale[:, None]
    for group, part in enumerate(weight.split(128, 1)):
        assert torch.allclose(scales[:, group], part.abs().mean(1), rtol=2e-3)
    divisor = spread(scales, 300)
    expected = torch.where(divisor > 0, weight / divisor, 0).round().clamp(-1, 1)
    assert (trits == expected).float().mean() > 0.999
    assert not trits[2].any()


@pytest.mark.parametrize("width", [64, 100, 640])
def test_blocks_are_rounded_as_the_device_rounds_them(width):
    """Equal integers but for products near a tie, where the device's reciprocal is a table."""
    generator = torch.Generator().manual_seed(width)
    x = torch.randn(40, width, generator=generator)
    x *= torch.exp2(-8 * torch.rand(40, -(-width // 64), generator=generator)).repeat_interleave(
        64, 1
    )[:, :width]
    x[3] = 0
    x[5, :64] = 0
    x[7, 0], x[7, 63] = 4.0, -2.0  # exact powers of two
    ours, scale = quantise_blocks(x)
    theirs = block_quantise(x.numpy())
    integers = torch.from_numpy(theirs.integers()).float()
    steps = 1 << np.repeat(theirs.shifts.astype(np.int32), 64, axis=1)[:, :width]
    assert ((ours - integers).abs() <= torch.from_numpy(steps)).all()
    assert (ours == integers).float().mean() > 0.999
    assert torch.allclose(scale[:, 0], torch.from_numpy(theirs.scale), rtol=1e-5)


@pytest.mark.parametrize("granularity", ["row", "group"])
def test_forward_of_rows_and_groups_equals_their_arithmetic(granularity):
    linear = make(24, 200, granularity=granularity)
    x = torch.randn(5, 200, generator=torch.Generator().manual_seed(1))
    trits, scale, multipliers = ternarise_rows(linear.weight, granularity)
    weight = trits.double()
    if multipliers is not None:
        weight *= spread(multipliers, 200)
    quantise = quantise_activations if granularity == "row" else quantise_blocks
    integers, unit = quantise(x)
    expected = (integers.double() @ weight.T) * scale * unit
    assert torch.allclose(linear(x).double(), expected, rtol=1e-5, atol=1e-6)
    # Under autocast as well: bfloat16 does not hold multipliers, so groups do without it.
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = linear(x)
    assert torch.allclose(
        y.double(), expected, rtol=1e-5 if multipliers is not None else 0.02, atol=0.05
    )


@pytest.mark.parametrize("granularity", ["row", "group"])
def test_gradients_of_rows_and_groups_pass_the_rounding(granularity):
    linear, plain = make(6, 200, granularity=granularity), make(6, 200, precision="float")
    x = torch.randn(5, 200, generator=torch.Generator().manual_seed(1), requires_grad=True)
    gradients = []
    for each in (linear, plain):
        each(x).sum().backward()
        assert each.weight.grad is not None
        assert x.grad is not None
        gradients.append((each.weight.grad, x.grad.clone()))
        x.grad = None
    # Those of the weights are of rounded inputs, those of the inputs of rounded weights.
    assert torch.allclose(gradients[0][0], gradients[1][0], atol=0.05)
    weight = torch.ones(6) @ (linear.integers()[0] * linear.integers()[1][:, None])
    assert torch.allclose(gradients[0][1], weight.expand(5, -1), atol=1e-4)
