"""The interface of every device: a pass of up to K token nodes through the model, then a commit."""

import abc
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import ClassVar

from tercel import numerics
from tercel.config import ModelConfig
from tercel.device.cache import KVCache
from tercel.device.facts import DeviceFacts, Timing
from tercel.device.options import DeviceOptions
from tercel.device.pass_arguments import (
    Rows,
    check_ask,
    check_token_ids,
    check_two_stage,
    checked_nodes,
    checked_parents,
)
from tercel.device.pass_result import Counters, Limits, PassResult
from tercel.errors import TercelError
from tercel.image import Image
from tercel.numerics import CacheView
from tercel.numerics.float32 import Float32
from tercel.program import Ask, Request

__all__ = ["Device", "PassInterruptedError", "context_remedy"]

PASS_KINDS = 64
"""Kinds of passes whose bytes are kept."""


class PassInterruptedError(Exception):
    """A pass was ended by :meth:`Device.interrupt`; the cache is unchanged."""


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
        self._pass_bytes = lru_cache(PASS_KINDS)(partial(_pass_bytes, image))
        self._limits = limits
        self._length = 0
        self._counters = Counters()
        self._device_seconds = 0.0
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

    @property
    def device_seconds(self) -> float:
        """Time of all passes by the device's own count; 0 if it has none."""
        return self._device_seconds

    @property
    def simulation_seconds(self) -> float | None:
        """The host's time spent on simulating the device; ``None`` if the device cannot tell.

        It is 0 for a device that is not simulated, the emulator included.
        """
        return 0.0

    def facts(self) -> DeviceFacts:
        """Facts that the device's figures depend on."""
        return DeviceFacts(timing=Timing.HOST)

    def run_pass(
        self,
        tokens: Sequence[int | None] | None = None,
        *,
        embedding_rows: Rows | None = None,
        parents: Sequence[int] | None = None,
        base: int | None = None,
        ask: Ask = Ask(),
    ) -> PassResult:
        """Run N nodes through the model; the cache does not advance before :meth:`commit`.

        Parameters
        ----------
        tokens
            N token ids, and ``None`` for each node in ``embedding_rows``; node 0 is the last
            emitted token.
        embedding_rows
            Finite initial residual streams in place of token embeddings: of some nodes a mapping
            from node to ``[hidden_size]``, beside ``tokens``; of all nodes ``[N, hidden_size]``,
            without ``tokens``.
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
        checked, rows = checked_nodes(tokens, embedding_rows, self.config)
        nodes = len(checked)
        if not 1 <= nodes <= self.limits.nodes:
            raise TercelError(f"a pass takes 1 to {self.limits.nodes} nodes, not {nodes}")
        self._check_base(self.length if base is None else base, nodes)
        check_ask(ask, nodes, config=self.config, limits=self.limits)
        request = Request(
            config=self.config,
            tokens=checked,
            parents=checked_parents(parents, nodes),
            base=self._length,
            ask=ask,
        )
        if len(rows):
            rows = numerics.flush(rows)
        self._pending = None  # an interrupted pass leaves nothing to commit
        result = replace(self._run(request, rows), counters=self._count(request))
        self._counters += result.counters
        self._device_seconds += result.seconds or 0.0
        if request.commits:
            self._pending = request.parents
        return result

    def embed(self, tokens: Sequence[int]) -> Float32:
        """The embedding rows of tokens, float32 ``[n, hidden_size]``, read from the image.

        A node with its token's row in ``embedding_rows`` gives the bits of a node with the token.

        Raises
        ------
        TercelError
            If a token is no id of the vocabulary.
        """
        self.check_tokens(tokens)
        return self._image.float_rows("embedding", tokens)

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
        if path[-1] != len(path) - 1:
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
        self.rewind(0)

    def rewind(self, length: int) -> None:
        """Keep the first ``length`` committed positions; the next pass follows them.

        A pass that waits for its commit is dropped. Costs nothing.

        Raises
        ------
        TercelError
            If fewer positions are committed.
        """
        if not 0 <= length <= self._length:
            raise TercelError(f"length must be in 0..{self._length}, the committed, not {length}")
        self._length = length
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
    def _run(self, request: Request, rows: Float32) -> PassResult:
        """Compute a checked pass; the caller sets the counters.

        Parameters
        ----------
        rows
            Flushed initial residual streams of the nodes :attr:`Request.given`,
            ``[rows, hidden_size]``.
        """

    @abc.abstractmethod
    def _move(self, path: list[int]) -> None:
        """Move the KV of a path's nodes to the positions after the committed ones."""

    def _count(self, request: Request) -> Counters:
        """Bytes that a pass moves: tape segments, the cache, embedding and rope rows.

        A row that a two-stage head lists for several nodes counts for each: the most that is read.
        """
        listed = None
        if request.ask.two_stage:
            listed = min(request.nodes * request.listed_rows, request.head_rows)
        tape, row = self._pass_bytes(
            request.nodes, request.ask.layer_mask, request.head_rows, listed
        )
        return Counters(
            passes=1,
            nodes=request.nodes,
            tape_bytes_read=tape,
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

    def check_two_stage(self) -> None:
        """Check that passes may ask for a two-stage head.

        Raises
        ------
        TercelError
            If the model has no shortlist, or the device no such head for it.
        """
        check_two_stage(self.config, self.limits)

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


def _pass_bytes(
    image: Image,
    nodes: int,
    layer_mask: tuple[tuple[bool, bool], ...] | None,
    head_rows: int,
    listed: int | None,
) -> tuple[int, int]:
    """Bytes of the tape that a kind of pass reads, and of a position's KV in its layers."""
    mask = layer_mask or ((True, True),) * image.config.layers
    return (
        image.bytes_per_pass(
            nodes=nodes, layer_mask=layer_mask, head_rows=head_rows, listed=listed
        ),
        sum(attention for attention, _ in mask) * KVCache.position_bytes(image.config),
    )
