import pytest

from tercel_hw.head import HeadConfig


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"nodes": 0}, "nodes must be an integer in 1..64, not 0"),
        ({"rows": 1 << 21}, "rows must be an integer in 2..1048576, not 2097152"),
        ({"top_k": 65}, "top_k must be an integer in 2..64, not 65"),
    ],
)
def test_wrong_values_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        HeadConfig(**fields)
