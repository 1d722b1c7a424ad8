"""Both forms of the arithmetic equal the golden model on every exponent, infinity's among them.

All pairs of exponents and signs for operations of two operands. Exponent 0 has subnormal operands
too, which count as zeros; exponent 255 is infinity alone, for no operand is NaN.
"""

import numpy as np
import pytest
from primitive_bank import CompiledBank, Entry

from tercel import numerics
from tercel.numerics.quantise import INVERSE_LIMIT, LIMIT
from tercel_hw.attention.inverse import Inverse
from tercel_hw.float32 import (
    Adder,
    Bfloat16Up,
    Exp2,
    FloatToFixed,
    Multiplier,
    Reciprocal,
    RoundToInt8,
    Rsqrt,
    Sigmoid,
    Silu,
    SquaredRelu,
)
from tercel_hw.head.logit_scale import LogitScale
from tercel_hw.vector.gated_activation import GatedActivation
from tercel_hw.vector.head_scale import HeadScale
from tercel_hw.vector.row_scale import RowScale
from tercel_hw.vector.row_unit import RowUnit

EPSILON = np.float32(1e-5)
INVERSE_WIDTH = np.float32(1 / 96)
LARGEST = np.finfo(np.float32).max
MANTISSAS = (
    *((0, 0), (0x7FFFFF, 0x7F0000), (0x400000, 0), (1, 0x7F0000)),
    *((0x2AAAAB, 0x2A0000), (0x7FFFFE, 0x010000)),
)
"""Mantissas of both operands; those of the second fit a bfloat16."""
UNARY_MANTISSAS = 300


def word(x) -> int:
    return int(np.float32(x).view(np.uint32))


def with_operands(primitive, **operands) -> Entry:
    return Entry(primitive=primitive, operands=operands)


def arithmetic() -> dict[str, Entry]:
    both = {"a": "a", "b": "b"}
    return {
        "multiply": with_operands(Multiplier(), **both),
        "multiply_short": with_operands(Multiplier(b_bits=8), **both),
        "add": with_operands(Adder(), **both),
        "add_magnitudes": with_operands(Adder(magnitudes=True), **both),
    }


def functions() -> dict[str, Entry]:
    unary = {
        "reciprocal": Reciprocal(),
        "rsqrt": Rsqrt(),
        "exp2": Exp2(),
        "sigmoid": Sigmoid(),
        "silu": Silu(),
        "relu2": SquaredRelu(),
        "fixed": FloatToFixed(fraction_bits=9, width=18),
        "fixed_wide": FloatToFixed(fraction_bits=23, width=32),
        "int8": RoundToInt8(),
        "bfloat16": Bfloat16Up(),
    }
    normed = {"inverse_width": word(INVERSE_WIDTH), "epsilon": word(EPSILON), "normed": 1}
    return {
        **{name: with_operands(primitive, x="a") for name, primitive in unary.items()},
        "gated_silu": with_operands(GatedActivation(), gate="a", up="b", squared=0),
        "gated_relu2": with_operands(GatedActivation(), gate="a", up="b", squared=1),
        "row_unit": with_operands(RowUnit(), maximum="a"),
        "row_scale": with_operands(RowScale(), maximum="a", squares="b", **normed),
        "head_factors": with_operands(HeadScale(), maximum="a", cache=0),
        "cache_factors": with_operands(HeadScale(), maximum="a", cache=1),
        **{
            f"normed_{kind}": with_operands(
                HeadScale(norms=True), maximum="a", factor="b", cache=cache
            )
            for cache, kind in enumerate(("query", "key"))
        },
        "dequantise": with_operands(LogitScale(sum_bits=32), sum="a", row_scale="b"),
        "inverse": with_operands(Inverse(), sum="a", exponent="b"),
    }


@pytest.fixture(scope="module")
def arithmetic_bank(verilator, tmp_path_factory):
    return CompiledBank(arithmetic, tmp_path_factory.mktemp("arithmetic"))


@pytest.fixture(scope="module")
def functions_bank(verilator, tmp_path_factory):
    return CompiledBank(functions, tmp_path_factory.mktemp("functions"))


def of_fields(sign, exponent, mantissa) -> np.ndarray:
    """Floats of all combinations; infinities have no mantissa."""
    fields = np.meshgrid(sign, exponent, mantissa, indexing="ij")
    sign, exponent, mantissa = (np.ravel(field).astype(np.uint32) for field in fields)
    mantissa = np.where(exponent == 255, 0, mantissa)
    return (sign << 31 | exponent << 23 | mantissa).astype(np.uint32).view(np.float32)


def every_exponent() -> np.ndarray:
    generator = np.random.default_rng(1)
    mantissas = np.append(generator.integers(0, 1 << 23, UNARY_MANTISSAS), [0, 1, 0x7FFFFF])
    return of_fields((0, 1), range(256), mantissas)


