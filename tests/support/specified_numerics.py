"""A second implementation, written from docs/numerics.md only: it imports nothing of tercel.

Names are those of the document. Rows are the last axis; floats are float32 arrays.
"""

import hashlib

import numpy as np

F = np.float32
LOG2E, INV127, LARGEST = F(np.log2(np.e)), F(1) / F(127), np.finfo(F).max


def normal(y):
    return np.where(np.abs(y) < F(2.0**-126), np.copysign(F(0), y), y)


def mul(a, b):
    a, b = np.broadcast_arrays(normal(F(a)), normal(F(b)))
    with np.errstate(all="ignore"):
        y = normal(a * b)
    zero = (a == 0) | (b == 0)
    return np.where(zero, np.copysign(F(0), np.copysign(F(1), a) * np.copysign(F(1), b)), y)


def add(a, b):
    a, b = np.broadcast_arrays(normal(F(a)), normal(F(b)))
    with np.errstate(all="ignore"):
        y = normal(a + b)
    return np.where(np.isinf(a) & np.isinf(b) & (a != b), F(np.inf), y)


def fixed(x, f, w):
    scaled = np.rint(np.float64(x) * 2.0**f)
    return np.clip(scaled, -(2.0 ** (w - 1)), 2.0 ** (w - 1) - 1).astype(np.int64)


def half_up(x, k):
    return np.where(k > 0, (x + (1 << np.maximum(k, 1) >> 1)) >> np.maximum(k, 0), x)


class Table:
    def __init__(self, f, left, right, b, *, falls):
        self.b, self.falls = b, falls
        chord = (f(left) + f(right)) / 2
        self.d = np.rint(np.abs(f(right) - f(left)) * 2**19).astype(np.int64)
        self.v = np.rint((f(left) - (chord - f((left + right) / 2)) / 2) * 2**23).astype(np.int64)
        t = self.d * (2**b - 1) >> b - 4
        low, high = (2**23 + t, 2**24 - 1) if falls else (2**23, 2**24 - 1 - t)
        self.v = np.clip(self.v, low, high)

    @property
    def digest(self):
        return hashlib.sha256(self.v.astype("<i4").tobytes() + self.d.astype("<i4").tobytes())

    def __call__(self, index, low):
        step = self.d[index] * low >> self.b - 4
        return self.v[index] - step if self.falls else self.v[index] + step


INDEX = np.arange(256)
UNIT = 1 + INDEX / 256
HALVES = np.where(INDEX < 128, 1 + INDEX / 128, 2 + (INDEX - 128) / 64)
WIDTHS = np.where(INDEX < 128, 1 / 128, 1 / 64)
RECIPROCAL = Table(lambda m: 2 / m, UNIT, UNIT + 1 / 256, 15, falls=True)
RSQRT = Table(lambda m: 2 / np.sqrt(m), HALVES, HALVES + WIDTHS, 16, falls=True)
EXP2 = Table(np.exp2, INDEX / 256, INDEX / 256 + 1 / 256, 15, falls=False)
Z = np.rint(np.exp2(np.arange(512) / 512) * 2**15).astype(np.int64)


def fields(x):
    bits = np.ascontiguousarray(x, F).view(np.uint32).astype(np.int64)
    return bits >> 31, bits >> 23 & 255, bits & 0x7FFFFF


def number(sign, e, y):
    bits = np.where(e <= 0, 0, np.where(e >= 255, 0x7F800000, e << 23 | y - (1 << 23)))
    return (sign << 31 | bits).astype(np.uint32).view(F)


def reciprocal(x):
    s, e, m = fields(x)
    return number(s, np.where(e == 0, 0, 253 - e), RECIPROCAL(m >> 15, m & 0x7FFF))


def rsqrt(x):
    s, e, m = fields(x)
    y = RSQRT(128 * (e - 127 & 1) + (m >> 16), m & 0xFFFF)
    return number(s, np.where(e == 0, 0, 126 - (e - 127 >> 1)), y)


def exp2(x):
    t = fixed(x, 23, 32)
    y = EXP2((t & 0x7FFFFF) >> 15, t & 0x7FFF)
    return number(np.zeros_like(t), (t >> 23) + 127, y)


def sigmoid(x):
    return reciprocal(add(1, exp2(mul(-x, LOG2E))))


def silu(x):
    return mul(x, sigmoid(x))


def relu2(x):
    p = np.where(x > 0, x, F(0))
    return mul(p, p)


def clamp(x):
    return np.clip(np.rint(x), -127, 127).astype(np.int64)


def quantise(x):
    m = np.abs(x).max(-1)
    u = np.minimum(mul(reciprocal(m), 127), LARGEST)
    return clamp(mul(x, u[..., None])), mul(m, INV127)


def tree(x):
    while x.shape[-1] > 1:
        x = add(x[..., ::2], x[..., 1::2])
    return x[..., 0]


