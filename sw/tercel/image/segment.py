"""The segment table: the place of every tensor on the tape."""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tercel.config import ModelConfig
from tercel.errors import TercelError
from tercel.image.layout import CODES_A_GROUP, ROW_BLOCK, SCALARS, TapeLayout
from tercel.image.matrix_form import MatrixForm

__all__ = ["Part", "Segment", "segments", "segments_json"]

LINEARS = {
    "qkv": (("q", "k", "v"), "attention_norm"),
    "o": (("o",), "attention_sub_norm"),
    "gate_up": (("gate", "up"), "mlp_norm"),
    "down": (("down",), "mlp_sub_norm"),
}
"""The ternary segments of a layer: name to (its matrices, the norm of its input)."""
HEAD_NORMS = ("q_norm", "k_norm")
"""Norms of single heads, whose gains stand after that of the input of ``qkv``."""
GRANULARITIES = {"ternary": "tensor", "ternary-row": "row", "ternary-group": "group"}
"""Kind of a ternary segment to the granularity of its scales."""
KINDS = {granularity: kind for kind, granularity in GRANULARITIES.items()}


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
    """``vector``, ``rows`` (int8 rows with scales), ``rope``, or a ternary matrix: ``ternary``
    (one scale a tensor, in the vector before it), ``ternary-row`` or ``ternary-group``."""
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

    @property
    def ternary(self) -> bool:
        """True for a ternary matrix of any granularity."""
        return self.kind in GRANULARITIES

    @property
    def granularity(self) -> str:
        """Granularity of the scales of a ternary segment."""
        return GRANULARITIES[self.kind]

    def form(self, layout: TapeLayout) -> MatrixForm:
        """The form of a ternary segment on a tape of ``layout``."""
        return MatrixForm(layout=layout, granularity=self.granularity, columns=self.columns)

    def part(self, name: str) -> Part | None:
        """The part that holds the tensor with a canonical name; ``None`` if there is none."""
        return next((part for part in self.parts if part.name == name), None)


def _vector_parts(scales: Iterable[str], gains: Mapping[str, int]) -> tuple[Part, ...]:
    parts = [Part(name=name, start=i, rows=1) for i, name in enumerate(scales)]
    start = SCALARS
    for name, width in gains.items():
        parts.append(Part(name=name, start=start, rows=width))
        start += width
    return tuple(parts)


def _matrices(rows: Mapping[str, int], *, interleaved: bool) -> tuple[Part, ...]:
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

    def vector(self, name: str, scales: Iterable[str], gains: Mapping[str, int]) -> None:
        elements = SCALARS + sum(gains.values())
        parts = _vector_parts(scales, gains)
        self._lay(name, "vector", elements, 1, parts, 4 * elements, True)

    def ternary(
        self,
        name: str,
        rows: Mapping[str, int],
        columns: int,
        *,
        granularity: str,
        played: bool = True,
    ) -> None:
        form = MatrixForm(layout=self._layout, granularity=granularity, columns=columns)
        total = sum(rows.values())
        parts = _matrices(rows, interleaved=name.endswith("gate_up"))
        self._lay(name, KINDS[granularity], total, columns, parts, form.matrix_bytes(total), played)

    def rows(self, name: str, tensor: str, rows: int, columns: int, *, played: bool) -> None:
        size = -(-rows // ROW_BLOCK) * self._layout.row_block(columns).itemsize
        parts = (Part(name=tensor, start=0, rows=rows),)
        self._lay(name, "rows", rows, columns, parts, size, played)

    def rope(self, positions: int, head_size: int) -> None:
        size = positions * self._layout.padded(4 * head_size)
        self._lay("rope", "rope", positions, head_size, (), size, False)


def segments(config: ModelConfig, layout: TapeLayout) -> tuple[Segment, ...]:
    """The complete segment table of a model's tape, in tape order, without gaps.

    Raises
    ------
    TercelError
        If the model has groups or a shortlist and the layout has no row-chunks of groups.
    """
    if config.shortlist and not layout.groups:
        raise TercelError(
            f"a model with a shortlist needs a layout with the code base3 and at least "
            f"{CODES_A_GROUP} tables, not {layout.code} with {layout.tables}; take the layout "
            "kv260-groups"
        )
    tape = _Tape(layout)
    shapes, norms = config.linears(), config.norms()
    granularity = config.granularity
    for layer in range(config.layers):
        prefix = f"layers.{layer}."
        for name, (matrices, norm) in LINEARS.items():
            rows = {prefix + matrix: shapes[matrix][0] for matrix in matrices}
            columns = shapes[matrices[0]][1]
            wanted = (norm, *HEAD_NORMS) if name == "qkv" else (norm,)
            gains = {prefix + each: norms[each] for each in wanted if each in norms}
            scales = rows if granularity == "tensor" else ()
            tape.vector(f"{prefix}{name}.vector", scales, gains)
            tape.ternary(prefix + name, rows, columns, granularity=granularity)
    tape.vector("head.vector", (), {"norm": config.hidden_size})
    head = "embedding" if config.tied_head else "head"
    _lay_rows(tape, config, "head", head, played=True)
    if config.shortlist:
        rows = {"shortlist": config.vocab_size}
        tape.ternary("shortlist", rows, config.hidden_size, granularity="row", played=False)
    if not config.tied_head:
        _lay_rows(tape, config, "embedding", "embedding", played=False)
    tape.rope(config.context, config.head_size)
    return tuple(tape.segments)


def _lay_rows(tape: _Tape, config: ModelConfig, name: str, tensor: str, *, played: bool) -> None:
    """The rows of the head or of an untied embedding."""
    rows, columns = config.vocab_size, config.hidden_size
    if config.ternary_head:
        tape.ternary(name, {tensor: rows}, columns, granularity="group", played=played)
    else:
        tape.rows(name, tensor, rows, columns, played=played)


def segments_json(table: Iterable[Segment]) -> str:
    """The table in the form of the image's metadata: a JSON list of one object per segment."""
    objects = [dataclasses.asdict(segment) for segment in table]
    return json.dumps(objects, sort_keys=True, separators=(",", ":"))
