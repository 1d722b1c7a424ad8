import numpy as np
import pytest
from amaranth.back import rtlil

from tercel.numerics.linear import dequantise
from tercel_hw.float32 import StreamPipeline
from tercel_hw.head import LogitScale


def test_it_equals_the_golden_model(idle, back_pressure, through, bits):
    rng = np.random.default_rng(3)
    sums = rng.integers(-(1 << 26), 1 << 26, 80).astype(np.int32)
    sums[:7] = [0, 1, -1, (1 << 31) - 1, -(1 << 31), 1 << 24, (1 << 24) + 1]
    row_scales = (rng.random(80) * 2.0**-18).astype(np.float32)
    row_scales[7] = 0
    dut = StreamPipeline(LogitScale(sum_bits=32), tag_bits=7)
    payloads = [
        {"sum": int(value), "row_scale": int(scale), "tag": index}
        for index, (value, scale) in enumerate(zip(sums, bits(row_scales), strict=True))
    ]
    results = through(dut, payloads, 80, idle, back_pressure)
    assert [result.tag for result in results] == list(range(80))
    assert [result.value for result in results] == bits(dequantise(sums, row_scales)).tolist()


@pytest.mark.slow
def test_it_converts():
    assert "module" in rtlil.convert(StreamPipeline(LogitScale(sum_bits=32)))
