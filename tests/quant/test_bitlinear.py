"""BitLinear: rounding rules, straight-through gradients, agreement with integer arithmetic."""

import numpy as np
import pytest
import torch

from tercel.errors import TercelError
from tercel_quant.bitlinear import BitLinear, project, quantise_activations, ternarise


def make(rows, columns, *, precision="ternary", seed=0):
    linear = BitLinear(rows=rows, columns=columns, precision=precision)
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
