import dataclasses

import pytest

from tercel.config import PRESETS
from tercel.errors import TercelError
from tercel_export.huggingface.rope import llama3_factors, rope_parameters
from tercel_quant.importers.rope_scaling import rope_factors

TINY = PRESETS["tiny"]


def test_rope_without_scaling():
    assert rope_parameters(TINY) == {"rope_theta": 10000.0, "rope_type": "default"}


@pytest.mark.parametrize("kind", ["linear", "llama3"])
def test_the_importers_factors_are_found_again(kind):
    size, base = 128, 500000.0
    factors = (4.0,) * 64
    if kind == "llama3":
        factors = llama3_factors(
            factor=32.0, low=1.0, high=4.0, original=8192, base=base, size=size
        )
    config = dataclasses.replace(TINY, head_size=size, rope_base=base, rope_factors=factors)
    parameters = rope_parameters(config)
    assert parameters["rope_type"] == kind
    read = rope_factors("rope_parameters", parameters, base=base, size=size, context=config.context)
    assert read == factors


def test_other_factors_are_refused():
    config = dataclasses.replace(TINY, rope_factors=(1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.5))
    with pytest.raises(TercelError, match=r"have no words for the scaled RoPE of tiny"):
        rope_parameters(config)
