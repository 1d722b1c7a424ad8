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
        ("eos_tokens", (1, 96), r"must be a tuple of token ids below vocab_size 96, not \(1, 96\)"),
        ("eos_tokens", 2, "eos_tokens must be a tuple of token ids below vocab_size 96, not 2"),
        ("eos_tokens", (True,), "eos_tokens must be a tuple of token ids below vocab_size 96, not"),
        ("eos_tokens", (3, 3), r"eos_tokens must differ from each other, but are \(3, 3\)"),
        ("rope_factors", (1.0,) * 7, "rope_factors must be a tuple of 8 numbers, or empty"),
        ("rope_factors", [1.0] * 8, "rope_factors must be a tuple of 8 numbers, or empty"),
        ("rope_factors", (1.0,) * 7 + (0,), "rope_factors must be positive numbers, but one is 0"),
        ("granularity", "block", "granularity must be one of tensor, row, group, not 'block'"),
        ("granularity", None, "granularity must be one of tensor, row, group, not None"),
        ("ternary_head", 1, "ternary_head must be true or false, not 1"),
        ("qk_norm", "yes", "qk_norm must be true or false, not 'yes'"),
        ("ternary_head", True, "ternary_head needs the granularity \"group\", not 'tensor'"),
        ("shortlist", 48, r"shortlist must be a power of two in 32\.\.4096, or 0 for none, not 48"),
        ("shortlist", 8192, r"shortlist must be a power of two in 32\.\.4096, or 0 for none, not"),
        ("shortlist", True, r"shortlist must be a power of two in 32\.\.4096, or 0 for none, not"),
        ("shortlist", "32", r"shortlist must be a power of two in 32\.\.4096, or 0 for none, not"),
        ("bos_token", -1, "bos_token must be a token id below vocab_size 96, not -1"),
    ],
)
def test_a_broken_field_is_named(field, value, rule):
    with pytest.raises(TercelError, match=rule):
        dataclasses.replace(TINY, **{field: value})


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("ffn_size", 16385, "the columns of a matrix must be at most 16384 in a model with scales"),
        ("vocab_size", (1 << 18) + 1, "vocab_size must be at most 262144 in a model with scales"),
        ("head_size", 272, "head_size must be at most 256 in a model with scales of groups and q/"),
    ],
)
def test_sizes_of_version_3_are_limited(field, value, rule):
    version_3 = {"granularity": "group", "qk_norm": True}
    assert getattr(dataclasses.replace(TINY, **{field: value}), field) == value
    with pytest.raises(TercelError, match=rule):
        dataclasses.replace(TINY, **{field: value}, **version_3)


def test_a_ternary_head_has_no_shortlist():
    fields = {"granularity": "group", "ternary_head": True}
    with pytest.raises(TercelError, match="shortlist must be 0 with a ternary_head"):
        dataclasses.replace(TINY, **fields, shortlist=32)


@pytest.mark.parametrize(
    ("fields", "parts"),
    [
        ({}, ""),
        ({"granularity": "row"}, "a scale for each row"),
        ({"qk_norm": True}, "q/k norms"),
        ({"shortlist": 64}, "a shortlist"),
        ({"granularity": "row", "shortlist": 4096}, "a scale for each row and a shortlist"),
        ({"granularity": "group", "ternary_head": True}, "scales of groups and a ternary head"),
        (
            {"granularity": "group", "ternary_head": True, "qk_norm": True},
            "scales of groups, a ternary head and q/k norms",
        ),
    ],
)
def test_the_version_is_3_only_if_needed(fields, parts):
    config = dataclasses.replace(TINY, **fields)
    assert config.version_3_parts == parts
    assert config.image_version == (3 if fields else 2)
    stored = json.loads(config.to_json())
    version_3 = {"granularity", "ternary_head", "qk_norm", "shortlist"}
    assert stored.keys() & version_3 == fields.keys(), "older readers refuse unknown fields"
    assert ModelConfig.from_json(config.to_json()) == config


def test_weights_of_a_ternary_head_count():
    layers = TINY.ternary_weights
    head = TINY.vocab_size * TINY.hidden_size
    fields = {"granularity": "group", "ternary_head": True}
    assert dataclasses.replace(TINY, **fields).ternary_weights == layers + head
    untied = dataclasses.replace(TINY, **fields, tied_head=False)
    assert untied.ternary_weights == layers + 2 * head


def test_norms_of_heads_have_their_size():
    assert dataclasses.replace(TINY, qk_norm=True).norms() == TINY.norms() | {
        "q_norm": 16,
        "k_norm": 16,
    }


@pytest.mark.parametrize("config", PRESETS.values(), ids=PRESETS)
def test_json_round_trip(config):
    assert ModelConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize(
    ("stored", "ends"), [(None, ()), (2, (2,)), ([2], (2,)), ([5, 2], (5, 2)), ([], ())]
)
def test_json_has_no_end_token_or_one_or_a_list(stored, ends):
    fields = json.loads(TINY.to_json())
    config = ModelConfig.from_json(json.dumps(fields | {"eos_token": stored}))
    assert config.eos_tokens == ends
    assert ModelConfig.from_json(config.to_json()) == config
    if not isinstance(stored, list):
        assert json.loads(config.to_json())["eos_token"] == stored, "as images of before have it"
    del fields["eos_token"]
    assert ModelConfig.from_json(json.dumps(fields)).eos_tokens == ()


def test_json_has_rope_factors_only_if_there_are_any():
    assert "rope_factors" not in TINY.to_json(), "as images of before have it"
    config = dataclasses.replace(TINY, rope_factors=(1.0, 1.5, 2.0, 4.0, 8.0, 8.0, 8.0, 8.0))
    assert ModelConfig.from_json(config.to_json()) == config
    fields = json.loads(TINY.to_json())
    with pytest.raises(TercelError, match="rope_factors must be a list, not 2"):
        ModelConfig.from_json(json.dumps(fields | {"rope_factors": 2}))


def test_json_with_other_end_tokens_is_refused():
    fields = json.loads(TINY.to_json())
    for stored in ("2", [[2]], {"a": 1}, 96, [1, 96]):
        with pytest.raises(TercelError, match="eos_tokens must be a tuple of token ids below"):
            ModelConfig.from_json(json.dumps(fields | {"eos_token": stored}))
    with pytest.raises(TercelError, match="the model config has unknown fields: eos_tokens"):
        ModelConfig.from_json(json.dumps(fields | {"eos_tokens": [2]}))


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
