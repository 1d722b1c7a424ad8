import numpy as np

from tercel import numerics
from tercel.numerics.functions import exp2_significands


def test_argmax_and_top_k_give_ties_to_the_lower_row():
    unscaled = np.float32([[1, 5, 3, 5, 5, 2], [0, -0.0, 0, -1, 0, 0]])
    assert numerics.argmax(unscaled).tolist() == [1, 0]
    assert numerics.top_k(unscaled, 4).tolist() == [[1, 3, 4, 2], [0, 1, 2, 4]]
    assert numerics.top_k(unscaled, 6)[0].tolist() == [1, 3, 4, 2, 5, 0]


def test_rows_are_integers():
    unscaled = np.float32([[1, 5, 3]])
    assert numerics.argmax(unscaled).dtype == np.int32
    assert numerics.top_k(unscaled, 2).dtype == np.int32


def test_top_k_is_a_stable_sort():
    rng = np.random.default_rng(0)
    unscaled = rng.integers(-30, 30, (8, 1000)).astype(np.float32)
    expected = np.argsort(-unscaled, axis=1, kind="stable")
    for k in (1, 7, 64, 1000):
        assert (numerics.top_k(unscaled, k) == expected[:, :k]).all()


def test_exponential_sum_is_the_written_definition():
    rng = np.random.default_rng(1)
    unscaled = rng.normal(0, 40, (4, 777)).astype(np.float32)
    scale = np.float32([0.01, 0.3, 1, 2])
    result = numerics.exponential_sum(unscaled, scale)
    table = exp2_significands()
    for node in range(4):
        unit = numerics.multiply(scale[node : node + 1], np.float32(1.4426950408889634))
        t = numerics.fixed(numerics.multiply(unscaled[node], unit), 9, 18).tolist()
        top = max(t) >> 9
        total = sum(
            int(table[value & 511]) << (28 - (top - (value >> 9)))
            for value in t
            if top - (value >> 9) <= 28
        )
        assert result.octave[node] == top
        assert int(result.total[node]) == total


def test_its_logarithm_is_logsumexp():
    rng = np.random.default_rng(2)
    unscaled = rng.normal(0, 3, (5, 4096)).astype(np.float32)
    scale = np.float32([0.1, 1, 2, 5, 1e-6])
    logits = numerics.logits(unscaled, scale).astype(np.float64)
    peak = logits.max(axis=1)
    expected = peak + np.log(np.exp(logits - peak[:, None]).sum(axis=1))
    assert np.abs(numerics.exponential_sum(unscaled, scale).log() - expected).max() < 1e-3


def test_head_logits_scale_rows_and_nodes():
    rng = np.random.default_rng(3)
    rows = rng.integers(-127, 128, (90, 64), dtype=np.int8)
    row_scales = rng.uniform(0.001, 0.1, 90).astype(np.float32)
    x = numerics.quantise(rng.normal(size=(3, 64)).astype(np.float32))
    unscaled = numerics.head_logits(rows, row_scales, x)
    sums = x.values.astype(np.int64) @ rows.astype(np.int64).T
    assert (unscaled == sums.astype(np.float32) * row_scales).all()
    assert (numerics.logits(unscaled, x.scale) == unscaled * x.scale[:, None]).all()
