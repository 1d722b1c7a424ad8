"""The golden model against an implementation written from its document, and the document's own
vectors: every bit."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import specified_numerics as specified

from tercel import numerics
from tercel.config import PRESETS
from tercel.device import Ask
from tercel.device.emulator import EmulatorDevice
from tercel.image import Image, multiplier_values, random_image
from tercel.numerics.functions import exp2_significands

DOCUMENT = Path(__file__).parents[3] / "docs" / "numerics.md"
COUNT = 20_000
UNARY = ("reciprocal", "rsqrt", "exp2", "sigmoid", "silu", "relu2")


def same(golden, other):
    golden = np.asarray(golden)
    other = np.asarray(other).astype(golden.dtype)
    assert golden.shape == other.shape
    assert golden.tobytes() == other.tobytes()


def floats(seed, shape, *, exponents=(0, 255)):
    """All kinds of float32 except NaN, with subnormals; every fourth value is near a corner."""
    generator = np.random.default_rng(seed)
    exponent = generator.integers(exponents[0], exponents[1] + 1, shape)
    mantissa = generator.integers(0, 1 << 23, shape)
    corner = generator.choice([0, 1, 2, 0x400000, 0x7FFFFE, 0x7FFFFF], shape)
    mantissa = np.where(generator.random(shape) < 0.25, corner, mantissa)
    mantissa = np.where(exponent == 255, 0, mantissa)
    sign = generator.integers(0, 2, shape)
    return (sign << 31 | exponent << 23 | mantissa).astype(np.uint32).view(np.float32)


def of_bits(*words):
    return np.array([int(word, 16) for word in words], np.uint32).view(np.float32)


def to_bits(x):
    return " ".join(f"{word:08X}" for word in np.ravel(np.float32(x)).view(np.uint32))


def test_arithmetic():
    a, b = floats(1, COUNT), floats(2, COUNT)
    near = floats(3, COUNT, exponents=(120, 130)), floats(4, COUNT, exponents=(120, 130))
    for x, y in (a, b), near, (a, -a), (a, b[::-1]):
        same(numerics.multiply(x, y), specified.mul(x, y))
        same(numerics.add(x, y), specified.add(x, y))


@pytest.mark.parametrize("name", UNARY)
def test_functions(name):
    for x in floats(5, COUNT), floats(6, COUNT, exponents=(110, 140)):
        same(getattr(numerics, name)(x), getattr(specified, name)(x))


def test_tables_are_those_of_the_document():
    text = DOCUMENT.read_text(encoding="utf-8")
    for table in specified.RECIPROCAL, specified.RSQRT, specified.EXP2:
        assert table.digest.hexdigest() in text
    same(exp2_significands(), specified.Z)


@pytest.mark.parametrize(("fraction", "width"), [(9, 18), (23, 32), (0, 8)])
def test_fixed(fraction, width):
    for x in floats(7, COUNT), floats(8, COUNT, exponents=(110, 150)):
        same(numerics.fixed(x, fraction, width), specified.fixed(x, fraction, width))


@pytest.mark.parametrize("exponents", [(0, 255), (120, 130), (0, 3), (180, 254)])
@pytest.mark.parametrize("width", [16, 96, 300])
def test_rows(exponents, width):
    x = floats(width, (40, width), exponents=exponents)
    gain = floats(9, width, exponents=(100, 140))
    x[0] = 0
    same(numerics.sum_of_squares(x), specified.sum_of_squares(x))
    for golden, other in (
        (numerics.quantise(x), specified.quantise(x)),
        (numerics.norm_quantise(x, gain, 1e-5), specified.norm_quantise(x, gain, 1e-5)),
    ):
        same(golden.values, other[0])
        same(golden.scale, other[1])
    for golden, other in (
        (numerics.block_quantise(x), specified.block_quantise(x)),
        (numerics.norm_block_quantise(x, gain, 1e-5), specified.norm_block_quantise(x, gain, 1e-5)),
    ):
        for field, each in zip(("values", "shifts", "scale"), other, strict=True):
            same(getattr(golden, field), each)
    rows, factor = numerics.head_norm(x, gain, 1e-6)
    same(factor, specified.inverse_rms(x, 1e-6))
    for golden, other in (
        (numerics.quantise_cache(x), specified.cache_quantise(x)),
        (numerics.quantise_cache(rows, factor), specified.key_quantise(rows, factor)),
    ):
        for part, each in zip(golden, other, strict=True):
            same(part, each)
    c, s = floats(10, (2, 40, 8), exponents=(100, 127))
    same(numerics.rotate(x[:, None, :16], c, s)[:, 0], specified.rope(x[:, :16], c, s))


@pytest.mark.parametrize("spread", [(125, 128), (110, 135), (0, 255)])
@pytest.mark.parametrize("size", [16, 64])
def test_attention(spread, size):
    nodes, past, heads, kv_heads = 4, 30, 4, 2
    q = numerics.quantise(floats(size, (nodes, heads, size), exponents=(118, 128)))
    shape = (kv_heads, past + nodes, size)
    # Positions have scales of their own: one exponent a row.
    rows = np.random.default_rng(11).normal(size=(2, *shape)).astype(np.float32)
    keys = numerics.multiply(rows[0], floats(12, shape[:2], exponents=(120, 128))[..., None])
    values = numerics.multiply(rows[1], floats(13, shape[:2], exponents=spread)[..., None])
    (k, k_scales), (v, v_scales) = map(numerics.quantise_cache, (keys, values))
    view = numerics.CacheView(keys=k, key_scales=k_scales, values=v, value_scales=v_scales)
    ancestors = np.array([[1, 0, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 0, 1]], bool)
    golden = numerics.attend(q, view, ancestors).reshape(nodes, heads, size)
    for node in range(nodes):
        seen = np.append(np.ones(past, bool), ancestors[node])
        for head in range(heads):
            kv = head // (heads // kv_heads)
            other = specified.attention(
                q.values[node, head].astype(np.int64),
                q.scale[node, head],
                k[kv, seen].astype(np.int64),
                k_scales[kv, seen].astype(np.int64),
                v[kv, seen].astype(np.int64),
                v_scales[kv, seen].astype(np.int64),
            )
            same(golden[node, head], other)


def test_linears_and_head():
    generator = np.random.default_rng(14)
    x = numerics.quantise(floats(15, (3, 200), exponents=(120, 130)))
    trits = generator.integers(-1, 2, (50, 200), np.int8)
    rows = generator.integers(-127, 128, (500, 200), np.int8)
    scales = np.abs(floats(16, 500, exponents=(105, 125)))
    weight_scale = np.float32(0.037)
    sums = numerics.ternary_linear(trits, x.values)
    y = numerics.dequantise(sums, numerics.multiply(x.scale, weight_scale)[:, None])
    u = numerics.head_logits(rows, scales, x)
    summed = numerics.exponential_sum(u, x.scale)
    for node in range(3):
        values = x.values[node].astype(np.int64)
        same(y[node], specified.linear(trits, values, x.scale[node], weight_scale))
        same(u[node], specified.head(rows.astype(np.int64), scales, values))
        octave, total = specified.exponential_sum(u[node], x.scale[node])
        assert (octave, total) == (summed.octave[node], summed.total[node])


@pytest.mark.parametrize("columns", [40, 128, 300])
def test_groups(columns):
    generator = np.random.default_rng(17)
    x = numerics.block_quantise(floats(18, (3, columns), exponents=(118, 130)))
    trits = generator.integers(-1, 2, (50, columns), np.int8)
    codes = generator.integers(0, 1024, (50, -(-columns // 128))).astype(np.uint16)
    multipliers = multiplier_values(codes)
    scales = np.abs(floats(19, 50, exponents=(105, 125)))
    sums = numerics.grouped_linear(trits, multipliers, x)
    y = numerics.dequantise(sums, numerics.multiply(x.scale[:, None], scales))
    u = numerics.dequantise(sums, scales)
    matrix = trits.astype(np.int64), multipliers.astype(np.int64), scales
    for node in range(3):
        a = x.values[node].astype(np.int64), x.shifts[node].astype(np.int64)
        same(y[node], specified.group_linear(*matrix, *a, x.scale[node]))
        same(u[node], specified.group_head(*matrix, *a))


FAMILIES = {
    "silu": PRESETS["tiny"],
    "relu2": replace(PRESETS["tiny"], activation="relu2", sub_norms=True, tied_head=False),
    "rows": replace(PRESETS["tiny"], granularity="row", qk_norm=True),
    "groups": replace(PRESETS["tiny"], ffn_size=300, granularity="group", sub_norms=True),
    "ternary head": replace(
        PRESETS["tiny"],
        hidden_size=144,
        granularity="group",
        ternary_head=True,
        tied_head=False,
        qk_norm=True,
    ),
    "tied ternary head": replace(PRESETS["tiny"], granularity="group", ternary_head=True),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_whole_passes(tmp_path, family):
    random_image(tmp_path / "random.tercel", FAMILIES[family], seed=3)
    image = Image.open(tmp_path / "random.tercel")
    device, model = EmulatorDevice(image, nodes=4), specified.SpecifiedModel(image)
    nodes = tuple(range(4))
    for tokens, parents, path in (
        ([5, 17, 3, 38], [-1, 0, 0, 1], [0, 1, 3]),
        ([41, 2, 30, 9], [-1, 0, 1, 1], [0, 1]),
        ([7, 7, 1, 90], [-1, 0, 1, 2], [0]),
    ):
        ask = Ask(logits=nodes, hidden=nodes, top_k=3)
        golden = device.run_pass(tokens, parents=parents, ask=ask)
        hidden, u, scales = model.run_pass(tokens, parents)
        for node in nodes:
            same(golden.hidden[node], hidden[node])
            same(golden.logits[node], specified.mul(u[node], scales[node]))
            best = sorted(range(len(u[node])), key=lambda row, u=u[node]: (-u[row], row))
            assert golden.top_ids[node].tolist() == best[:3]
            octave, total = specified.exponential_sum(u[node], scales[node])
            assert golden.logsumexp[node] == (octave - 43 + np.log2(np.float64(total))) * np.log(2)
        device.commit(path)
        model.commit(path)


def ramp(n, a=0):
    return (((37 * np.arange(n) + 11 * a) % 101) - 50).astype(np.float32) / np.float32(8)


def gain(n):
    return (1 + np.arange(n) % 7 / 16).astype(np.float32)


def steep(n):
    return ramp(n) * np.exp2(-(np.arange(n) // 64) * 3).astype(np.float32)


def vector_of_attention(n):
    queries, q_scales = specified.quantise(np.stack([ramp(n, 1), ramp(n, 2)]) / np.float32(16))
    keys = specified.cache_quantise(np.stack([ramp(n, 3 + s) for s in range(5)]))
    values = specified.cache_quantise(
        np.stack([ramp(n, 9 + s) * np.float32(2**s) for s in range(5)])
    )
    return [
        specified.attention(q, scale, *keys, *values)[:2]
        for q, scale in zip(queries, q_scales, strict=True)
    ]


def vector_of_norm(n):
    values, scale = specified.norm_quantise(ramp(n), gain(n), 1e-5)
    return " ".join([to_bits(scale), *map(str, np.ravel(values)[:8])])


def vector_of_blocks(n):
    """The second half is smaller, so that its blocks have smaller shifts."""
    values, h, scale = map(np.ravel, specified.norm_block_quantise(steep(n), gain(n), 1e-5))
    last = [values[0], values[1], values[-2], values[-1]]
    return " ".join([to_bits(scale), *map(str, h), *map(str, last)])


def vector_of_keys(n):
    z, r = specified.mul(ramp(n), gain(n)), specified.inverse_rms(ramp(n), 1e-6)
    values, scale = map(np.ravel, specified.key_quantise(z, r))
    return " ".join([to_bits(r), f"{scale.item():04X}", *map(str, values[:8])])


def vector_of_groups(n):
    trits = np.arange(3 * n).reshape(3, n) % 3 - 1
    trits[:, ::7] *= -1
    multipliers = np.array([[2044, 1], [255, 256], [3, 512]])[:, : -(-n // 128)]
    values, h, scale = map(np.ravel, specified.block_quantise(steep(n)))
    row_scale = np.array([0.5, 1, 3], np.float32)
    sums = specified.group_sums(trits, multipliers, values, h)
    y = specified.group_linear(trits, multipliers, row_scale, values, h, scale)
    return " ".join([*map(str, sums), to_bits(y)])


def vector_of_cache(n):
    values, scale = specified.cache_quantise(ramp(n))
    return " ".join([f"{scale.item():04X}", *map(str, np.ravel(values)[:8])])


def vector_of_rope(n):
    y = specified.rope(ramp(n), np.full(n // 2, 0.5, "f4"), np.full(n // 2, -0.25, "f4"))
    return to_bits(y[[0, 1, n // 2, n // 2 + 1]])


def vector_of_logsumexp(n):
    octave, total = specified.exponential_sum(ramp(n) * np.float32(4), np.float32(6.4375))
    return f"{octave} {total:016X}"


def vector_of_shortlist(n):
    return " ".join(map(str, specified.shortlist(ramp(n).tolist(), 32)[:8]))


COMPOSED = {
    "sum_of_squares": lambda n: to_bits(specified.sum_of_squares(ramp(n))),
    "norm_quantise": vector_of_norm,
    "norm_block_quantise": vector_of_blocks,
    "key_quantise": vector_of_keys,
    "groups": vector_of_groups,
    "cache_quantise": vector_of_cache,
    "rope": vector_of_rope,
    "attention": lambda n: to_bits(vector_of_attention(n)),
    "logsumexp": vector_of_logsumexp,
    "shortlist": vector_of_shortlist,
}


def computed(name, arguments):
    if name in COMPOSED:
        return COMPOSED[name](int(arguments[0]))
    if name == "fixed":
        return str(specified.fixed(of_bits(arguments[0]), *map(int, arguments[1:])).item())
    function = {"multiply": specified.mul, "add": specified.add}.get(name)
    function = function or getattr(specified, name)
    return to_bits(function(*map(of_bits, arguments)))


def test_vectors_of_the_document():
    block = re.search(r"```vectors\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    lines = block[1].splitlines()
    names = set()
    for line in lines:
        left, _, right = line.partition(" = ")
        name, *arguments = left.split()
        assert computed(name, arguments) == right, line
        names.add(name)
    assert names == {"multiply", "add", "fixed", *UNARY, *COMPOSED}
