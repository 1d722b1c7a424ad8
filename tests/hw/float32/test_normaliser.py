# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from side_by_side import SideBySide

from tercel_hw.float32 import Normaliser

SPACINGS = pytest.mark.parametrize("spacing", [1, 2])


@SPACINGS
def test_every_size_of_number(evaluate, spacing):
    generator = np.random.default_rng(spacing)
    bits = np.repeat(np.arange(1, 28), 30)
    x = generator.integers(1 << bits - 1, 1 << bits)
    x[::30], x[1::30] = 1 << bits[::30] - 1, (1 << bits[1::30]) - 1
    shift = (27 - bits) // spacing * spacing
    exponent = generator.integers(26, 512, len(x))
    operands = {"x": x, "coarse": (x < 1 << 11).astype(int), "exponent": exponent}
    results = evaluate(Normaliser(spacing=spacing), **operands)
    assert [result.x for result in results] == (x << shift).tolist()
    assert [result.exponent for result in results] == (exponent - shift).tolist()


@SPACINGS
def test_zero_stays(evaluate, spacing):
    operands = {"x": np.int64([0, 0]), "coarse": np.int64([1, 1]), "exponent": np.int64([0, 300])}
    assert [result.x for result in evaluate(Normaliser(spacing=spacing), **operands)] == [0, 0]


def test_a_given_power_is_taken(evaluate):
    operands = {"x": np.int64([1 << 20, 5]), "coarse": np.int64([0, 1])}
    operands |= {"power": np.int64([1 << 6, 1 << 8]), "exponent": np.int64([300, 300])}
    results = evaluate(Normaliser(spacing=1, given=True), **operands)
    assert [result.x for result in results] == [1 << 26, 5 << 24]
    assert [result.exponent for result in results] == [294, 276]


def test_both_forms_are_one(check_forms):
    def normalisers():
        return SideBySide({f"s{spacing}": Normaliser(spacing=spacing) for spacing in (1, 2)})

    check_forms(normalisers, start_up=4)


def test_the_constructor_checks_the_spacing():
    assert Normaliser(spacing=2).spacing == 2
    with pytest.raises(ValueError, match="spacing must be 1 or 2, not 4"):
        Normaliser(spacing=4)
