import pytest

from tercel_hw.dense import DenseConfig
from tercel_hw.head import HeadConfig, HeadUnitConfig


@pytest.mark.parametrize(("rows", "played"), [(2, 16), (48, 48), (50, 64), (65529, 65536)])
def test_rows_are_played_in_whole_blocks(rows, played):
    assert HeadConfig(rows=rows).played_rows == played


def test_the_engine_must_take_whole_blocks():
    dense = DenseConfig(rows=50)
    head = HeadConfig(rows=50, sum_bits=dense.sum_bits)
    with pytest.raises(ValueError, match=r"in whole blocks of 16 must not .* \(50\), but are 64"):
        HeadUnitConfig(head=head, dense=dense)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"nodes": 0}, "nodes must be an integer in 1..64, not 0"),
        ({"rows": 1 << 21}, "rows must be an integer in 2..1048576, not 2097152"),
        ({"top_k": 65}, "top_k must be an integer in 2..64, not 65"),
        ({"ternary_rows": 1}, "ternary_rows must be an integer in 2..65536, not 1"),
    ],
)
def test_wrong_values_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        HeadConfig(**fields)
