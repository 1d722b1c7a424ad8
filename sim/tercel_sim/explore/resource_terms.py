"""The terms that a block's resources are sums of, and their fit to syntheses."""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.optimize import nnls

from tercel_hw.top import AcceleratorConfig

__all__ = ["ATTENTION", "ENGINE", "MEMORIES", "TAPE", "Terms", "features", "fit_terms"]

Terms = Mapping[str, float]
"""Weights, or values, by the name of the term."""
ENGINE = "core.engine"
TAPE = "memory.channel_tape"
ATTENTION = "core.attention"
MEMORIES = ("bram36", "uram")
"""Kinds of resource that the kind of large memories decides; all others depend on the target."""
RIDGE = 1e-4
"""Weight of the squares of the terms' distances from where they start: where few points leave it
open which terms a block grows with, all that explain it share its growth."""
SMALL = 20
"""A value below the largest by this factor or more counts as if it were no smaller."""


def features(name: str, kind: str, config: AcceleratorConfig) -> Terms:
    """The terms of a block's resources: sizes that its parts are proportional to."""
    lanes, word, tables = config.nodes, config.word_bytes, config.tlmm.tables
    if name.startswith(ENGINE):
        return {"1": 1, "T": tables, "KT": lanes * tables}
    terms: dict[str, float] = {"1": 1, "K": lanes, "W": word, "KW": lanes * word, "P": config.ports}
    if name == "core.gearbox":
        return {"1": 1, "W": word, "T": tables}
    if name == ATTENTION and kind in ("lut", "ff"):  # the sums at the ends of chains
        return terms | {"KW/c": lanes * word / config.chain}
    if name.startswith("core.commands_"):
        return {"1": 1}
    if kind in MEMORIES and not config.ultra_ram:
        # Presets without UltraRAM differ in the lengths of their large memories too.
        return terms | _lengths(name, config)
    return terms


def _lengths(name: str, config: AcceleratorConfig) -> dict[str, float]:
    """The size of the large memories of a block, a row for each lane."""
    if name == "core.quantiser":
        return {"K columns": config.nodes * config.tlmm.max_columns}
    if name == "core.residual":
        return {"K hidden": config.nodes * config.hidden}
    if name == ATTENTION:
        return {"K positions": config.nodes * config.positions}
    return {}


def fit_terms(rows: Sequence[Terms], values: Sequence[float], start: Terms | None = None) -> Terms:
    """Fit non-negative weights of terms by least squares.

    Residuals are relative to the size of a block, so that small and large accelerators count alike.

    Parameters
    ----------
    rows
        The terms of each point.
    values
        The resources of each point.
    start
        Weights for another target, which are scaled to the points: what these leave open grows as
        there.
    """
    found = np.array(values, float)
    if not found.any():
        return {}
    terms = list(rows[0])
    matrix = np.array([[row[term] for term in terms] for row in rows], float)
    scale = 1 / np.maximum(found, max(1.0, found.max() / SMALL))
    sizes = matrix.max(axis=0)
    begin = np.array([(start or {}).get(term, 0.0) for term in terms])
    expected = matrix @ begin * scale
    if expected.any():
        begin = begin * (expected @ (found * scale)) / (expected @ expected)
    ridge = np.sqrt(RIDGE) / found.max()
    weights, _ = nnls(
        np.vstack([matrix / sizes * scale[:, None], ridge * np.eye(len(terms))]),
        np.concatenate([found * scale, ridge * begin * sizes]),
    )
    return {term: float(w / s) for term, w, s in zip(terms, weights, sizes, strict=True) if w > 0}
