import numpy as np
import pytest
from onnx_sessions import evaluate as run_part

from tercel import numerics
from tercel_export.onnx.device_functions import DeviceFunctions


def evaluate(record, *inputs):
    """The output of ``record(functions, *values)`` in onnxruntime."""
    return run_part(lambda graph, *values: record(DeviceFunctions(graph), *values), *inputs)


@pytest.fixture(scope="module")
def positive():
    """Normal floats of every exponent, powers of two and their neighbours, and segment edges."""
    rng = np.random.default_rng(5)
    mantissas = np.concatenate(
        [rng.integers(0, 1 << 23, 64), [0, 1, (1 << 23) - 1], np.arange(256) << 15]
    )
    bits = (np.arange(1, 255)[:, None] << 23 | mantissas).astype(np.uint32)
    return bits.reshape(-1).view(np.float32)


def test_reciprocals(positive):
    x = np.concatenate([positive, np.array([0, np.inf], np.float32)])
    found = evaluate(lambda functions, x: functions.reciprocal(x), x)
    assert np.array_equal(found, numerics.reciprocal(x))


def test_reciprocal_roots(positive):
    found = evaluate(lambda functions, x: functions.rsqrt(x), positive)
    assert np.array_equal(found, numerics.rsqrt(positive))


def test_powers_of_two(positive):
    x = np.concatenate([-positive, positive, np.array([0, 127.99999, 128, -126, -127], np.float32)])
    found = evaluate(lambda functions, x: functions.exp2(x), x)
    assert np.array_equal(found, numerics.exp2(x))


def test_silu():
    rng = np.random.default_rng(6)
    x = np.concatenate([rng.normal(0, 8, 5000), np.linspace(-100, 100, 5001)]).astype(np.float32)
    found = evaluate(lambda functions, x: functions.silu(x), x)
    assert np.array_equal(found, numerics.silu(x))


def test_bfloat16_is_rounded_up_and_recognised(positive):
    x = positive[positive < 3e38]
    found = evaluate(lambda functions, x: functions.bfloat16_up(x), x)
    assert np.array_equal(found, numerics.bfloat16_value(numerics.bfloat16_up(x)))
    exact = evaluate(lambda functions, x: functions.is_bfloat16(x), x)
    assert np.array_equal(exact, found == x)


@pytest.mark.parametrize("exponent", [-140, -3, 0, 5])
def test_scaling_by_powers_of_two(positive, exponent):
    # The largest subnormals, which NumPy rounds up to a normal number, are zeros here.
    x = positive[(positive < 1e36) & (positive.view(np.uint32) & 0x7FFFFF != 0x7FFFFF)]
    exponents = np.full(len(x), exponent, np.int32)
    found = evaluate(lambda functions, x, e: functions.scaled(x, e), x, exponents)
    assert np.array_equal(found, numerics.flush(np.ldexp(x, exponent)))
