"""Predictions of passes: cycles, bytes and tokens a second."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from tercel.config import ModelConfig
from tercel.program import PassBuilder, memory_map
from tercel_hw.memory import AxiReader
from tercel_hw.memory.reader import LEFT
from tercel_hw.top import AcceleratorConfig
from tercel_sim.cycle_model.bank_schedule import StripedStream
from tercel_sim.cycle_model.banked_queue import BankedQueue
from tercel_sim.cycle_model.dispatch import decode
from tercel_sim.cycle_model.dram_queue import DramQueue
from tercel_sim.cycle_model.memory import Memory
from tercel_sim.cycle_model.pass_timing import PassTiming
from tercel_sim.cycle_model.requests import chain_request
from tercel_sim.ddr import BankedDdrConfig, DdrConfig

__all__ = [
    "PassPrediction",
    "PrefillPrediction",
    "predict_pass",
    "predict_prefill",
    "striped_stream",
]


@dataclass(frozen=True, kw_only=True)
class PassPrediction:
    """Prediction of one pass."""

    cycles: int
    """Value of the register ``cycles`` after the pass."""
    bytes_read: int
    bytes_written: int
    """Beats of all ports, strobed or not."""
    parts: Mapping[str, float]
    """Cycles by part of the pass: ``load``, ``qkv``, ``attention``, ``o``, ``gate_up``, ``down``,
    each until the last sum of the linear leaves, then ``head``."""
    clock_hz: float

    @property
    def seconds(self) -> float:
        return self.cycles / self.clock_hz

    @property
    def passes_per_second(self) -> float:
        """Passes a second: tokens a second with one token a pass."""
        return self.clock_hz / self.cycles


@dataclass(frozen=True, kw_only=True)
class PrefillPrediction:
    """Prediction of a prompt."""

    cycles: int
    passes: int
    tokens: int
    clock_hz: float

    @property
    def tokens_per_second(self) -> float:
        return self.tokens * self.clock_hz / self.cycles


def predict_pass(
    model: ModelConfig,
    accelerator: AcceleratorConfig,
    ddr: DdrConfig,
    *,
    nodes: int,
    base: int,
    head_rows: int | None,
    top_k: int = 0,
    layer_mask: tuple[tuple[bool, bool], ...] | None = None,
    context: int | None = None,
    start: int = 0,
    timing: type[PassTiming] = PassTiming,
    two_stage: bool = False,
    listed: int | None = None,
) -> PassPrediction:
    """Predict a pass of a chain of nodes.

    The driver's program is timed with a model of each unit; memory is a fluid with latency. `TopK`
    takes its average time over random orders of rows. Pauses of the host between passes are not in
    the model.

    Parameters
    ----------
    nodes
        Tokens of the pass.
    base
        Positions in the cache.
    head_rows
        Rows of the head, for argmax; ``None``: no head, as in prefill.
    top_k
        Requested k of top-k, with the sums of exponentials; 0 for none.
    layer_mask
        Per layer, whether its attention and its MLP are run; ``None`` runs all.
    context
        Positions for which the cache is laid out; ``None`` is the most possible.
    start
        Cycle of the memory's clock in which the pass begins; it sets the phase of refreshes.
    timing
        Model of the units; another one judges what is not built.
    two_stage
        True for a two-stage head.
    listed
        Rows that some node lists in it; ``None``: the most, no row for two nodes.

    Raises
    ------
    TercelError
        If the accelerator cannot run the model.
    ValueError
        If nodes or positions exceed the accelerator's.
    """
    spec = accelerator.spec
    spec.check(model, accelerator.layout)
    if context is None:
        context = min(model.context, spec.positions)
    if not 1 <= nodes <= spec.nodes:
        raise ValueError(f"nodes must be in 1..{spec.nodes}, not {nodes}")
    if not 0 <= base <= context - nodes:
        raise ValueError(f"base must be in 0..{context - nodes}, not {base}")
    request = chain_request(
        model,
        nodes=nodes,
        base=base,
        head_rows=head_rows,
        top_k=top_k,
        layer_mask=layer_mask,
        two_stage=two_stage,
    )
    places = memory_map(config=model, spec=spec, context=context)
    builder = PassBuilder(config=model, spec=spec, memory_map=places)
    memory = Memory(accelerator, _server(accelerator, ddr, start))
    passed = timing(
        accelerator,
        decode(builder.build(request)),
        memory,
        address=places.program.first_word,
        listed=listed,
    )
    cycles = math.ceil(passed.run())
    return PassPrediction(
        cycles=cycles,
        bytes_read=memory.words_read * accelerator.word_bytes,
        bytes_written=memory.beats_written * accelerator.port_bytes,
        parts=dict(passed.parts),
        clock_hz=ddr.clock_mhz * 1e6,
    )


def _server(accelerator: AcceleratorConfig, ddr: DdrConfig, start: int) -> DramQueue:
    """Return the model of the memory behind an accelerator's ports."""
    word_bytes, ports = accelerator.word_bytes, accelerator.ports
    if not isinstance(ddr, BankedDdrConfig):
        return DramQueue(ddr, word_bytes=word_bytes, ports=ports, start=start)
    return BankedQueue(ddr, striped_stream(accelerator), start=start)


def striped_stream(accelerator: AcceleratorConfig) -> StripedStream:
    """Return how an accelerator's ports read a long stream."""
    reader = accelerator.routed.striped.reader
    return StripedStream(
        ports=accelerator.ports,
        port_bytes=accelerator.port_bytes,
        burst_beats=accelerator.burst_beats,
        ahead_beats=min(reader.outstanding * accelerator.burst_beats, reader.buffer_beats),
        path_cycles=AxiReader.DATA_LATENCY + LEFT,
    )


def predict_prefill(
    model: ModelConfig,
    accelerator: AcceleratorConfig,
    ddr: DdrConfig,
    *,
    tokens: int,
    base: int = 0,
    nodes: int | None = None,
    context: int | None = None,
) -> PrefillPrediction:
    """Predict a prompt in passes of ``nodes`` (``None``: all lanes) without a head.

    Passes that differ only in their base are predicted for a few bases and interpolated between.
    """
    size = accelerator.nodes if nodes is None else nodes
    starts = list(range(base, base + tokens, size))
    full = [start for start in starts if start + size <= base + tokens]
    cycles = 0.0

    def one(start: int, count: int) -> int:
        return predict_pass(
            model, accelerator, ddr, nodes=count, base=start, head_rows=None, context=context
        ).cycles

    if full:
        known = sorted({full[round(i * (len(full) - 1) / (KNOTS - 1))] for i in range(KNOTS)})
        values = {start: one(start, size) for start in known}
        for low, high in pairwise(known):
            inside = [start for start in full if low <= start < high]
            slope = (values[high] - values[low]) / (high - low)
            cycles += sum(values[low] + slope * (start - low) for start in inside)
        cycles += values[known[-1]]
    if len(full) < len(starts):
        cycles += one(starts[-1], base + tokens - starts[-1])
    return PrefillPrediction(
        cycles=math.ceil(cycles), passes=len(starts), tokens=tokens, clock_hz=ddr.clock_mhz * 1e6
    )


KNOTS = 5
"""Number of bases for which passes of a long prompt are predicted."""
