import dataclasses

import numpy as np
import pytest
import torch

from tercel.config import PRESETS
from tercel.numerics import rope_table
from tercel_quant.importers import Ternary
from tercel_quant.importers.head_padding import HeadPadding
from tercel_quant.reference import attend, rope

PADDING = HeadPadding(size=20, padded=32)
CONFIG = dataclasses.replace(PRESETS["tiny"], head_size=32, heads=4, kv_heads=2)


@pytest.mark.parametrize(
    ("size", "padded"), [(100, 112), (20, 32), (16, None), (128, None), (15, None)]
)
def test_only_even_sizes_that_the_device_lacks_are_padded(size, padded):
    padding = HeadPadding.of(size)
    assert (padding and padding.padded) == padded


@pytest.mark.parametrize("factors", [(), tuple(1.0 + i for i in range(10))])
def test_padded_heads_turn_as_before(factors):
    own = rope_table(50, 20, 10000.0, factors)
    padded = rope_table(50, 32, 10000.0, PADDING.rope_factors(factors, base=10000.0))
    for ours, wide in zip(own, padded, strict=True):
        assert np.abs(ours - wide[:, :10]).max() < 1e-6


def test_attention_of_padded_heads_is_the_same():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 9, 64, generator=generator)
    weights = {
        part: torch.randn(heads * 20, 64, generator=generator)
        for part, heads in (("q", 4), ("k", 2), ("v", 2))
    }
    output = torch.randn(64, 80, generator=generator)
    config = dataclasses.replace(CONFIG)
    object.__setattr__(config, "head_size", 20)  # which no device takes
    expected = attend(config, [x @ w.T for w in weights.values()], rope(config, 9), {}) @ output.T
    factors = PADDING.rope_factors((), base=CONFIG.rope_base)
    config = dataclasses.replace(CONFIG, rope_factors=factors)
    wide = [x @ PADDING.matrix(part, weight).T for part, weight in weights.items()]
    found = attend(config, wide, rope(config, 9), {}) @ PADDING.matrix("o", output).T
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_trits_keep_one_scale():
    trits = torch.randint(-1, 2, (80, 64), dtype=torch.int8)
    found = PADDING.matrix("q", Ternary(trits=trits, scale=0.5))
    assert isinstance(found, Ternary)
    assert found.trits.shape == (128, 64)
    assert found.trits.dtype == torch.int8
    assert found.scale == pytest.approx(0.5 * (32 / 20) ** 0.5)
    assert torch.equal(PADDING.matrix("down", trits), trits)


@pytest.mark.parametrize(
    ("part", "shape", "narrow"),
    [
        ("q", (128, 64), (80, 64)),
        ("k", (64, 64), (40, 64)),
        ("o", (64, 128), (64, 80)),
        ("up", (160, 64), (160, 64)),
        ("attention_sub_norm", (128,), (80,)),
        ("mlp_norm", (64,), (64,)),
    ],
)
def test_shapes_before_padding(part, shape, narrow):
    assert PADDING.source_shape(part, shape, CONFIG) == narrow


def test_the_gain_undoes_the_larger_mean():
    x, gain = torch.randn(3, 80), torch.rand(80)
    expected = x * x.square().mean(-1, keepdim=True).rsqrt() * gain
    wide = PADDING.matrix("v", x.T.contiguous()).T
    found = wide * wide.square().mean(-1, keepdim=True).rsqrt()
    found = found * PADDING.gain("attention_sub_norm", gain)
    kept = PADDING.matrix("v", torch.ones(80, 1)).bool()[:, 0]
    torch.testing.assert_close(found[:, kept], expected)
    assert not found[:, ~kept].any()
