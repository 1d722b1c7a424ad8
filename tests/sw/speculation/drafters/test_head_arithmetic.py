"""Arithmetic of trained heads against formulas in float64."""

import numpy as np

from tercel.speculation.drafters.head_arithmetic import normalise, silu, token_table


def test_normalise_divides_by_the_root_mean_square():
    x = np.random.default_rng(0).normal(0, 30, 64).astype(np.float32)
    found = normalise(x)
    assert found.dtype == np.float32
    assert np.allclose(found, x / np.sqrt(np.mean(x.astype(np.float64) ** 2)), rtol=1e-5)
    assert not normalise(np.zeros(8, np.float32)).any()


def test_silu():
    x = np.linspace(-20, 20, 41, dtype=np.float32)
    assert np.allclose(silu(x), x / (1 + np.exp(-x.astype(np.float64))), atol=1e-6)


def test_the_table_has_the_product_of_every_embedding(make_image):
    image = make_image(3)
    matrix = np.random.default_rng(0).normal(0, 1, (image.config.hidden_size, 5))
    values, scales = image.rows("embedding", [7])
    expected = (values[0] * scales[0].astype(np.float64)) @ matrix
    table = token_table(image, matrix.astype(np.float32))
    assert table.shape == (image.config.vocab_size, 5)
    assert np.allclose(table[7], expected, rtol=1e-4, atol=1e-6)
