import re

import numpy as np
import pytest

from tercel.errors import TercelError
from tercel_export.huggingface.rope import llama3_factors
from tercel_quant.importers.rope_scaling import rope_factors

LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}


@pytest.mark.parametrize(("factor", "size", "original"), [(8.0, 128, 8192), (32.0, 64, 8192)])
def test_llama3_has_the_frequencies_of_transformers(factor, size, original):
    from transformers import LlamaConfig
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    rope = LLAMA3 | {"factor": factor, "original_max_position_embeddings": original}
    config = LlamaConfig(head_dim=size, rope_parameters=rope | {"rope_theta": 500000.0})
    theirs, _ = ROPE_INIT_FUNCTIONS["llama3"](config, "cpu")
    factors = rope_factors("rope_scaling", rope, base=500000.0, size=size, context=8192)
    plain = 500000.0 ** (-np.arange(0, size, 2) / size)
    assert np.allclose(plain / np.array(factors), theirs.numpy(), rtol=1e-6, atol=0)


def test_frequencies_are_kept_divided_or_between():
    factors = llama3_factors(factor=8.0, low=1.0, high=4.0, original=8192, base=500000.0, size=128)
    assert factors[0] == 1
    assert factors[-1] == 8
    assert list(factors) == sorted(factors)


@pytest.mark.parametrize(
    "rope", [{}, {"rope_type": "default"}, {"type": "linear", "factor": 1}, LLAMA3 | {"factor": 1}]
)
def test_no_scaling_has_no_factors(rope):
    assert rope_factors("rope_scaling", rope, base=10000.0, size=16, context=8192) == ()


def test_linear_scaling_divides_all():
    rope = {"type": "linear", "factor": 4.0}
    assert rope_factors("rope_scaling", rope, base=10000.0, size=16, context=8192) == (4.0,) * 8


LONG = {"type": "longrope", "short_factor": [1.0, 1.5, 2.0, 2.5], "long_factor": [4.0] * 4}


def long(context: int, **fields):
    rope = LONG | {"original_max_position_embeddings": 4096} | fields
    return rope_factors("rope_scaling", rope, base=10000.0, size=8, context=context)


def test_longrope_that_stretches_nothing_has_its_short_factors():
    """As MiniCPM4, whose long and short factors are equal and whose context is the original."""
    assert long(4096) == (1.0, 1.5, 2.0, 2.5)


@pytest.mark.parametrize(
    ("context", "fields", "rule"),
    [
        (4097, {}, "rope_scaling stretches 4096 positions to 4097 with the type 'longrope'"),
        (4096, {"attention_factor": 1.2}, "which is not supported; set max_position_embeddings"),
        (4096, {"short_factor": None}, "rope_scaling.short_factor is missing"),
        (4096, {"short_factor": [1.0]}, "rope_scaling.short_factor must have 4 numbers, not 1"),
        (4096, {"original_max_position_embeddings": None}, "original_max_position_embeddings is"),
    ],
)
def test_other_longrope_is_refused(context, fields, rule):
    with pytest.raises(TercelError, match=re.escape(rule)):
        long(context, **fields)
