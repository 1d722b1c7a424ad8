"""The mapping of float32 to integers of the same order."""

from amaranth.hdl import Cat, Const, Mux, Value

from tercel_hw.float32.primitive import FLOAT32_BITS

__all__ = ["key_of", "value_of"]

MAGNITUDE_BITS = FLOAT32_BITS - 1


def key_of(bits: Value) -> Value:
    """Return 32 unsigned bits in the order of finite and infinite floats; -0.0 equals 0.0."""
    magnitude, sign = bits[:MAGNITUDE_BITS], bits[MAGNITUDE_BITS]
    negative = sign & magnitude.any()
    return Cat(magnitude ^ negative.replicate(MAGNITUDE_BITS), ~negative)


def value_of(key: Value) -> Value:
    """Return the bits of the float of a key; 0.0 for both zeros."""
    magnitude, positive = key[:MAGNITUDE_BITS], key[MAGNITUDE_BITS]
    return Mux(positive, Cat(magnitude, Const(0, 1)), Cat(~magnitude, Const(1, 1)))
