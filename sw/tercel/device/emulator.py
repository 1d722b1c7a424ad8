"""The golden device: the whole pass in NumPy, equal to the accelerator bit for bit."""

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController

from tercel import numerics
from tercel.device.cache import KVCache
from tercel.device.facts import DeviceFacts, Fact, Timing
from tercel.device.interface import Device
from tercel.device.node_results import NodeResults
from tercel.device.options import DeviceOptions
from tercel.device.pass_result import Limits, PassResult
from tercel.device.weights import ModelWeights
from tercel.errors import TercelError
from tercel.image import Image
from tercel.numerics import BlockQuantised, CacheView, Quantised
from tercel.numerics.float32 import Float32, Int32
from tercel.program import Request

__all__ = ["EmulatorDevice"]

NODES = 8
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
        KV positions of the cache; ``None`` is the model's context.

    Raises
    ------
    TercelError
        If ``nodes`` or ``context`` is out of range.
    """

    def __init__(self, image: Image, *, nodes: int = NODES, context: int | None = None):
        config = image.config
        context = config.context if context is None else context
        if nodes < 1:
            raise TercelError(f"a device needs at least 1 node a pass, not {nodes}")
        if not 1 <= context <= config.context:
            raise TercelError(f"context must be in 1..{config.context}, the model's, not {context}")
        top_k = min(TOP_K, config.vocab_size)
        limits = Limits(nodes=nodes, context=context, top_k=top_k, shortlist=config.shortlist)
        super().__init__(image, limits)
        self._weights = ModelWeights(image)
        self._grouped = config.granularity == "group"
        self._cache = KVCache(config=config, positions=context)
        self._blas = ThreadpoolController()

    @classmethod
    def open(cls, image: Image, options: DeviceOptions) -> "EmulatorDevice":
        nodes = NODES if options.nodes is None else options.nodes
        return cls(image, nodes=nodes, context=options.context)

    def facts(self) -> DeviceFacts:
        none = Fact(value=None, note="the emulator computes on the host, without accelerator")
        return DeviceFacts(
            timing=Timing.HOST,
            hardware=none,
            accelerator=none,
            overlay_sha256=none,
            clock_hz=none,
            memory_peak=none,
            memory_rate=none,
            selftest=Fact(value=None, note="the emulator is the reference of every self-test"),
        )

    @property
    def cache(self) -> KVCache:
        """The KV cache itself, not a copy."""
        return self._cache

    def read_cache(self, layer: int, positions: int) -> CacheView:
        return self._cache.view(layer, positions)

    def _write_cache(self, layer: int, view: CacheView) -> None:
        self._cache.store(layer, view)

    def _move(self, path: list[int]) -> None:
        self._cache.gather(self._length, path)

    def _run(self, request: Request, rows: Float32) -> PassResult:
        # Spinning BLAS threads slow a busy machine down by orders of magnitude.
        with self._blas.limit(limits=1, user_api="blas"):
            stream = self._layers(self._first_stream(request, rows), request)
            return self._answer(stream, request)

    def _first_stream(self, request: Request, rows: Float32) -> Float32:
        """Embeddings of the tokens, and the given rows, ``[N, hidden_size]``."""
        stream = np.empty((request.nodes, self.config.hidden_size), np.float32)
        tokens = {node: token for node, token in enumerate(request.tokens) if token is not None}
        stream[list(tokens)] = self._weights.embed(list(tokens.values()))
        stream[request.given] = rows
        return stream

    def _layers(self, stream: Float32, request: Request) -> Float32:
        for layer, (attention, mlp) in enumerate(request.layer_mask):
            if attention:
                stream = self._attention(layer, stream, request)
            if mlp:
                stream = self._mlp(layer, stream)
        return stream

    def _attention(self, layer: int, stream: Float32, request: Request) -> Float32:
        config, weights = self.config, self._weights
        nodes = len(stream)
        x = self._normed(stream, weights.gain(layer, "attention_norm"))
        qkv = weights.linear(layer, "qkv", x)
        heads = qkv.reshape(nodes, config.heads + 2 * config.kv_heads, config.head_size)
        q, k, v = np.split(heads, [config.heads, config.heads + config.kv_heads], axis=1)
        (q, q_factor), (k, k_factor) = (
            self._head_norm(layer, name, each) for name, each in (("q_norm", q), ("k_norm", k))
        )
        rotation = weights.rope(request.positions)
        q = numerics.quantise(numerics.rotate(q, *rotation))
        if q_factor is not None:
            q = Quantised(values=q.values, scale=numerics.multiply(q.scale, q_factor))
        self._cache.write(layer, self._length, numerics.rotate(k, *rotation), v, k_factor)
        view = self._cache.view(layer, self._length + nodes)
        attended = numerics.attend(q, view, request.ancestors)
        x = self._requantise(layer, "attention_sub_norm", attended)
        return numerics.add(stream, weights.linear(layer, "o", x))

    def _mlp(self, layer: int, stream: Float32) -> Float32:
        config, weights = self.config, self._weights
        x = self._normed(stream, weights.gain(layer, "mlp_norm"))
        gate_up = weights.linear(layer, "gate_up", x)
        activation = numerics.silu if config.activation == "silu" else numerics.relu2
        gated = numerics.multiply(activation(gate_up[:, 0::2]), gate_up[:, 1::2])
        x = self._requantise(layer, "mlp_sub_norm", gated)
        return numerics.add(stream, weights.linear(layer, "down", x))

    def _head_norm(self, layer: int, norm: str, x: Float32) -> tuple[Float32, Float32 | None]:
        """Heads ``[N, heads, head_size]`` and the factor of their scale, if they are normed."""
        if not self.config.qk_norm:
            return x, None
        return numerics.head_norm(x, self._weights.gain(layer, norm), self.config.norm_epsilon)

    def _normed(self, x: Float32, gain: Float32) -> Quantised | BlockQuantised:
        """The input of a ternary segment, with a norm before it."""
        quantise = numerics.norm_block_quantise if self._grouped else numerics.norm_quantise
        return quantise(x, gain, self.config.norm_epsilon)

    def _requantise(self, layer: int, norm: str, x: Float32) -> Quantised | BlockQuantised:
        """The input of a ternary segment, with a norm before it only if there are sub-norms."""
        if self.config.sub_norms:
            return self._normed(x, self._weights.gain(layer, norm))
        return numerics.block_quantise(x) if self._grouped else numerics.quantise(x)

    def _answer(self, stream: Float32, request: Request) -> PassResult:
        ask = request.ask
        hidden = {node: stream[node].copy() for node in ask.hidden}
        if not request.head_rows:
            return PassResult(hidden=hidden)
        quantise = (
            numerics.norm_block_quantise if self.config.ternary_head else numerics.norm_quantise
        )
        x = quantise(stream, self._weights.final_gain, self.config.norm_epsilon)
        lists = None
        if ask.two_stage:
            assert isinstance(x, Quantised)
            lists, unscaled = self._weights.listed(x, request.head_rows)
        else:
            unscaled = self._weights.head(x, request.head_rows)
        best = top_ids = top_logits = logsumexp = None
        if ask.argmax:
            best = _rows_at(lists, numerics.argmax(unscaled)[:, None])[:, 0]
        if ask.top_k:
            places = numerics.top_k(unscaled, ask.top_k)
            top_ids = _rows_at(lists, places)
            top_logits = numerics.logits(np.take_along_axis(unscaled, places, axis=1), x.scale)
            logsumexp = numerics.exponential_sum(unscaled, x.scale).log()

        def read(node: int, rows: npt.NDArray[np.integer] | None) -> Float32:
            chosen = unscaled[node] if rows is None else unscaled[node, rows]
            return numerics.multiply(chosen, x.scale[node])

        return PassResult(
            argmax=best,
            top_ids=top_ids,
            top_logits=top_logits,
            logsumexp=logsumexp,
            logits=NodeResults(ask.logits, read),
            hidden=hidden,
        )


def _rows_at(lists: Int32 | None, places: Int32) -> Int32:
    """The head's rows at places ``[N, n]`` of the nodes' lists; without lists the places."""
    return places if lists is None else np.take_along_axis(lists, places, axis=1)
