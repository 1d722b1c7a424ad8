"""Time of a pass by nodes and cached positions, predicted for a model on the kv260 preset."""

import json
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from tercel.config import PRESETS
from tercel_hw.top import ACCELERATORS
from tercel_sim.cycle_model import predict_pass
from tercel_sim.ddr import DDR

BUILD = Path(__file__).parents[1] / "build" / "bench"
BASES = (0, 128, 512, 960)
"""Cached positions for which passes are predicted; others are interpolated."""
MEMORY = "kv260-15.0"
NODES = 8


@dataclass(frozen=True)
class Curve:
    """Predicted seconds of a pass.

    Parameters
    ----------
    seconds
        ``[bases, nodes]``.
    """

    seconds: tuple[tuple[float, ...], ...]

    @cached_property
    def _table(self) -> np.ndarray:
        return np.array(self.seconds)

    def __call__(self, nodes: int, base: int) -> float:
        low = min(bisect_right(BASES, base) - 1, len(BASES) - 2)
        part = (base - BASES[low]) / (BASES[low + 1] - BASES[low])
        first, second = self._table[low : low + 2, nodes - 1]
        return float(first + part * (second - first))


def cost_curve(model: str, *, top_k: int) -> Curve:
    """Predict, or read from an earlier prediction, the curve of a reference model.

    Parameters
    ----------
    model
        Name of a preset.
    top_k
        Requested k of top-k; 0 asks for the argmax alone.
    """
    path = BUILD / f"cost-{model}-{MEMORY}-top{top_k}.json"
    if not path.exists():
        config = PRESETS[model]
        table = [
            [
                predict_pass(
                    config,
                    ACCELERATORS["kv260"],
                    DDR[MEMORY],
                    nodes=nodes,
                    base=base,
                    head_rows=config.vocab_size,
                    top_k=top_k,
                ).seconds
                for nodes in range(1, NODES + 1)
            ]
            for base in BASES
        ]
        BUILD.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(table))
    return Curve(tuple(tuple(row) for row in json.loads(path.read_text())))


def costs(curve: Curve, base: int) -> Mapping[int, float]:
    """Cost of N nodes in plain passes, V(N)/V(1), at a number of cached positions."""
    return {nodes: curve(nodes, base) / curve(1, base) for nodes in range(1, NODES + 1)}
