"""Encoder of pass programs: the commands of one request."""

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from tercel.config import ModelConfig
from tercel.image import Segment, segments
from tercel.image.layout import CODES_A_GROUP, ROW_BLOCK, SCALARS, padded_rows
from tercel.numerics import GROUP
from tercel.numerics.functions import LOG2_E
from tercel.numerics.shortlist import DEPTH
from tercel.program.accelerator_spec import AcceleratorSpec
from tercel.program.command import ABSENT, COMMANDS
from tercel.program.lanes import LanePlan
from tercel.program.memory_map import MemoryMap
from tercel.program.request import Request

__all__ = ["PassEncoder"]

INT8_ROW, FLOAT_ROW, ROPE_ROW, ZERO_ROWS = range(4)
ADD, REPLAY = range(2)
TO_NORM, TO_DUMP = range(2)
FROM_RESIDUAL, FROM_GATE, FROM_ATTENTION = range(3)
ENGINE, HEAD = range(2)
TO_ROTARY, TO_RESIDUAL, TO_GATE, TO_HEAD = range(4)
ACTIVATIONS = ("silu", "relu2")
Integers = TypeVar("Integers", int, npt.NDArray[np.int64])


def _bits(value: float | np.float32) -> int:
    return int(np.float32(value).view(np.uint32))


def _encode(name: str, **fields: int) -> bytes:
    return COMMANDS[name].encode(**fields)


