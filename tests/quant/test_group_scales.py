import numpy as np
import pytest
import torch

from tercel.image import quantise_scales
from tercel_quant.group_scales import by_group, encode_scales, group_magnitudes, spread


def test_encoded_scales_are_those_of_the_image():
    scales = torch.rand(50, 6, generator=torch.Generator().manual_seed(0))
    rows, multipliers = encode_scales(scales)
    expected = quantise_scales(scales.numpy())
    assert np.array_equal(rows.numpy(), expected.row_scale)
    assert np.array_equal(multipliers.numpy(), expected.multipliers)
    assert (rows.dtype, multipliers.dtype) == (torch.float32, torch.int32)


@pytest.mark.parametrize("columns", [1, 127, 128, 129, 300])
def test_the_last_group_has_what_remains(columns):
    weight = torch.randn(3, columns, generator=torch.Generator().manual_seed(1))
    means = group_magnitudes(weight)
    assert means.shape == (3, -(-columns // 128))
    for index, part in enumerate(weight.abs().split(128, 1)):
        assert torch.allclose(means[:, index], part.mean(1))
    assert spread(means, columns).shape == weight.shape
    assert torch.equal(spread(means, columns)[:, -1], means[:, -1])
    assert torch.equal(by_group(weight).flatten(1)[:, :columns], weight)
