"""The golden device: the whole pass in NumPy, equal to the accelerator bit for bit."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController

from tercel import numerics
from tercel.config import ModelConfig
from tercel.device.cache import KVCache
from tercel.device.interface import Ask, Counters, Device, Limits, PassResult
from tercel.device.weights import ModelWeights
from tercel.errors import TercelError
from tercel.image import Image
from tercel.numerics import Quantised
from tercel.numerics.float32 import Float32

__all__ = ["EmulatorDevice"]

TOP_K = 64


class EmulatorDevice(Device):
    """A device that computes every pass with the golden numerics.

    Parameters
    ----------
    image
        The model.
    nodes
        K, the most nodes of a pass.
    context
        KV positions to hold; ``None`` is the model's own.

    Raises
    ------
    TercelError
        If ``nodes`` or ``context`` is out of range.
    """

    def __init__(self, image: Image, *, nodes: int = 8, context: int | None = None):
        config = image.config
        context = config.context if context is None else context
        if nodes < 1:
            raise TercelError(f"a device needs at least 1 node a pass, not {nodes}")
        if not 1 <= context <= config.context:
            raise TercelError(f"context must be in 1..{config.context}, the model's, not {context}")
        self._config = config
        top_k = min(TOP_K, config.vocab_size)
        self._limits = Limits(nodes=nodes, context=context, top_k=top_k)
        self._weights = ModelWeights(image)
        self._cache = KVCache(config=config, positions=context)
        self._length = 0
        self._counters = Counters()
        self._blas = ThreadpoolController()
        self._pending: list[int] | None = None
        """Parents of the pass that may be committed."""

    @property
    def config(self) -> ModelConfig:
        return self._config

    @property
    def limits(self) -> Limits:
        return self._limits

    @property
    def length(self) -> int:
        return self._length

    @property
    def counters(self) -> Counters:
        return self._counters

    @property
    def cache(self) -> KVCache:
        return self._cache

    def reset(self) -> None:
        self._length = 0
        self._pending = None

    def run_pass(
        self,
        tokens: Sequence[int] | None = None,
        *,
        embedding_rows: npt.NDArray[np.float32] | None = None,
        parents: Sequence[int] | None = None,
        base: int | None = None,
        ask: Ask = Ask(),
    ) -> PassResult:
        parents = self.check_pass(tokens, embedding_rows, parents, base, ask)
        if embedding_rows is None:
            stream = self._weights.embed(np.asarray(tokens, np.int64))
        else:
            stream = numerics.flush(np.asarray(embedding_rows, np.float32))
        mask = ask.layer_mask or ((True, True),) * self._config.layers
        counters = self._count(len(parents), mask, ask)
        self._pending = None  # an interrupted pass leaves nothing to commit
        # BLAS threads that wait for each other by spinning are ruinous on a busy machine.
        with self._blas.limit(limits=1, user_api="blas"):
            stream = self._layers(stream, _Tree(parents), mask)
            result = self._answer(stream, ask, counters)
        self._counters += counters
        self._pending = parents if all(attention for attention, _ in mask) else None
        return result

    def commit(self, path: Sequence[int]) -> None:
        path = self.check_path(path, self._pending)
        if path != list(range(len(path))):
            self._cache.gather(self._length, path)
        self._length += len(path)
        self._pending = None

    def save(self) -> KVCache:
        return self._copy(self._cache, KVCache(config=self._config, positions=self._length))

    def restore(self, cache: KVCache, length: int) -> None:
        self.check_cache(cache, length)
        self._length = length
        self._pending = None
        self._copy(cache, self._cache)

    def _copy(self, source: KVCache, target: KVCache) -> KVCache:
        """Copy the committed positions from one cache to another."""
        for layer in range(self._config.layers):
            target.store(layer, source.view(layer, self._length))
        return target

    def _layers(self, stream: Float32, tree: "_Tree", mask: Sequence[tuple[bool, bool]]) -> Float32:
        for layer, (attention, mlp) in enumerate(mask):
            if attention:
                stream = self._attention(layer, stream, tree)
            if mlp:
                stream = self._mlp(layer, stream)
        return stream

    def _attention(self, layer: int, stream: Float32, tree: "_Tree") -> Float32:
        config, weights = self._config, self._weights
        nodes = len(stream)
        x = numerics.norm_quantise(
            stream, weights.gain(layer, "attention_norm"), config.norm_epsilon
        )
        qkv = weights.linear(layer, "qkv", x)
        heads = qkv.reshape(nodes, config.heads + 2 * config.kv_heads, config.head_size)
        q, k, v = np.split(heads, [config.heads, config.heads + config.kv_heads], axis=1)
        rotation = self._weights.rope(self._length + tree.depth)
        q = numerics.quantise(numerics.rotate(q, *rotation))
        self._cache.write(layer, self._length, numerics.rotate(k, *rotation), v)
        view = self._cache.view(layer, self._length + nodes)
        attended = numerics.attend(q, view, tree.ancestors)
        x = self._requantise(layer, "attention_sub_norm", attended)
        return numerics.add(stream, weights.linear(layer, "o", x))

    def _mlp(self, layer: int, stream: Float32) -> Float32:
        config, weights = self._config, self._weights
        x = numerics.norm_quantise(stream, weights.gain(layer, "mlp_norm"), config.norm_epsilon)
        gate_up = weights.linear(layer, "gate_up", x)
        activation = numerics.silu if config.activation == "silu" else numerics.relu2
        gated = numerics.multiply(activation(gate_up[:, 0::2]), gate_up[:, 1::2])
        x = self._requantise(layer, "mlp_sub_norm", gated)
        return numerics.add(stream, weights.linear(layer, "down", x))

    def _requantise(self, layer: int, norm: str, x: Float32) -> Quantised:
        if not self._config.sub_norms:
            return numerics.quantise(x)
        return numerics.norm_quantise(x, self._weights.gain(layer, norm), self._config.norm_epsilon)

    def _answer(self, stream: Float32, ask: Ask, counters: Counters) -> PassResult:
        hidden = {node: stream[node].copy() for node in ask.hidden}
        if not ask.needs_head:
            return PassResult(hidden=hidden, counters=counters)
        x = numerics.norm_quantise(stream, self._weights.final_gain, self._config.norm_epsilon)
        unscaled = self._weights.head(x, ask.head_rows)
        top_ids = top_logits = logsumexp = None
        if ask.top_k:
            top_ids = numerics.top_k(unscaled, ask.top_k)
            top_logits = numerics.logits(np.take_along_axis(unscaled, top_ids, axis=1), x.scale)
            logsumexp = numerics.exponential_sum(unscaled, x.scale).log()
        wanted = list(ask.logits)
        logits = numerics.logits(unscaled[wanted], x.scale[wanted])
        return PassResult(
            argmax=numerics.argmax(unscaled) if ask.argmax else None,
            top_ids=top_ids,
            top_logits=top_logits,
            logsumexp=logsumexp,
            logits=dict(zip(wanted, logits, strict=True)),
            hidden=hidden,
            counters=counters,
        )

    def _count(self, nodes: int, mask: Sequence[tuple[bool, bool]], ask: Ask) -> Counters:
        """What the accelerator moves: played segments, the cache, the rows it fetches."""
        attentions = sum(attention for attention, _ in mask)
        row = attentions * KVCache.position_bytes(self._config)
        return Counters(
            passes=1,
            nodes=nodes,
            tape_bytes_read=self._weights.bytes_read(nodes, mask, ask),
            kv_bytes_read=self._length * row,
            kv_bytes_written=nodes * row,
        )


class _Tree:
    """Depths ``[N]`` and ancestor matrix ``[N, N]`` (reflexive) of a pass's nodes."""

    def __init__(self, parents: list[int]):
        nodes = len(parents)
        self.depth = np.zeros(nodes, np.int64)
        self.ancestors = np.eye(nodes, dtype=bool)
        for node, parent in enumerate(parents[1:], 1):
            self.depth[node] = self.depth[parent] + 1
            self.ancestors[node] |= self.ancestors[parent]
