"""Float32 bits as integers of the same order."""

from amaranth.hdl import Cat, Const, Mux, Value

from tercel_hw.float32.primitive import FLOAT32_BITS

__all__ = ["key_of", "value_of"]

MAGNITUDE_BITS = FLOAT32_BITS - 1


def key_of(bits: Value) -> Value:
    """32 bits, unsigned, ordered as the finite and infinite floats are; -0.0 as 0.0."""
    magnitude, sign = bits[:MAGNITUDE_BITS], bits[MAGNITUDE_BITS]
    negative = sign & magnitude.any()
    return Cat(magnitude ^ negative.replicate(MAGNITUDE_BITS), ~negative)


def value_of(key: Value) -> Value:
    """The float's bits; of both zeros, 0.0."""
    magnitude, positive = key[:MAGNITUDE_BITS], key[MAGNITUDE_BITS]
    return Mux(positive, Cat(magnitude, Const(0, 1)), Cat(~magnitude, Const(1, 1)))
