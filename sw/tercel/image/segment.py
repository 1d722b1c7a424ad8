"""The segment table: the place of every tensor on the tape."""

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass

from tercel.config import ModelConfig
from tercel.image.layout import ROW_BLOCK, SCALARS, TapeLayout

__all__ = ["Part", "Segment", "segments", "segments_json"]

LINEARS = {
    "qkv": (("q", "k", "v"), "attention_norm"),
    "o": (("o",), "attention_sub_norm"),
    "gate_up": (("gate", "up"), "mlp_norm"),
    "down": (("down",), "mlp_sub_norm"),
}
"""The ternary segments of a layer: name to (its matrices, the norm of its input)."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """The rows of a canonical tensor in its segment: every ``step``-th row from ``start``.

    The rows of a vector segment are float32 elements: one for the weight scale of a ternary
    tensor, ``width`` for a gain.
    """

    name: str
    """Canonical name of the tensor, such as ``layers.0.q``."""
    start: int
    rows: int
    step: int = 1

    def slice(self) -> slice:
        """The part's rows in its segment."""
        return slice(self.start, self.start + self.rows * self.step, self.step)


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A run of words with one kind of content."""

    name: str
    kind: str
    """``vector``, ``ternary``, ``rows`` (int8 rows with scales) or ``rope``."""
    rows: int
    """Rows; float32 elements of a vector, positions of rope."""
    columns: int
    """Columns; 1 for a vector, the head size for rope (cosines, then sines)."""
    parts: tuple[Part, ...]
    first_word: int
    words: int
    played: bool
    """True if every pass reads the whole segment; otherwise it is read by row."""

    @property
    def end_word(self) -> int:
        return self.first_word + self.words

    def part(self, name: str) -> Part | None:
        """The part that holds the tensor with a canonical name; ``None`` if there is none."""
        return next((part for part in self.parts if part.name == name), None)


def _scales_and_gain(scales: Iterable[str], gain: str | None, width: int) -> tuple[Part, ...]:
    parts = [Part(name=name, start=i, rows=1) for i, name in enumerate(scales)]
    if gain is not None:
        parts.append(Part(name=gain, start=SCALARS, rows=width))
    return tuple(parts)


def _matrices(rows: dict[str, int], *, interleaved: bool) -> tuple[Part, ...]:
    if interleaved:
        return tuple(
            Part(name=name, start=i, rows=count, step=len(rows))
            for i, (name, count) in enumerate(rows.items())
        )
    parts, start = [], 0
    for name, count in rows.items():
        parts.append(Part(name=name, start=start, rows=count))
        start += count
    return tuple(parts)


class _Tape:
    """Builder of the segment table: each segment starts at the end of the one before."""

    def __init__(self, layout: TapeLayout):
        self._layout = layout
        self._next = 0
        self.segments: list[Segment] = []

    def _lay(self, name, kind, rows, columns, parts, size, played) -> None:
        words = self._layout.words(size)
        self.segments.append(
            Segment(
                name=name,
                kind=kind,
                rows=rows,
                columns=columns,
                parts=parts,
                first_word=self._next,
                words=words,
                played=played,
            )
        )
        self._next += words

    def vector(self, name: str, scales: Iterable[str], gain: str | None, width: int) -> None:
        elements = SCALARS + (width if gain is not None else 0)
        parts = _scales_and_gain(scales, gain, width)
        self._lay(name, "vector", elements, 1, parts, 4 * elements, True)

    def ternary(self, name: str, rows: dict[str, int], columns: int) -> None:
        chunks = self._layout.chunks(columns)
        total = sum(rows.values())
        parts = _matrices(rows, interleaved=name.endswith("gate_up"))
        size = total * chunks.count * chunks.bytes
        self._lay(name, "ternary", total, columns, parts, size, True)

    def rows(self, name: str, tensor: str, rows: int, columns: int, *, played: bool) -> None:
        size = -(-rows // ROW_BLOCK) * self._layout.row_block(columns).itemsize
        parts = (Part(name=tensor, start=0, rows=rows),)
        self._lay(name, "rows", rows, columns, parts, size, played)

    def rope(self, positions: int, head_size: int) -> None:
        size = positions * self._layout.padded(4 * head_size)
        self._lay("rope", "rope", positions, head_size, (), size, False)


def segments(config: ModelConfig, layout: TapeLayout) -> tuple[Segment, ...]:
    """The complete segment table of a model's tape, in tape order, without gaps."""
    tape = _Tape(layout)
    shapes, norms = config.linears(), config.norms()
    for layer in range(config.layers):
        prefix = f"layers.{layer}."
        for name, (matrices, norm) in LINEARS.items():
            rows = {prefix + matrix: shapes[matrix][0] for matrix in matrices}
            columns = shapes[matrices[0]][1]
            gain = prefix + norm if norm in norms else None
            tape.vector(f"{prefix}{name}.vector", rows, gain, columns)
            tape.ternary(prefix + name, rows, columns)
    vocabulary, d = config.vocab_size, config.hidden_size
    tape.vector("head.vector", (), "norm", d)
    tape.rows("head", "embedding" if config.tied_head else "head", vocabulary, d, played=True)
    if not config.tied_head:
        tape.rows("embedding", "embedding", vocabulary, d, played=False)
    tape.rope(config.context, config.head_size)
    return tuple(tape.segments)


def segments_json(table: Iterable[Segment]) -> str:
    """The table in the form of the image's metadata: a JSON list of one object per segment."""
    objects = [dataclasses.asdict(segment) for segment in table]
    return json.dumps(objects, sort_keys=True, separators=(",", ":"))
