"""Packers of the GGUF types that ``gguf`` does not write, straight from their definitions."""

import numpy as np


def i2s(trits: np.ndarray, layout: str, scale: float) -> bytes:
    """I2_S as bitnet.cpp's ``quantize_i2_s`` writes it, with its tail of 32 bytes."""
    codes = (trits + 1).astype(np.uint8)
    if layout == "rows":
        a, b, c, d = codes.reshape(-1, 4, codes.shape[1]).swapaxes(0, 1)
    else:
        a, b, c, d = codes.reshape(-1, 4, {"x86": 32, "arm": 16}[layout]).swapaxes(0, 1)
    return (a << 6 | b << 4 | c << 2 | d).tobytes() + np.float32(scale).tobytes() + bytes(28)


def two_bit(trits: np.ndarray, scales: np.ndarray) -> bytes:
    """Q2_0 or PQ2_0; ``scales`` has a float16 for each group of a row."""
    groups = scales.size
    quarters = (trits + 1).astype(np.uint8).reshape(groups, -1, 4)
    codes = (quarters << np.array([0, 2, 4, 6], np.uint8)).sum(-1).astype(np.uint8)
    heads = scales.astype("<f2").reshape(groups, 1).view(np.uint8)
    return np.concatenate([heads, codes], axis=1).tobytes()


def signs(trits: np.ndarray, scales: np.ndarray) -> bytes:
    """Q1_0, whose weights are -1 and 1."""
    bits = np.packbits(trits.reshape(scales.size, -1) > 0, axis=1, bitorder="little")
    heads = scales.astype("<f2").reshape(scales.size, 1).view(np.uint8)
    return np.concatenate([heads, bits], axis=1).tobytes()


def fraction(*trits: int) -> int:
    """The byte of up to five trits: their base-3 fraction in 256ths, rounded up."""
    number = 0
    for trit in [*trits, *[-1] * (5 - len(trits))]:
        number = 3 * number + int(trit) + 1
    return -(-number * 256 // 243)


def base_three(trits: np.ndarray, scales: np.ndarray) -> bytes:
    """PTQ1_0: runs of 16 and 8 bytes with five trits and of 2 with four, then the scale."""
    data = bytearray()
    for block, scale in zip(trits.reshape(-1, 128), scales.ravel(), strict=True):
        start = 0
        for length, digits in ((16, 5), (8, 5), (2, 4)):
            run = block[start : start + length * digits].reshape(digits, length)
            data += bytes(fraction(*run[:, byte]) for byte in range(length))
            start += length * digits
        data += np.float16(scale).astype("<f2").tobytes()
    return bytes(data)
