"""The interface of every device: a pass of up to K token nodes through the model, then a commit."""

import abc
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from tercel import numerics
from tercel.config import ModelConfig
from tercel.device.cache import KVCache
from tercel.device.options import DeviceOptions
from tercel.device.pass_result import Counters, Limits, PassResult
from tercel.errors import TercelError
from tercel.image import Image
from tercel.numerics import CacheView
from tercel.numerics.float32 import Float32
from tercel.program import Ask, Request

__all__ = ["Device", "PassInterruptedError", "check_token_ids", "context_remedy"]


class PassInterruptedError(Exception):
    """A pass was ended by :meth:`Device.interrupt`; the cache is unchanged."""


def check_token_ids(tokens: Sequence[int], config: ModelConfig) -> None:
    """Check that every token is an id of a model's vocabulary.

    Raises
    ------
    TercelError
        If one is not.
    """
    for token in tokens:
        if not isinstance(token, (int, np.integer)):
            raise TercelError(f"token ids must be integers, but one is {token!r}")
        if not 0 <= token < config.vocab_size:
            raise TercelError(
                f"token ids must be in 0..{config.vocab_size - 1}, but one is {token}; "
                "is this the model's own tokenizer?"
            )


def context_remedy(positions: int, config: ModelConfig) -> str:
    """End of a message about ``positions`` that exceed a context: a further remedy."""
    most = config.context
    if positions > most:
        return f"since {most} positions are the model's maximum"
    return f"or open the device with a larger context, the model's maximum is {most}"


