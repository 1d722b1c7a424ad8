import dataclasses

import pytest

from tercel.config import PRESETS
from tercel.errors import TercelError
from tercel_export.gguf.architecture import architecture_of

TINY = PRESETS["tiny"]


@pytest.mark.parametrize(
    ("changes", "name", "scales"),
    [
        ({}, "llama", False),
        ({"tied_head": False}, "llama", False),
        ({"rope_factors": (2.0,) * 8}, "llama", False),
        ({"heads": 8}, "llama", False),
        ({"sub_norms": True}, "bitnet", True),
        ({"sub_norms": True, "activation": "relu2"}, "bitnet-b1.58", False),
    ],
)
def test_the_architecture_of_a_model(changes, name, scales):
    found = architecture_of(dataclasses.replace(TINY, **changes))
    assert (found.name, found.scales) == (name, scales)
    assert bool(found.advice) == (name == "bitnet-b1.58")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"activation": "relu2"}, "without sub-norms has the activation silu, not relu2"),
        ({"sub_norms": True, "tied_head": False}, "bitnet takes the embedding as head"),
        ({"sub_norms": True, "heads": 8}, "as wide queries as the model, 64, not 128"),
        ({"sub_norms": True, "rope_factors": (2.0,) * 8}, "have no scaled RoPE"),
    ],
)
def test_a_model_that_no_graph_computes_is_refused(changes, reason):
    with pytest.raises(TercelError, match=f"no graph of llama.cpp computes tiny: .*{reason}"):
        architecture_of(dataclasses.replace(TINY, **changes))