def pairs(mantissa_a: int, mantissa_b: int) -> tuple[np.ndarray, np.ndarray]:
    """All exponents and signs with all."""
    a, b = (of_fields((0, 1), range(256), mantissa) for mantissa in (mantissa_a, mantissa_b))
    return np.repeat(a, len(b)), np.tile(b, len(a))


def check(bank, golden: dict[str, np.ndarray], a: np.ndarray, b: np.ndarray) -> None:
    """Compare words; a golden result is ``[n]`` or a stack of words ``[n, words]``."""
    for form, results in bank.results(a, b).items():
        for name, expected in golden.items():
            bits = np.ascontiguousarray(expected).view(np.uint32).reshape(len(a), -1)
            wrong = np.flatnonzero((bits != results[name]).any(axis=1))
            assert not wrong.size, (
                f"{form} {name}: {wrong.size} of {len(a)} differ, first of "
                f"{a[wrong[0]]!r}, {b[wrong[0]]!r}: {results[name][wrong[0]]}, not {bits[wrong[0]]}"
            )


@pytest.mark.parametrize("mantissas", MANTISSAS)
def test_all_pairs_of_exponents(arithmetic_bank, mantissas):
    a, b = pairs(*mantissas)
    product = numerics.multiply(a, b)
    golden = {
        "multiply": product,
        "multiply_short": product,
        "add": numerics.add(a, b),
        "add_magnitudes": numerics.add(np.abs(a), np.abs(b)),
    }
    check(arithmetic_bank, golden, a, b)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_all_pairs_of_exponents_in_composed_operations(functions_bank):
    a, b = pairs(0x123456, 0x654321)
    gated = {
        "gated_silu": numerics.multiply(numerics.silu(a), b),
        "gated_relu2": numerics.multiply(numerics.relu2(a), b),
    }
    check(functions_bank, gated, a, b)
    a, b = np.abs(a), np.abs(b)
    mean = numerics.add(numerics.multiply(b, INVERSE_WIDTH), EPSILON)
    scale = numerics.multiply(numerics.multiply(a, INVERSE_LIMIT), numerics.rsqrt(mean))
    # Both factors of normed heads; a factor beyond those of a root mean square saturates the unit.
    unit = np.minimum(numerics.multiply(numerics.reciprocal(a), LIMIT), LARGEST)
    normed = numerics.multiply(numerics.multiply(a, INVERSE_LIMIT), b)
    cached = numerics.bfloat16_value(numerics.bfloat16_up(normed))
    key_unit = np.minimum(numerics.multiply(numerics.reciprocal(cached), b), LARGEST)
    golden = {
        "row_scale": scale,
        "normed_query": np.stack([unit, normed], axis=-1),
        "normed_key": np.stack([key_unit, cached], axis=-1),
    }
    check(functions_bank, golden, a, b)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_all_exponents_of_one_operand(functions_bank):
    x = every_exponent()
    golden = {
        name: getattr(numerics, name)(x)
        for name in ("reciprocal", "rsqrt", "exp2", "sigmoid", "silu", "relu2")
    }
    golden |= {"fixed": numerics.fixed(x, 9, 18), "fixed_wide": numerics.fixed(x, 23, 32)}
    clamped = np.clip(numerics.fixed(x, 0, 9), -127, 127)
    check(functions_bank, golden | {"int8": clamped}, x, x)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_all_exponents_of_a_row_s_largest_magnitude(functions_bank):
    """Maxima are flushed: no product is subnormal."""
    x = np.abs(numerics.flush(every_exponent()))
    row = numerics.quantise(x[:, None])
    unit = np.minimum(numerics.multiply(numerics.reciprocal(x), LIMIT), LARGEST)
    _, scale = numerics.quantise_cache(x[:, None])
    cached = numerics.bfloat16_value(scale)
    golden = {
        "row_unit": unit,
        "head_factors": np.stack([unit, row.scale], axis=-1),
        "cache_factors": np.stack([numerics.reciprocal(cached), cached], axis=-1),
        "bfloat16": numerics.bfloat16_up(x).astype(np.uint32),
    }
    check(functions_bank, golden, x, x)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_all_exponents_of_scales(functions_bank):
    """Sums that are zero, exact and rounded, with every scale of a weight, query or row."""
    scale = every_exponent()
    total = np.random.default_rng(2).integers(-(1 << 31), 1 << 31, len(scale)).astype(np.int32)
    total[::3] = 0
    total[1::3] >>= 16
    check(functions_bank, {"dequantise": numerics.dequantise(total, scale)}, total, scale)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_all_exponents_of_values_in_attention(functions_bank):
    generator = np.random.default_rng(3)
    exponent = np.tile(np.arange(256), 64).astype(np.uint32)
    total = generator.integers(1 << 19, 1 << 32, len(exponent)).astype(np.uint32)
    inverse = numerics.reciprocal(total.astype(np.float32))
    golden = numerics.flush(np.ldexp(inverse, exponent.astype(np.int32) - 127 + 3))
    check(functions_bank, {"inverse": golden}, total, exponent)
