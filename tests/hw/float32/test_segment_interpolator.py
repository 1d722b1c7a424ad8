# amaranth: UnusedElaboratable=no

from dataclasses import replace

import numpy as np
import pytest

from tercel.numerics.functions import exp2_table, reciprocal_table, rsqrt_table
from tercel_hw.float32 import SegmentInterpolator


@pytest.mark.parametrize("table", [reciprocal_table(), rsqrt_table(), exp2_table()])
def test_both_ends_and_the_inside_of_every_segment(check, table):
    index = np.repeat(np.arange(256), 3)
    low = np.random.default_rng(0).integers(0, 1 << table.low_bits, len(index))
    low[0::3], low[1::3] = 0, (1 << table.low_bits) - 1
    check(SegmentInterpolator(table), table.significand(index, low), index=index, low=low)


@pytest.mark.parametrize("table", [reciprocal_table(), exp2_table()], ids=["falling", "rising"])
def test_both_forms_are_one(check_forms, table):
    check_forms(lambda: SegmentInterpolator(table), start_up=5)


def test_the_constructor_checks_the_table():
    table = reciprocal_table()
    assert SegmentInterpolator(table).table is table
    with pytest.raises(TypeError, match="table must be a SegmentTable, not 256"):
        SegmentInterpolator(256)
    short = replace(table, values=table.values[:255], slopes=table.slopes[:255])
    with pytest.raises(ValueError, match="a table must have a power of two of segments, not 255"):
        SegmentInterpolator(short)
    steep = replace(table, slopes=np.full(256, 4096))
    with pytest.raises(ValueError, match="slopes must fit 12 bits, not range from 4096 to 4096"):
        SegmentInterpolator(steep)
    low = replace(table, values=np.full(256, -1))
    with pytest.raises(ValueError, match="values must fit 24 bits, not range from -1 to -1"):
        SegmentInterpolator(low)
