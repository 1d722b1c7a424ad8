import pytest

from tercel_hw.attention import AttentionConfig
from tercel_hw.dense import DenseConfig


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"positions": 4097}, r"positions must be an integer in 2\.\.4096, not 4097"),
        ({"sweeps": 0}, r"sweeps must be an integer in 1\.\.255, not 0"),
        (
            {"ram_style": "huge"},
            "ram_style must be one of None, 'block', 'distributed', 'ultra', not 'huge'",
        ),
    ],
)
def test_wrong_values_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        AttentionConfig(dense=DenseConfig(), **fields)


def test_the_dense_engine_must_sweep_over_all_positions():
    with pytest.raises(ValueError, match=r"the dense engine's rows \(64\), but are 100"):
        AttentionConfig(dense=DenseConfig(rows=64), positions=100)


def test_dense_must_be_a_config():
    with pytest.raises(TypeError, match="dense must be a DenseConfig, not 8"):
        AttentionConfig(dense=8)
