import numpy as np

from tercel import numerics


def test_table_is_the_formula_rounded_once():
    cosine, sine = numerics.rope_table(50, 96, 500000.0)
    assert cosine.shape == sine.shape == (50, 48)
    assert cosine.dtype == sine.dtype == np.float32
    angle = 37 * 500000.0 ** (-2 * 11 / 96)
    assert cosine[37, 11] == np.float32(np.cos(angle))
    assert sine[37, 11] == np.float32(np.sin(angle))


def test_factors_divide_the_frequencies():
    factors = (1.0, 1.0, 1.5, 8.0)
    cosine, sine = numerics.rope_table(50, 8, 500000.0, factors)
    for index, factor in enumerate(factors):
        angle = 37 * (500000.0 ** (-2 * index / 8) / factor)
        assert cosine[37, index] == np.float32(np.cos(angle))
        assert sine[37, index] == np.float32(np.sin(angle))


def test_rotation_pairs_the_halves():
    cosine, sine = numerics.rope_table(8, 4, 10000.0)
    x = np.arange(8, dtype=np.float32).reshape(1, 2, 4) + 1
    y = numerics.rotate(x, cosine[5:6], sine[5:6])
    for head in range(2):
        for i in range(2):
            a, b = x[0, head, i], x[0, head, i + 2]
            c, s = cosine[5, i], sine[5, i]
            assert y[0, head, i] == a * c - b * s
            assert y[0, head, i + 2] == b * c + a * s


def test_position_zero_is_the_identity():
    x = np.random.default_rng(0).normal(size=(1, 3, 32)).astype(np.float32)
    cosine, sine = numerics.rope_table(1, 32, 10000.0)
    assert (numerics.rotate(x, cosine, sine) == x).all()
