import pytest

from tercel_hw.dense import DenseConfig


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"nodes": 0}, "nodes must be an integer in 1..64, not 0"),
        ({"macs": 48}, "macs must be a power of two in 8..256, not 48"),
        ({"macs": 4}, "macs must be a power of two in 8..256, not 4"),
        ({"turns": 17}, "turns must be an integer in 1..16, not 17"),
        ({"vector_beats": 1}, "vector_beats must be an integer in 2..4096, not 1"),
        ({"total_words": 65}, "total_words must be an integer in 2..64, not 65"),
        ({"rows": 0}, "rows must be an integer in 1..1048576, not 0"),
        ({"nodes": 3, "packed": True}, "nodes must be even if cells are packed, not 3"),
    ],
)
def test_wrong_values_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        DenseConfig(**fields)


def test_packed_must_be_a_boolean():
    with pytest.raises(TypeError, match="packed must be a boolean, not 1"):
        DenseConfig(packed=1)


def test_packing_halves_the_cells():
    assert DenseConfig().cells == 512
    assert DenseConfig(packed=True).cells == 256
    assert DenseConfig(packed=True).halves == 2
