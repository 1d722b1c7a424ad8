import dataclasses
import json

import pytest

from tercel.config import PRESETS, ModelConfig
from tercel.errors import TercelError

TINY = PRESETS["tiny"]


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("layers", 0, "layers must be a positive integer, not 0"),
        ("hidden_size", 2.5, "hidden_size must be a positive integer, not 2.5"),
        ("context", True, "context must be a positive integer, not True"),
        ("kv_heads", 3, "kv_heads must divide heads, but 3 does not divide 4"),
        ("head_size", 24, "head_size must be a multiple of 16, not 24"),
        ("activation", "gelu", "activation must be one of silu, relu2, not 'gelu'"),
        ("rope_base", 0, "rope_base must be a positive number, not 0"),
        ("norm_epsilon", float("nan"), "norm_epsilon must be a positive number, not nan"),
        ("eos_token", 96, "eos_token must be a token id below vocab_size 96, not 96"),
        ("bos_token", -1, "bos_token must be a token id below vocab_size 96, not -1"),
    ],
)
def test_a_broken_field_is_named(field, value, rule):
    with pytest.raises(TercelError, match=rule):
        dataclasses.replace(TINY, **{field: value})


@pytest.mark.parametrize("config", PRESETS.values(), ids=PRESETS)
def test_json_round_trip(config):
    assert ModelConfig.from_json(config.to_json()) == config


def test_json_with_missing_or_unknown_fields_is_refused():
    fields = json.loads(TINY.to_json())
    with pytest.raises(TercelError, match="the model config has unknown fields: experts, window"):
        ModelConfig.from_json(json.dumps(fields | {"window": 1, "experts": 8}))
    del fields["layers"], fields["name"]
    with pytest.raises(TercelError, match="the model config lacks the fields: layers, name"):
        ModelConfig.from_json(json.dumps(fields))


@pytest.mark.parametrize(
    ("text", "rule"), [("{", "is not valid JSON"), ("[1]", "must be a JSON object, not list")]
)
def test_json_that_is_no_object_is_refused(text, rule):
    with pytest.raises(TercelError, match=rule):
        ModelConfig.from_json(text)


def test_the_reference_shapes_have_their_published_sizes():
    assert round(PRESETS["0.7b"].ternary_weights / 1e6) == 679
    assert round(PRESETS["2b"].ternary_weights / 1e6) == 2084
    assert PRESETS["2b"].linears()["k"] == (640, 2560)
    assert PRESETS["0.7b"].norms()["mlp_sub_norm"] == 4096
    assert "mlp_sub_norm" not in TINY.norms()
