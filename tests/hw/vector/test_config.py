from dataclasses import replace

import pytest
from amaranth.hdl import Shape

from tercel_hw.tlmm.config import TlmmConfig
from tercel_hw.tlmm.layouts import shifts_layout
from tercel_hw.vector import VectorConfig

GROUPED = VectorConfig(nodes=3, grouped=True, sum_bits=40)


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"nodes": 17}, ValueError, "nodes must be an integer in 1..16, not 17"),
        ({"head_size": 40}, ValueError, "head_size must be a multiple of 16, not 40"),
        ({"grouped": 1}, TypeError, "grouped must be true or false, not 1"),
        ({"sum_bits": 41}, ValueError, r"sum_bits must be an integer in 9..40, not 41"),
        (
            {"grouped": False, "sum_bits": 26},
            ValueError,
            r"sum_bits must be an integer in 9..25, not 26",
        ),
        ({"group": 3}, ValueError, "group must be 5 if grouped, not 3"),
        ({"qk_norm": 1}, TypeError, "qk_norm must be true or false, not 1"),
        (
            {"qk_norm": True, "head_size": 272},
            ValueError,
            r"head_size with qk_norm must be an integer in 16..256, not 272",
        ),
    ],
)
def test_wrong_values_are_refused(fields, error, message):
    with pytest.raises(error, match=message):
        replace(GROUPED, **fields)


def test_columns_of_rows_have_shifts_only_with_groups():
    plain = replace(GROUPED, grouped=False, sum_bits=22)
    assert plain.shifted_column == plain.column == GROUPED.column
    assert list(GROUPED.shifted_column.members) == ["values", "shifts", "last"]
    assert GROUPED.shifted_column.size == GROUPED.column.size + 3 * 3


def test_the_widest_engine_fits():
    tlmm = TlmmConfig(tables=78, groups=3, nodes=3, max_columns=16384)
    config = replace(GROUPED, sum_bits=tlmm.sum_bits)
    assert Shape.cast(config.shifts) == Shape.cast(shifts_layout(tlmm))
    assert config.block_codes == 13


def test_larger_heads_that_are_not_normed():
    assert VectorConfig(head_size=1024).head_size == 1024
    assert VectorConfig(head_size=256, qk_norm=True).qk_norm
