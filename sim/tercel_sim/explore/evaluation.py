"""Speed and resources of one design."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from tercel.config import ModelConfig
from tercel_hw.top import AcceleratorConfig
from tercel_sim.cycle_model import predict_pass
from tercel_sim.ddr import BankedDdrConfig, DdrConfig
from tercel_sim.explore.design import Design

__all__ = ["CONTEXT", "PROMPT", "VERIFIED", "Evaluation", "Speed", "ddr_at", "predict_speed"]

CONTEXT = 128
"""Positions before the pass of a token and before a verify."""
PROMPT = 128
"""Tokens of the prompt of a time to the first token."""
VERIFIED = 8
"""Nodes of a verify; of an accelerator with fewer lanes, in several passes."""
LAYERS = (4, 6)
"""Numbers of layers of the passes from which those of a whole model are extrapolated; in the first
ones the tape buffer is ahead."""
HEAD_ROWS = (4096, 8192)
"""Numbers of rows from which a whole head is extrapolated."""
CLOCK_CYCLES = ("read_latency", "write_latency", "refresh_interval", "refresh_cycles", "turnaround")
"""Times of a memory that are the same in nanoseconds at every clock."""


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Predictions of the cycle model for one model."""

    tokens_per_second: float
    """Decoding after :data:`CONTEXT` positions."""
    first_token_ms: float
    """A prompt of :data:`PROMPT` tokens to its first token, without the host."""
    verify_ms: float
    """:data:`VERIFIED` nodes after :data:`CONTEXT` positions, in as many passes as it takes."""

    @property
    def verify_cost(self) -> float:
        """Time of a verify over that of a token."""
        return self.verify_ms * self.tokens_per_second / 1000


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One legal design with its predicted speed and estimated resources."""

    design: Design
    speed: Speed
    shares: Mapping[str, float]
    """Parts of the board's budget by kind of resource."""

    @property
    def largest_share(self) -> float:
        return max(self.shares.values())

    def to_dict(self) -> dict[str, Any]:
        """Every parameter and figure by name."""
        return {
            **self.design.to_dict(),
            **asdict(self.speed),
            "verify_cost": self.speed.verify_cost,
            "shares": dict(self.shares),
            "largest_share": self.largest_share,
        }


def ddr_at(ddr: DdrConfig, clock_mhz: float) -> DdrConfig:
    """Return a memory as ports of another clock see it: the same rate and nanoseconds."""
    ratio = clock_mhz / ddr.clock_mhz
    times = {name: round(getattr(ddr, name) * ratio) for name in CLOCK_CYCLES}
    for name in ("read_latency", "write_latency"):
        times[name] = max(1, times[name])
    changed = replace(ddr, clock_mhz=clock_mhz, **times)
    if isinstance(changed, BankedDdrConfig):
        banks = changed.banks
        opened, other = (round(each * ratio) for each in (banks.open_cycles, banks.change_cycles))
        lags = tuple(round(lag * ratio) for lag in banks.lags)
        banks = replace(banks, open_cycles=opened, change_cycles=other, lags=lags)
        changed = replace(changed, banks=banks)
    return changed


def predict_speed(model: ModelConfig, accelerator: AcceleratorConfig, ddr: DdrConfig) -> Speed:
    """Predict the speed of a model on an accelerator whose clock is that of ``ddr``.

    Passes of a prompt, whose time grows linearly with their base, count as full ones.
    """
    passes = _Passes(model, accelerator, ddr)
    lanes = accelerator.nodes
    verified = min(lanes, VERIFIED)
    shallow, deep = (passes.cycles(lanes, base) for base in (0, CONTEXT))
    verify = passes.cycles(verified, CONTEXT) + passes.head(verified)
    prompt = sum(shallow + (deep - shallow) * base / CONTEXT for base in range(0, PROMPT, lanes))
    clock = ddr.clock_mhz * 1e6
    return Speed(
        tokens_per_second=clock / (passes.cycles(1, CONTEXT) + passes.head(1)),
        first_token_ms=1000 * (prompt + passes.head(1)) / clock,
        verify_ms=1000 * math.ceil(VERIFIED / verified) * verify / clock,
    )


class _Passes:
    """Cycles of passes of a whole model, extrapolated from few layers and rows of the head."""

    def __init__(self, model: ModelConfig, accelerator: AcceleratorConfig, ddr: DdrConfig):
        self._model = model
        self._accelerator = accelerator
        self._ddr = ddr
        self._known: dict[tuple[int, int, int, int], int] = {}

    def cycles(self, nodes: int, base: int) -> float:
        """Cycles of a pass without the head."""
        known = [self._pass(nodes, base, layers, 0) for layers in LAYERS]
        return _line(LAYERS, known, self._model.layers)

    def head(self, nodes: int) -> float:
        """Cycles of the head after :data:`CONTEXT` positions."""
        without = self._pass(nodes, CONTEXT, LAYERS[0], 0)
        rows = [min(count, self._model.vocab_size) for count in HEAD_ROWS]
        known = [self._pass(nodes, CONTEXT, LAYERS[0], count) - without for count in rows]
        return _line(rows, known, self._model.vocab_size)

    def _pass(self, nodes: int, base: int, layers: int, rows: int) -> int:
        """A pass of some layers, with so many rows of the head."""
        key = (nodes, base, layers, rows)
        if key not in self._known:
            self._known[key] = predict_pass(
                replace(self._model, layers=layers),
                self._accelerator,
                self._ddr,
                nodes=nodes,
                base=base,
                head_rows=rows or None,
            ).cycles
        return self._known[key]


def _line(places: Sequence[int], values: Sequence[float], place: int) -> float:
    """The value of the line through two points; of equal places that of the first."""
    (first, second), (low, high) = places, values
    slope = (high - low) / (second - first) if second != first else 0.0
    return low + slope * (place - first)
