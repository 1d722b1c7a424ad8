import pytest

from tercel_hw.dense import DenseConfig


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"nodes": 0}, r"nodes must be an integer in 1\.\.64, not 0"),
        ({"macs": 48}, r"macs must be a power of two in 16\.\.256, not 48"),
        ({"macs": 8}, r"macs must be a power of two in 16\.\.256, not 8"),
        ({"chain": 64}, r"chain must be a power of two in 4\.\.32, not 64"),
        ({"slices": 0}, r"slices must be an integer in 1\.\.4096, not 0"),
        ({"tile": 8}, r"tile must be a power of two in 16\.\.1024, not 8"),
        ({"totals": 65}, r"totals must be an integer in 1\.\.64, not 65"),
        ({"rows": 0}, r"rows must be an integer in 1\.\.1048576, not 0"),
    ],
)
def test_wrong_values_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        DenseConfig(**fields)


def test_the_kv260s():
    config = DenseConfig()
    assert config.chains == 4
    # 4096 products of 127 * 127, and a sign.
    assert config.sum_bits == 27