class PassEncoder:
    """Encodes the programs of one model on one accelerator, command by command.

    The dispatcher issues commands in order, and units wait for each other's streams. To avoid
    deadlock, the command of a row's consumer directly follows that of its producer, and every
    produced row is consumed.

    Parameters
    ----------
    config
        The model.
    spec
        The accelerator.
    memory_map
        The areas of tape, cache and results.

    Raises
    ------
    TercelError
        If the accelerator cannot run the model.
    """

    def __init__(self, *, config: ModelConfig, spec: AcceleratorSpec, memory_map: MemoryMap):
        spec.check(config, spec.layout)
        self._config = config
        self._spec = spec
        self._layout = spec.layout
        self._map = memory_map
        self._segments = {segment.name: segment for segment in segments(config, spec.layout)}

    def encode(self, request: Request) -> list[bytes]:
        """The encoded commands of a pass.

        The first tape command precedes the loads of the rows, so that both overlap.
        """
        operations = list(self._operations(request))
        number = COMMANDS["tape"].number
        first = [command for command in operations if command[0] == number][:1]
        for command in first:
            operations.remove(command)
        begin = _encode("begin", caps=self._spec.caps, shape=self._spec.shape)
        return [begin, *first, *self._rows(request), *operations, _encode("end")]

    def _rows(self, request: Request) -> Iterator[bytes]:
        """Load the residual stream, with zeros in lanes without a node, and the rope rows."""
        width = self._config.hidden_size
        if request.nodes < self._spec.nodes:
            yield self._row(ZERO_ROWS, lane=0, elements=width)
        words = self._map.given_row_words
        places = range(self._map.rows.first_word, self._map.rows.end_word, words)
        given = dict(zip(request.float_nodes, places, strict=False))
        for lane, token in enumerate(request.tokens):
            if (address := given.get(lane)) is not None:
                yield self._row(FLOAT_ROW, lane=lane, elements=width, words=words, address=address)
            else:
                assert token is not None
                words_of_row = self._layout.words(width)
                places = self.token_places(token)
                yield self._row(INT8_ROW, lane=lane, elements=width, words=words_of_row, **places)
        words = self._rope_words
        for lane, position in enumerate(request.positions):
            address = self.rope_address(position)
            elements = self._config.head_size
            yield self._row(ROPE_ROW, lane=lane, elements=elements, words=words, address=address)

    def token_places(self, token: Integers) -> dict[str, Integers]:
        """The fields of ``rows`` that depend on the token, of one or of an array of tokens."""
        segment = self._segments["head" if self._config.tied_head else "embedding"]
        scale_words = self._layout.words(4 * ROW_BLOCK)
        words = self._layout.words(self._config.hidden_size)
        block, row = token // ROW_BLOCK, token % ROW_BLOCK
        first = segment.first_word + block * (scale_words + ROW_BLOCK * words)
        scale_byte = 4 * row
        return {
            "address": first + scale_words + row,
            "scale_address": first + scale_byte // self._layout.word_bytes,
            "scale_index": scale_byte % self._layout.word_bytes // 4,
        }

    def rope_address(self, position: Integers) -> Integers:
        """The address of the rope row of one or of an array of positions."""
        return self._segments["rope"].first_word + position * self._rope_words

    @property
    def _rope_words(self) -> int:
        return self._layout.words(4 * self._config.head_size)

    @staticmethod
    def _row(
        kind: int,
        *,
        lane: int,
        elements: int,
        words: int = 0,
        address: int = 0,
        scale_address: int = 0,
        scale_index: int = 0,
    ) -> bytes:
        return _encode(
            "rows",
            kind=kind,
            lane=lane,
            elements=elements,
            words=words,
            address=address,
            scale_address=scale_address,
            scale_index=scale_index,
        )

    def _operations(self, request: Request) -> Iterator[bytes]:
        parts = [
            (layer, part)
            for layer, mask in enumerate(request.layer_mask)
            for part, played in zip((self._attention, self._mlp), mask, strict=True)
            if played
        ]
        head = request.head_rows > 0
        consumers = len(parts) + head
        if consumers:
            yield self._residual(REPLAY, TO_NORM)
        for index, (layer, part) in enumerate(parts, 1):
            yield from part(layer, request)
            yield self._residual(ADD, TO_NORM if index < consumers else TO_DUMP)
        if head:
            to_engine = self._config.ternary_head or request.ask.two_stage
            target = ENGINE if to_engine else HEAD
            yield self._norm("head", FROM_RESIDUAL, target, both=request.ask.two_stage)
        if request.ask.hidden and (head or not parts):
            yield self._residual(REPLAY, TO_DUMP)
        if request.ask.hidden or (parts and not head):
            # The last sums need a consumer, so they are dumped even if nothing reads them.
            width = self._config.hidden_size
            yield _encode("dump", address=self._map.hidden.first_word, width=width)
        if head:
            yield from self._head(request)

    def _attention(self, layer: int, request: Request) -> Iterator[bytes]:
        config = self._config
        prefix = f"layers.{layer}."
        yield from self._linear(f"{prefix}qkv", FROM_RESIDUAL, TO_ROTARY)
        slices = self._map.slices
        cache = {
            "full": slices.full,
            "half": slices.half,
            "cache": self._map.block(layer),
            "slice_words": self._map.context,
            "half_at": slices.full * self._map.context,
            "row_words": self._map.cache_row_words,
            "head_stride": self._map.head_stride,
        }
        shape = {"head_size": config.head_size, "nodes": request.nodes, **cache}
        heads = {"query_heads": config.heads, "kv_heads": config.kv_heads}
        norm = {"normed": config.qk_norm, "inverse_head_size": 0, "epsilon": 0}
        if config.qk_norm:
            norm["inverse_head_size"] = _bits(1 / config.head_size)
            norm["epsilon"] = _bits(config.norm_epsilon)
        yield _encode("heads", base=request.base, **heads, **shape, **norm)
        group = config.heads // config.kv_heads
        plan = LanePlan(lanes=self._spec.nodes, nodes=request.nodes, heads=group)
        yield _encode(
            "attention",
            sweeps=config.kv_heads * plan.sweeps,
            sweeps_per_kv_head=plan.sweeps,
            heads=group,
            head_slots=plan.head_slots,
            lanes_per_head=plan.lanes_per_head,
            base=request.base,
            factor=_bits(LOG2_E / np.sqrt(np.float32(config.head_size))),
            ancestors=request.ancestor_bits,
            **shape,
        )
        yield from self._linear(f"{prefix}o", FROM_ATTENTION, TO_RESIDUAL)

    def _mlp(self, layer: int, request: Request) -> Iterator[bytes]:
        prefix = f"layers.{layer}."
        activation = ACTIVATIONS.index(self._config.activation)
        yield from self._linear(f"{prefix}gate_up", FROM_RESIDUAL, TO_GATE)
        yield _encode("gate", activation=activation, width=self._config.ffn_size)
        yield from self._linear(f"{prefix}down", FROM_GATE, TO_RESIDUAL)

    def _linear(self, name: str, source: int, target: int) -> Iterator[bytes]:
        """Quantise a row, multiply it by a matrix, scale the sums and send them to ``target``."""
        segment = self._segments[name]
        yield self._norm(name, source, ENGINE)
        yield from self._multiply(segment, segment.rows, target)

    def _multiply(self, segment: Segment, rows: int, target: int) -> Iterator[bytes]:
        """Multiply a row by the first ``rows`` rows of a matrix, whole blocks or all of them."""
        form = segment.form(self._layout)
        words = self._layout.words(form.matrix_bytes(rows))
        starts = [part.start for part in segment.parts]
        interleaved = segment.parts[0].step > 1
        second, third = (ABSENT, ABSENT) if interleaved else [*starts, ABSENT, ABSENT][1:3]
        yield _encode("tape", target=ENGINE, address=segment.first_word, words=words)
        yield self._engine(segment, rows)
        yield _encode(
            "dequantise",
            target=target,
            interleaved=interleaved,
            second=second,
            third=third,
            row_scales=form.scaled,
        )

    def _engine(self, segment: Segment, rows: int) -> bytes:
        """The command of the first ``rows`` rows of a matrix."""
        form = segment.form(self._layout)
        sizes = form.row_chunks.sizes
        grouped = segment.granularity == "group"
        if grouped:
            groups = -(-segment.columns // GROUP)
            most = min(groups, self._layout.groups)
            codes, of_row = CODES_A_GROUP * most, CODES_A_GROUP * groups
            last_codes = of_row - (len(sizes) - 1) * codes
        else:
            codes = last_codes = self._layout.chunks(segment.columns).codes
            of_row = len(sizes) * codes
        return _encode(
            "engine",
            rows=rows,
            chunks=len(sizes),
            codes=codes,
            bytes=sizes[0],
            row_chunks=rows * len(sizes),
            groups=of_row,
            blocks=-(-rows // self._layout.block_rows),
            grouped=grouped,
            row_scales=form.scaled,
            last_codes=last_codes if form.scaled else 0,
            last_bytes=sizes[-1] if form.scaled else 0,
        )

    def _norm(self, name: str, source: int, target: int, *, both: bool = False) -> bytes:
        vector, matrix = self._segments[f"{name}.vector"], self._segments[name]
        attends = self._config.qk_norm and name.endswith("qkv")
        return _encode(
            "norm",
            source=source,
            target=target,
            normed=vector.rows > SCALARS,
            width=matrix.columns,
            inverse_width=_bits(1 / matrix.columns),
            epsilon=_bits(self._config.norm_epsilon),
            address=vector.first_word,
            words=vector.words,
            blocks=matrix.kind == "ternary-group",
            scale_target=HEAD if name == "head" else target,
            head_gains=2 * self._config.head_size if attends else 0,
            both=both,
        )

    def _residual(self, operation: int, target: int) -> bytes:
        width = self._config.hidden_size
        return _encode("residual", operation=operation, target=target, width=width)

    def _head(self, request: Request) -> Iterator[bytes]:
        segment, two_stage = self._segments["head"], request.ask.two_stage
        ternary = self._segments["shortlist"] if two_stage else segment
        if ternary.ternary:
            block = self._layout.block_rows
            rows = min(-(-request.head_rows // block) * block, ternary.rows)
            yield from self._multiply(ternary, rows, TO_HEAD)
        else:
            rows = padded_rows(request.head_rows)
            words = segment.words * rows // padded_rows(segment.rows)
            yield _encode("tape", target=HEAD, address=segment.first_word, words=words)
        yield _encode(
            "head",
            rows=rows,
            limit=request.head_rows,
            slices=self._layout.words(segment.columns),
            nodes=request.nodes,
            top_k=request.ask.top_k,
            argmax=request.ask.argmax,
            sums=request.ask.top_k > 0,
            logits=bool(request.ask.logits),
            logits_address=self._map.logits.first_word,
            summary_address=self._map.summary.first_word,
            ternary=segment.ternary,
            two_stage=two_stage,
            buckets=self._config.shortlist // DEPTH if two_stage else 0,
            address=segment.first_word if two_stage else 0,
        )