def sum_of_squares(x):
    squares = np.zeros((*x.shape[:-1], -(-x.shape[-1] // 128) * 128), F)
    squares[..., : x.shape[-1]] = mul(x, x)
    sums = tree(squares.reshape(*x.shape[:-1], -1, 16))
    accumulators = sums[..., :8]
    for j in range(8, sums.shape[-1], 8):
        accumulators = add(accumulators, sums[..., j : j + 8])
    return tree(accumulators)


def norm_quantise(x, g, eps):
    values, scale = quantise(mul(x, g))
    return values, mul(scale, inverse_rms(x, eps))


def block_quantise(x):
    n = x.shape[-1]
    m = np.abs(x).max(-1)
    u = np.minimum(mul(reciprocal(m), 127), LARGEST)
    blocks = [np.abs(x[..., at : at + 64]).max(-1) for at in range(0, n, 64)]
    (_, e, f), (_, e_b, f_b) = fields(m[..., None]), fields(np.stack(blocks, -1))
    s = np.where(e_b == 0, 7, np.clip(e - e_b - (f_b > f), 0, 7))
    power = np.float32(2.0) ** np.repeat(s, 64, -1)[..., :n]
    return clamp(mul(mul(x, u[..., None]), power)), 7 - s, mul(mul(m, INV127), F(2.0**-7))


def norm_block_quantise(x, g, eps):
    values, h, scale = block_quantise(mul(x, g))
    return values, h, mul(scale, inverse_rms(x, eps))


def inverse_rms(x, eps):
    return rsqrt(add(mul(sum_of_squares(x), F(1 / x.shape[-1])), F(eps)))


def bfloat16(bits):
    return (np.asarray(bits, np.uint32) << np.uint32(16)).view(F)


def cache_quantise(x):
    scale = mul(np.abs(x).max(-1), INV127)
    scale = (np.ascontiguousarray(scale).view(np.uint32).astype(np.int64) + 0xFFFF) >> 16
    return clamp(mul(x, reciprocal(bfloat16(scale))[..., None])), scale


def query_quantise(z, r):
    values, scale = quantise(z)
    return values, mul(scale, r)


def key_quantise(z, r):
    scale = mul(mul(np.abs(z).max(-1), INV127), r)
    scale = (np.ascontiguousarray(scale).view(np.uint32).astype(np.int64) + 0xFFFF) >> 16
    u = mul(reciprocal(bfloat16(scale)), r)
    return clamp(mul(z, u[..., None])), scale


def group_sums(trits, multipliers, values, h):
    """Sums ``[rows]`` of one node, group by group and column by column of blocks."""
    shifted = values << np.repeat(h, 64)[: len(values)]
    parts = trits * shifted
    sums = np.zeros(len(trits), np.int64)
    for g in range(multipliers.shape[1]):
        sums += multipliers[:, g] * parts[:, 128 * g : 128 * (g + 1)].sum(-1)
    return sums


def group_linear(trits, multipliers, row_scale, values, h, scale):
    return mul(F(group_sums(trits, multipliers, values, h)), mul(scale, row_scale))


def group_head(trits, multipliers, row_scale, values, h):
    return mul(F(group_sums(trits, multipliers, values, h)), row_scale)


def linear(trits, values, scale, weight_scale):
    return mul(F(trits @ values), mul(scale, weight_scale))


def rope(x, c, s):
    h = x.shape[-1] // 2
    a, b = x[..., :h], x[..., h:]
    return np.concatenate([add(mul(a, c), -mul(b, s)), add(mul(b, c), mul(a, s))], -1)


def attention(q, q_scale, k, k_scales, v, v_scales):
    """Attention of one query ``[size]`` over its visible positions ``[positions, size]``."""
    c = mul(q_scale, LOG2E / np.sqrt(F(len(q))))
    t = fixed(mul(F(k @ q), mul(c, bfloat16(k_scales))), 9, 18)
    e = (v_scales >> 7) - 127
    a = np.where(v_scales >> 7, 128 + (v_scales & 127), 0)
    n, j = -((t - t.max()) >> 9), (t - t.max()) & 511
    # Larger shifts give 0, and NumPy shifts by at most 63.
    p = half_up(16 * Z[j], np.minimum(n, 50))
    w = half_up(Z[j] * a, np.minimum(6 + n + e.max() - e, 50))
    inverse = np.float64(reciprocal(F(p.sum()))) * 2.0 ** (e.max() + 3)
    return mul(F(w @ v), normal(F(inverse)))


def head(rows, row_scales, values):
    return mul(F(rows @ values), row_scales)


def exponential_sum(u, scale):
    t = fixed(mul(u, mul(scale, LOG2E)), 9, 18)
    depth = (t >> 9).max() - (t >> 9)
    total = sum(int(Z[i & 511]) << int(28 - n) for i, n in zip(t, depth, strict=True) if n <= 28)
    return int((t >> 9).max()), total


def shortlist(scores, size):
    """Rows that a node lists by its scores ``[rows]``."""
    found = []
    for bucket in range(size // 4):
        rows = range(bucket, len(scores), size // 4)
        best = sorted(rows, key=lambda row: (-scores[row], row))[:4]
        found += sorted(best)
    return found


class SpecifiedModel:
    """The document's section on a pass, with the tensors of an image and an empty cache."""

    def __init__(self, image):
        self.image, self.config = image, image.config
        self.base = 0
        self.cache = [[] for _ in range(self.config.layers)]
        """Slots of each layer: (keys, key scales, values, value scales) of all heads."""

    def matrix(self, name):
        """Trits, and with groups multipliers, as int64."""
        trits = self.image.ternary(name).astype(np.int64)
        if self.image.config.granularity != "group":
            return (trits,)
        return trits, self.image.multipliers(name).astype(np.int64)

    def linear(self, layer, name, a):
        name = f"layers.{layer}.{name}"
        matrix, scales = self.matrix(name), self.image.row_scales(name)
        if len(matrix) == 1:
            return np.stack([linear(*matrix, x, s, scales) for x, s in zip(*a, strict=True)])
        return np.stack([group_linear(*matrix, scales, *each) for each in zip(*a, strict=True)])

    def normed(self, name, x):
        gain, eps = self.image.gain(name), self.config.norm_epsilon
        grouped = self.config.granularity == "group"
        if name == "norm":
            grouped = self.config.ternary_head
        return norm_block_quantise(x, gain, eps) if grouped else norm_quantise(x, gain, eps)

    def requantised(self, name, x):
        if self.config.sub_norms:
            return self.normed(name, x)
        return block_quantise(x) if self.config.granularity == "group" else quantise(x)

    def head_normed(self, name, x):
        """Heads times the gain, and the inverse of their root mean square."""
        if not self.config.qk_norm:
            return x, np.ones(x.shape[:-1], F)
        return mul(x, self.image.gain(name)), inverse_rms(x, self.config.norm_epsilon)

    def embed(self, tokens):
        if self.config.ternary_head:
            name = "head" if self.config.tied_head else "embedding"
            trits, multipliers = (part[list(tokens)] for part in self.matrix(name))
            groups = np.repeat(multipliers, 128, -1)[:, : trits.shape[1]]
            return mul(F(trits * groups), self.image.row_scales(name)[list(tokens), None])
        rows, row_scales = self.image.rows("embedding", tokens)
        return mul(F(rows), row_scales[:, None])

    def head(self, x):
        """Unscaled logits of all nodes and their scales."""
        *values, scales = self.normed("norm", x)
        if self.config.ternary_head:
            matrix, row_scales = self.matrix("head"), self.image.row_scales("head")
            nodes = zip(*values, strict=True)
            return np.stack([group_head(*matrix, row_scales, *each) for each in nodes]), scales
        rows, row_scales = self.image.rows("head")
        return np.stack([head(rows.astype(np.int64), row_scales, v) for v in values[0]]), scales

    def attend(self, layer, x, seen, depth):
        config, nodes = self.config, len(x)
        a = self.normed(f"layers.{layer}.attention_norm", x)
        q, k, v = (
            self.linear(layer, name, a).reshape(nodes, -1, config.head_size) for name in "qkv"
        )
        c, s = (table[self.base + depth][:, None] for table in self.image.rope())
        (q, q_r), (k, k_r) = (
            self.head_normed(f"layers.{layer}.{name}_norm", x) for name, x in (("q", q), ("k", k))
        )
        q, q_scales = query_quantise(rope(q, c, s), q_r)
        k, k_scales = key_quantise(rope(k, c, s), k_r)
        v, v_scales = cache_quantise(v)
        self.cache[layer][self.base :] = zip(k, k_scales, v, v_scales, strict=True)
        slots = [np.stack(part) for part in zip(*self.cache[layer], strict=True)]
        y = np.empty((nodes, config.heads, config.head_size), F)
        for node, head in np.ndindex(nodes, config.heads):
            kv = head // (config.heads // config.kv_heads)
            parts = (part[seen[node], kv] for part in slots)
            y[node, head] = attention(q[node, head], q_scales[node, head], *parts)
        return self.linear(
            layer, "o", self.requantised(f"layers.{layer}.attention_sub_norm", y.reshape(nodes, -1))
        )

    def feed(self, layer, x):
        a = self.normed(f"layers.{layer}.mlp_norm", x)
        gate, up = (self.linear(layer, name, a) for name in ("gate", "up"))
        y = mul((silu if self.config.activation == "silu" else relu2)(gate), up)
        return self.linear(layer, "down", self.requantised(f"layers.{layer}.mlp_sub_norm", y))

    def run_pass(self, tokens, parents):
        """Hidden rows, unscaled logits and activation scales of every node."""
        depth = np.zeros(len(tokens), np.int64)
        seen = [list(range(self.base)) for _ in tokens]
        for node, parent in enumerate(parents):
            if node:
                depth[node], seen[node] = depth[parent] + 1, list(seen[parent])
            seen[node].append(self.base + node)
        x = self.embed(tokens)
        for layer in range(self.config.layers):
            x = add(x, self.attend(layer, x, seen, depth))
            x = add(x, self.feed(layer, x))
        return x, *self.head(x)

    def commit(self, path):
        for slots in self.cache:
            slots[self.base :] = [slots[self.base + node] for node in path]
        self.base += len(path)
