"""Choice of the layout of a file's I2_S tensors, which the file does not name.

The layouts order the same trits differently and take the same space. In a trained model the hidden
units of an MLP differ: a unit with many zeros in its rows of the gate and up projections has many,
or few, in its column of the down projection. Read in a wrong layout, the counts of the columns
belong to other units, and hardly correlate with those of the rows.
"""

import numpy as np
import numpy.typing as npt

from tercel.errors import TercelError
from tercel_quant.importers.gguf_i2s import I2S_LAYOUTS
from tercel_quant.importers.gguf_tensors import GgufTensors
from tercel_quant.importers.gguf_types import I2s

__all__ = ["I2S", "choose_layout", "layout_name", "layout_scores"]

I2S = 36
"""Number of the type."""
LAYERS = 4
"""Layers that are examined, evenly spread."""
LEAST, LEAD = 8.0, 2.0
"""Smallest correlation that decides, in standard deviations of that of unrelated counts, and its
smallest ratio to that of any other layout."""


def choose_layout(tensors: GgufTensors, layers: int, asked: str | None) -> I2s | None:
    """The layout of the I2_S tensors, ``None`` if there are none.

    Parameters
    ----------
    tensors
    layers : int
        Layers of the model.
    asked : str, optional
        Name of the layout in place of the choice by the weights.

    Raises
    ------
    TercelError
        If the tensors cannot have the layout asked for, or none is given and the weights do not
        decide.
    """
    possible = [layout for layout in tensors.layouts.get(I2S, ()) if isinstance(layout, I2s)]
    if asked is not None:
        return _named(possible, asked)
    if len(possible) < 2:
        return possible[0] if possible else None
    scores = list(layout_scores(tensors, layers).values())
    *_, second, best = np.argsort(scores)
    if scores[best] < max(LEAST, LEAD * scores[second]):
        names = ", ".join(layout_name(one) for one in possible)
        raise TercelError(
            "the file's I2_S tensors are in one of the layouts of bitnet.cpp, which the file does "
            f"not name and the weights do not tell; choose one of {names} with `tercel quantize "
            "--i2s-layout` (microsoft/bitnet-b1.58-2B-4T-gguf is x86)"
        )
    return possible[best]


def layout_scores(tensors: GgufTensors, layers: int) -> dict[str, float]:
    """Name of each possible layout to the correlation of the weights read in it."""
    possible = [layout for layout in tensors.layouts[I2S] if isinstance(layout, I2s)]
    return {layout_name(layout): _score(tensors, layers, layout) for layout in possible}


def _named(possible: list[I2s], asked: str) -> I2s:
    if asked not in I2S_LAYOUTS:
        raise TercelError(f"the I2_S layout must be one of {', '.join(I2S_LAYOUTS)}, not {asked!r}")
    found = [layout for layout in possible if layout.layout == I2S_LAYOUTS[asked]]
    if not found:
        reason = "their shapes do not fit it" if possible else "it has none"
        raise TercelError(f"the I2_S tensors of the file cannot have the layout {asked}: {reason}")
    return found[0]


def layout_name(layout: I2s) -> str:
    """The name of a layout for messages and for ``--i2s-layout``."""
    return next(name for name, one in I2S_LAYOUTS.items() if one == layout.layout)


def _score(tensors: GgufTensors, layers: int, layout: I2s) -> float:
    """Rank correlation of the zeros of hidden units, in standard deviations, over some layers."""
    scores = []
    for layer in sorted({round(at) for at in np.linspace(0, layers - 1, LAYERS)}):
        names = [f"blk.{layer}.ffn_{part}.weight" for part in ("gate", "up", "down")]
        if any(tensors.entries[name].kind != I2S for name in names):
            continue
        gate, up, down = (tensors.read(name, layout) == 0 for name in names)
        rows, columns = gate.sum(1) + up.sum(1), down.sum(0)
        scores.append(_correlation(rows, columns) * np.sqrt(len(columns) - 1))
    return abs(float(np.sum(scores))) / np.sqrt(len(scores)) if scores else 0.0


def _correlation(one: npt.NDArray[np.int64], other: npt.NDArray[np.int64]) -> float:
    """Spearman's rank correlation; 0 if all counts are equal."""
    first, second = _ranks(one), _ranks(other)
    spread = first.std() * second.std()
    return float((first * second).mean() / spread) if spread else 0.0


def _ranks(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Ranks from the mean rank; equal counts share theirs, else their places would correlate."""
    _, inverse, sizes = np.unique(counts, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(sizes) - (sizes + 1) / 2)[inverse]
    return ranks - (len(counts) - 1) / 2
