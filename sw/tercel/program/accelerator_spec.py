"""The parameters of an accelerator that its driver must know."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar

from tercel.config import ModelConfig, check_shortlist
from tercel.errors import TercelError
from tercel.image import CODES, TapeLayout, segments
from tercel.image.layout import ROW_BLOCK
from tercel.json_dataclass import JsonDataclass
from tercel.program.command import ADDRESS_BITS, COMMAND_BYTES, COMMANDS
from tercel.program.slices import Slices

__all__ = ["AcceleratorSpec"]

ENGINE, HEADS, HEAD = COMMANDS["engine"], COMMANDS["heads"], COMMANDS["head"]
SIDECAR_FORMAT = "tercel accelerator"
SIDECAR_VERSION = 2
"""Version of the sidecar; 2 since the driver's part is named ``spec``."""
LIMITS = {
    "nodes": (1, 16),
    "positions": (1, HEADS.most("base")),
    "hidden": (16, COMMANDS["residual"].most("width")),
    "columns": (16, COMMANDS["norm"].most("width")),
    "head_size": (16, 1024),
    "sweeps": (1, HEADS.most("query_heads")),
    "slices": (1, HEAD.most("slices")),
    "top_k": (1, HEAD.most("top_k")),
    # The head reads whole row blocks.
    "rows": (1, HEAD.most("rows") // ROW_BLOCK * ROW_BLOCK),
    "address_width": (ADDRESS_BITS, 64),
}
OPTIONAL = ("groups", "qk_norm", "shortlist")
"""Fields with a default; a sidecar without them is one of an accelerator that lacks them."""
GROUPS_BIT, QK_NORM_BIT = 28, 29
"""Bits of the register ``caps``."""
SHORTLIST_BIT = 8
"""Lowest bit of the shortlist in the register ``shape``."""
MOST_PORT_BYTES = 16
LEAST_WORD_BYTES = 16
MOST_LAYERS = (1 << 16) - 1
"""A program is one run with a 24-bit length, a third of which this many layers take."""


@dataclass(frozen=True, kw_only=True)
class AcceleratorSpec(JsonDataclass):
    """The parameters and limits of an accelerator.

    Raises
    ------
    TercelError
        If a field breaks its rule; the message quotes the field and its value.
    """

    WHAT: ClassVar[str] = "spec"

    layout: TapeLayout
    """Layout of its tapes, or a mapping of the layout's fields."""
    nodes: int
    """Number of lanes, K."""
    positions: int
    """Most positions that a query attends to."""
    hidden: int
    """Widest residual stream."""
    columns: int
    """Widest input of a linear."""
    head_size: int
    sweeps: int
    """Most query heads, which is the number of KV sweeps if every lane has a node."""
    slices: int
    """Most slices of all query heads together, and most slices of the residual stream."""
    top_k: int
    """Largest top-k."""
    rows: int
    """Largest vocabulary."""
    address_width: int
    """Bits of a byte address of a port."""
    groups: int = 0
    """Groups of 128 columns in a row-chunk: those of the layout, or 0 if the accelerator plays
    only matrices of one scale."""
    qk_norm: bool = False
    """True if the accelerator norms the heads of queries and keys."""
    shortlist: int = 0
    """Most rows that a two-stage head lists for a node, 0 if there are no such heads."""

    def __post_init__(self):
        if isinstance(self.layout, Mapping):
            layout = TapeLayout.from_json(json.dumps(self.layout))
            object.__setattr__(self, "layout", layout)
        if not isinstance(self.layout, TapeLayout):
            raise TercelError(f"layout must be a tape layout, not {self.layout!r}")
        for name, (least, most) in LIMITS.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
                raise TercelError(f"{name} must be an integer in {least}..{most}, not {value!r}")
        if self.groups not in (0, self.layout.groups) or isinstance(self.groups, bool):
            raise TercelError(
                f"groups must be those of the layout's {self.layout.tables} tables, "
                f"{self.layout.groups}, or 0, not {self.groups!r}"
            )
        if not isinstance(self.qk_norm, bool):
            raise TercelError(f"qk_norm must be true or false, not {self.qk_norm!r}")
        check_shortlist(self.shortlist)
        if self.shortlist and not self.groups:
            raise TercelError("groups must not be 0 with a shortlist, which has scales of rows")
        self._check_layout()

    def to_fields(self) -> dict[str, Any]:
        """The fields of the JSON object; those with a default only if they differ from it, so that
        older readers accept the spec of an accelerator without them."""
        found = super().to_fields()
        return {name: value for name, value in found.items() if value or name not in OPTIONAL}

    def _check_layout(self) -> None:
        layout = self.layout
        if layout.port_bytes > MOST_PORT_BYTES:
            raise TercelError(
                f"port_bytes must be at most {MOST_PORT_BYTES}, not {layout.port_bytes}"
            )
        if COMMAND_BYTES % layout.word_bytes or layout.word_bytes < LEAST_WORD_BYTES:
            raise TercelError(
                f"the bytes of a word, at least {LEAST_WORD_BYTES}, must divide a command's "
                f"{COMMAND_BYTES}, "
                f"but are {layout.word_bytes}"
            )
        if layout.tables > (most := ENGINE.most("codes")):
            raise TercelError(f"tables must be at most {most}, not {layout.tables}")
        if (count := layout.chunks(self.columns).count) > (most := ENGINE.most("chunks")):
            raise TercelError(
                f"a row of columns must be at most {most} row-chunks, but "
                f"{self.columns} columns are {count}; take more tables"
            )
        slices = Slices(word_bytes=layout.word_bytes, elements=self.head_size)
        if slices.full > (most := HEADS.most("full")):
            raise TercelError(
                f"a head of head_size must be at most {most} whole words, but {self.head_size} "
                f"bytes are {slices.full} of {layout.word_bytes}; take wider words or smaller heads"
            )

    @classmethod
    def load(cls, path: Path) -> "AcceleratorSpec":
        """Read the spec from a sidecar, which ``tercel hdl`` writes beside the Verilog.

        Raises
        ------
        TercelError
            If the file cannot be read or is not a sidecar of this version.
        """
        try:
            sidecar = json.loads(path.read_text())
        except OSError as error:
            raise TercelError(
                f"the sidecar {path} cannot be read: {error.strerror}; "
                "it is the JSON file beside the accelerator's Verilog or bitstream"
            ) from None
        except (ValueError, RecursionError) as error:
            raise TercelError(f"the sidecar {path} is not valid JSON: {error}") from None
        if not isinstance(sidecar, dict) or sidecar.get("format") != SIDECAR_FORMAT:
            raise TercelError(
                f"{path} is no sidecar of an accelerator: its format must be {SIDECAR_FORMAT!r}"
            )
        if sidecar.get("version") != SIDECAR_VERSION:
            raise TercelError(
                f"the sidecar {path} has the version {sidecar.get('version')!r}, but this tercel "
                f"reads {SIDECAR_VERSION}; write it again with this tercel's `tercel hdl`"
            )
        return cls.from_json(json.dumps(sidecar.get("spec")))

    @property
    def caps(self) -> int:
        """Value of the register ``caps``: nodes, ports, bytes of a port's beat, weight code, and a
        bit each for groups and q/k norms."""
        layout = self.layout
        code = list(CODES).index(layout.code)
        parts = (self.groups > 0) << GROUPS_BIT | self.qk_norm << QK_NORM_BIT
        return self.nodes | layout.ports << 8 | layout.port_bytes << 16 | code << 24 | parts

    @property
    def shape(self) -> int:
        """Value of the register ``shape``: tables, base-2 logarithm of the shortlist's rows, and
        block rows."""
        lists = max(0, self.shortlist.bit_length() - 1)
        return self.layout.tables | lists << SHORTLIST_BIT | self.layout.block_rows - 1 << 16

    @property
    def line_bytes(self) -> int:
        """Bytes of a line: a 32-bit number per lane, rounded up to beats of a port."""
        return -(-4 * self.nodes // self.layout.port_bytes) * self.layout.port_bytes

    def check(self, config: ModelConfig, layout: TapeLayout) -> None:
        """Check that this accelerator can run a model with a tape of ``layout``.

        Raises
        ------
        TercelError
            If the model needs what accelerators have not, the layout is another one, or the model
            exceeds a limit.
        """
        if lacks := self.lacks(config):
            raise TercelError(lacks)
        for field in fields(layout):
            mine, theirs = getattr(self.layout, field.name), getattr(layout, field.name)
            if mine != theirs:
                raise TercelError(
                    f"the accelerator plays tapes with {field.name} {mine!r}, but the image's is "
                    f"{theirs!r}; build the image with the accelerator's layout: "
                    "`tercel quantize --layout SIDECAR`"
                )
        for what, value, most in self.excesses(config):
            raise TercelError(
                f"{what} of {config.name} must be at most {most} on this accelerator, but is "
                f"{value}; build one for larger models"
            )

    def lacks(self, config: ModelConfig) -> str | None:
        """The reason why no accelerator of this kind, however large, plays a model, if any.

        One with groups plays a model with a shortlist at least with its whole head.
        """
        scaled = config.granularity != "tensor" or config.shortlist > 0
        missing = ["scales of rows or groups"] * (scaled and not self.groups)
        missing += ["q/k norms"] * (config.qk_norm and not self.qk_norm)
        if not missing:
            return None
        return (
            f"the accelerator plays no {' and no '.join(missing)}, but {config.name} has "
            f"{config.version_3_parts}; take one that plays them, such as kv260-groups, or run it "
            "on the emulator: --device emulator"
        )

    def excesses(self, config: ModelConfig) -> tuple[tuple[str, int, int], ...]:
        """The limits that a model exceeds: description, the model's value, the most possible."""
        layout = self.layout
        widest = max(columns for _, columns in config.linears().values())
        slices = layout.words(config.head_size)
        layer = segments(replace(config, layers=1), layout)  # all layers are equal
        ternary = [segment for segment in layer if segment.ternary]
        blocks = max(-(-segment.rows // layout.block_rows) for segment in ternary)
        row_chunks = max(
            segment.rows * len(segment.form(layout).row_chunks.sizes) for segment in ternary
        )
        return tuple(
            (what, value, most)
            for what, value, most in (
                ("number of layers", config.layers, MOST_LAYERS),
                ("hidden_size", config.hidden_size, self.hidden),
                ("widest input of a linear", widest, self.columns),
                ("head_size", config.head_size, self.head_size),
                ("number of heads", config.heads, self.sweeps),
                (f"number of heads of {slices} slices", config.heads, self.slices // slices),
                ("slices of hidden_size", layout.words(config.hidden_size), self.slices),
                ("vocab_size", config.vocab_size, self.rows),
                ("row-chunks of a matrix", row_chunks, ENGINE.most("row_chunks")),
                ("blocks of rows of a matrix", blocks, ENGINE.most("blocks")),
            )
            if value > most
        )
