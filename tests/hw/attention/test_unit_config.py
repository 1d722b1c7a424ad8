import pytest

from tercel_hw.attention import AttentionConfig, AttentionUnitConfig
from tercel_hw.dense import DenseConfig


def attention_of(**dense):
    return AttentionConfig(dense=DenseConfig(**dense))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tile": 8}, r"tile must be a power of two in 16\.\.64, not 8"),
        ({"tile": 48}, r"tile must be a power of two in 16\.\.64, not 48"),
        ({"tile": 128}, r"tile must be a power of two in 16\.\.64, not 128"),
    ],
)
def test_wrong_values_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        AttentionUnitConfig(attention=attention_of(), **fields)


def test_more_nodes_than_a_command_names_are_refused():
    with pytest.raises(ValueError, match="nodes must be at most 16, but are 32"):
        AttentionUnitConfig(attention=attention_of(nodes=32))


def test_attention_must_be_a_config():
    with pytest.raises(TypeError, match="attention must be an AttentionConfig, not 8"):
        AttentionUnitConfig(attention=8)


def test_a_tile_fills_words():
    config = AttentionUnitConfig(attention=attention_of(), tile=64)
    assert config.word_positions == 16
    assert config.tile_scale_words == 4