class Device(abc.ABC):
    """A model on a device, with the KV cache of one sequence.

    The base class checks arguments and keeps the committed length and the counters, so that all
    devices behave alike; a subclass computes passes and stores the cache.

    Parameters
    ----------
    image
        The model.
    limits
        Limits of a pass.
    """

    OPTIONS: ClassVar[type[DeviceOptions]] = DeviceOptions
    """Type of the options of :meth:`open`."""

    def __init__(self, image: Image, limits: Limits):
        self._image = image
        self._limits = limits
        self._length = 0
        self._counters = Counters()
        self._pending: tuple[int, ...] | None = None
        """Parents of the pass that can be committed; ``None`` if there is none."""

    @classmethod
    def open(cls, image: Image, options: DeviceOptions) -> "Device":
        """Open the device on a model.

        Parameters
        ----------
        image
            The model.
        options
            An instance of :attr:`OPTIONS`.

        Raises
        ------
        TercelError
            If the device cannot run the model or an option is invalid.
        """
        raise NotImplementedError(f"{cls.__name__} is opened by its constructor alone")

    @property
    def config(self) -> ModelConfig:
        return self._image.config

    @property
    def limits(self) -> Limits:
        return self._limits

    @property
    def length(self) -> int:
        """Number of committed positions."""
        return self._length

    @property
    def counters(self) -> Counters:
        """Counters summed over all passes."""
        return self._counters

    def run_pass(
        self,
        tokens: Sequence[int] | None = None,
        *,
        embedding_rows: npt.NDArray[np.float32] | None = None,
        parents: Sequence[int] | None = None,
        base: int | None = None,
        ask: Ask = Ask(),
    ) -> PassResult:
        """Run N nodes through the model; the cache does not advance before :meth:`commit`.

        Parameters
        ----------
        tokens
            N token ids; node 0 is the last emitted token. Exactly one of ``tokens`` and
            ``embedding_rows`` is given.
        embedding_rows
            Finite ``[N, hidden_size]`` initial residual streams in place of token embeddings.
        parents
            N indices, ``parents[0] == -1`` and ``0 <= parents[i] < i``; ``None`` is a chain.
        base
            Position of node 0; must equal :attr:`length`, which is the default.
        ask
            The results wanted.

        Raises
        ------
        TercelError
            If an argument breaks a rule; the cache is then unchanged.
        PassInterruptedError
            If :meth:`interrupt` was called during the pass.
        """
        parents = self.check_pass(tokens, embedding_rows, parents, base, ask)
        request = Request(
            config=self.config,
            tokens=None if tokens is None else tuple(int(token) for token in tokens),
            parents=tuple(parents),
            base=self._length,
            ask=ask,
        )
        rows = None
        if embedding_rows is not None:
            rows = numerics.flush(np.asarray(embedding_rows, np.float32))
        self._pending = None  # an interrupted pass leaves nothing to commit
        result = replace(self._run(request, rows), counters=self._count(request))
        self._counters += result.counters
        if request.commits:
            self._pending = request.parents
        return result

    def commit(self, path: Sequence[int]) -> None:
        """Keep the KV of a path of nodes and advance the position.

        A path starts with node 0; every further node is a child of the one before.

        Raises
        ------
        TercelError
            If there is no pass to commit, the pass masked a layer's attention, or ``path`` is not
            a path.
        """
        path = self.check_path(path, self._pending)
        if path != list(range(len(path))):
            self._move(path)
        self._length += len(path)
        self._pending = None

    def interrupt(self) -> None:
        """Ask a running pass to end soon.

        :meth:`run_pass` then raises :class:`PassInterruptedError`. May be called from a signal
        handler or another thread. Devices with short passes may ignore it.
        """

    def reset(self) -> None:
        """Clear the cache: the next pass starts a new sequence at position 0."""
        self._length = 0
        self._pending = None

    def save(self) -> KVCache:
        """A copy of the committed positions, for :meth:`restore`."""
        cache = KVCache(config=self.config, positions=self._length)
        for layer in range(self.config.layers):
            cache.store(layer, self.read_cache(layer, self._length))
        return cache

    def restore(self, cache: KVCache, length: int) -> None:
        """Replace the committed positions by a copy of the first ``length`` positions of a cache.

        The next pass gives the same bits for caches of every device.

        Raises
        ------
        TercelError
            If the cache belongs to another model, has fewer positions, or exceeds the context.
        """
        self.check_cache(cache, length)
        self.reset()  # an interrupted restore leaves an empty cache
        for layer in range(self.config.layers):
            self._write_cache(layer, cache.view(layer, length))
        self._length = length

    @abc.abstractmethod
    def read_cache(self, layer: int, positions: int) -> CacheView:
        """The first positions of a layer's cache, committed or not."""

    @abc.abstractmethod
    def _write_cache(self, layer: int, view: CacheView) -> None:
        """Write the first positions of a layer's cache."""

    @abc.abstractmethod
    def _run(self, request: Request, rows: Float32 | None) -> PassResult:
        """Compute a checked pass; the caller sets the counters.

        Parameters
        ----------
        rows
            ``[N, hidden_size]``, flushed, if the request has no tokens; else ``None``.
        """

    @abc.abstractmethod
    def _move(self, path: list[int]) -> None:
        """Move the KV of a path's nodes to the positions after the committed ones."""

    def _count(self, request: Request) -> Counters:
        """Bytes that a pass moves: tape segments, the cache, embedding and rope rows."""
        attentions = sum(attention for attention, _ in request.layer_mask)
        row = attentions * KVCache.position_bytes(self.config)
        return Counters(
            passes=1,
            nodes=request.nodes,
            tape_bytes_read=self._image.bytes_per_pass(
                nodes=request.nodes, layer_mask=request.layer_mask, head_rows=request.head_rows
            ),
            kv_bytes_read=request.base * row,
            kv_bytes_written=request.nodes * row,
        )

    def prefill(self, tokens: Sequence[int]) -> None:
        """Run and commit ``tokens`` in passes of K nodes without the head.

        Raises
        ------
        TercelError
            If a token is unknown or the tokens exceed the context; the cache is then unchanged.
        """
        self.check_tokens(tokens)
        if self.length + len(tokens) > self.limits.context:
            raise TercelError(
                f"{len(tokens)} tokens after {self.length} committed positions exceed the context "
                f"of {self.limits.context}; shorten the prompt "
                f"{self.context_remedy(self.length + len(tokens))}"
            )
        for start in range(0, len(tokens), self.limits.nodes):
            chunk = tokens[start : start + self.limits.nodes]
            self.run_pass(chunk, ask=Ask(argmax=False))
            self.commit(range(len(chunk)))

    def check_tokens(self, tokens: Sequence[int]) -> None:
        """Check that every token is an id of the vocabulary.

        Raises
        ------
        TercelError
            If one is not.
        """
        check_token_ids(tokens, self.config)

    def check_pass(
        self,
        tokens: Sequence[int] | None,
        embedding_rows: npt.NDArray[np.float32] | None,
        parents: Sequence[int] | None,
        base: int | None,
        ask: Ask,
    ) -> list[int]:
        """Check the arguments of :meth:`run_pass`; return the parents, with the default filled in.

        Raises
        ------
        TercelError
            If an argument breaks a rule.
        """
        if (tokens is None) == (embedding_rows is None):
            raise TercelError("a pass takes either tokens or embedding_rows, exactly one of them")
        nodes = 0
        if tokens is not None:
            self.check_tokens(tokens)
            nodes = len(tokens)
        if embedding_rows is not None:
            shape, width = np.shape(embedding_rows), self.config.hidden_size
            if len(shape) != 2 or shape[1] != width:
                raise TercelError(f"embedding_rows must have the shape (N, {width}), not {shape}")
            with np.errstate(over="ignore"):
                finite = np.isfinite(np.asarray(embedding_rows, np.float32)).all(axis=1)
            if not finite.all():
                raise TercelError(
                    "embedding_rows must be finite as float32, but row "
                    f"{int(np.argmin(finite))} has NaN or infinity; check how they were computed"
                )
            nodes = shape[0]
        if not 1 <= nodes <= self.limits.nodes:
            raise TercelError(f"a pass takes 1 to {self.limits.nodes} nodes, not {nodes}")
        self._check_base(self.length if base is None else base, nodes)
        self._check_ask(ask, nodes)
        parents = list(range(-1, nodes - 1)) if parents is None else list(parents)
        if len(parents) != nodes:
            raise TercelError(f"{nodes} nodes need as many parents, not {len(parents)}")
        for node, parent in enumerate(parents):
            lowest = -1 if node == 0 else 0
            if not lowest <= parent < max(node, lowest + 1):
                raise TercelError(
                    "parents[0] must be -1 and every other an earlier node, "
                    f"but parents[{node}] is {parent}"
                )
        return parents

    @staticmethod
    def check_path(path: Sequence[int], parents: Sequence[int] | None) -> list[int]:
        """Check the argument of :meth:`commit` against the pass's parents; return it as a list.

        Parameters
        ----------
        path
        parents
            ``None`` if there is no pass to commit.

        Raises
        ------
        TercelError
            If there is no pass to commit or the path breaks a rule.
        """
        if parents is None:
            raise TercelError(
                "there is no pass to commit; run one first, with the attention of every layer"
            )
        path = list(path)
        if not path:
            raise TercelError("a path holds at least node 0, but it is empty")
        for step, node in enumerate(path):
            expected = path[step - 1] if step else -1
            if not 0 <= node < len(parents) or parents[node] != expected:
                raise TercelError(
                    f"a path is node 0, then each a child of the one before, not {path}"
                )
        return path

    def check_cache(self, cache: KVCache, length: int) -> None:
        """Check the arguments of :meth:`restore`.

        Raises
        ------
        TercelError
            If one breaks a rule.
        """
        layers, kv_heads, positions, head_size = cache.shape
        config = self.config
        expected = config.layers, config.kv_heads, config.head_size
        if (layers, kv_heads, head_size) != expected:
            raise TercelError(
                f"a cache of {config.name} has {expected[0]} layers with {expected[1]} KV heads of "
                f"{expected[2]}, but this one has {layers} with {kv_heads} of {head_size}; "
                "is it another model's?"
            )
        if not 0 <= length <= positions:
            raise TercelError(f"length must be in 0..{positions}, the cache's own, not {length}")
        if length > self.limits.context:
            raise TercelError(
                f"{length} positions exceed the context of {self.limits.context}; "
                f"restore fewer {self.context_remedy(length)}"
            )

    def context_remedy(self, positions: int) -> str:
        """End of a message about ``positions`` that exceed the context: a further remedy."""
        return context_remedy(positions, self.config)

    def _check_base(self, base: int, nodes: int) -> None:
        if base != self.length:
            kind = "rewinds over" if base < self.length else "leaves a gap after"
            raise TercelError(
                f"base {base} {kind} the {self.length} committed positions; "
                "passes append, so give their number or reset() first"
            )
        if base + nodes > self.limits.context:
            raise TercelError(
                f"{nodes} nodes after {base} committed positions exceed the context of "
                f"{self.limits.context}; reset() {self.context_remedy(base + nodes)}"
            )

    def _check_ask(self, ask: Ask, nodes: int) -> None:
        rows = self.config.vocab_size if ask.head_rows is None else ask.head_rows
        if not 1 <= rows <= self.config.vocab_size:
            raise TercelError(f"head_rows must be in 1..{self.config.vocab_size}, not {rows}")
        if not 0 <= ask.top_k <= min(self.limits.top_k, rows):
            raise TercelError(
                f"top_k must be in 0..{min(self.limits.top_k, rows)}, not {ask.top_k}"
            )
        for name in ("logits", "hidden"):
            for node in getattr(ask, name):
                if not 0 <= node < nodes:
                    raise TercelError(f"{name} may name the nodes 0..{nodes - 1}, not {node}")
        if ask.layer_mask is not None and len(ask.layer_mask) != self.config.layers:
            raise TercelError(
                f"layer_mask must have one pair for each of the {self.config.layers} layers, "
                f"not {len(ask.layer_mask)}"
            )
