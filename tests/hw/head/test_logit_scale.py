import numpy as np
import pytest
from amaranth.back import rtlil

from tercel.numerics.float32 import fixed, multiply
from tercel.numerics.functions import LOG2_E
from tercel.numerics.linear import dequantise
from tercel_hw.float32 import StreamPipeline
from tercel_hw.head import HeadConfig, LogitScale

CONFIG = HeadConfig(nodes=2, rows=64)


def test_it_equals_the_golden_model(idle, back_pressure, through, bits):
    rng = np.random.default_rng(3)
    sums = rng.integers(-(1 << 26), 1 << 26, (40, 2)).astype(np.int32)
    sums[:4] = [[0, 1], [-1, (1 << 31) - 1], [-(1 << 31), 1 << 24], [(1 << 24) + 1, -3]]
    row_scales = (rng.random(40) * 2.0**-18).astype(np.float32)
    node_scales = multiply(np.array([0.03, 1.7], np.float32), LOG2_E)
    dut = StreamPipeline(LogitScale(CONFIG), tag_bits=6)
    payloads = [
        {
            "sums": row.tolist(),
            "row_scale": int(scale),
            "node_scales": bits(node_scales).tolist(),
            "tag": index,
        }
        for index, (row, scale) in enumerate(zip(sums, bits(row_scales), strict=True))
    ]
    results = through(dut, payloads, 40, idle, back_pressure)
    unscaled = dequantise(sums, row_scales[:, None])
    exponents = fixed(multiply(unscaled, node_scales), 9, 18)
    for index, result in enumerate(results):
        assert result.tag == index
        assert list(result.value["values"]) == bits(unscaled[index]).tolist()
        assert list(result.value.exponents) == exponents[index].tolist()


@pytest.mark.slow
def test_the_kv260_shape_converts():
    assert "module" in rtlil.convert(StreamPipeline(LogitScale(HeadConfig())))
