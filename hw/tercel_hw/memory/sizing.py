"""The depth of the tape buffer at which the memory never waits.

A pass is a sequence of phases. In each the engine first takes no words for some cycles (it
normalises, attends, drains a pipeline) and then takes the words of a segment. The memory supplies
words all the time. The words supplied while none are taken must fit the buffer, or the memory
waits and the pass takes longer than its bytes need. The model is a fluid: words and cycles are real
numbers.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tercel.image import Segment, TapeLayout

__all__ = ["Phase", "Playback", "play", "supply_rate", "tape_buffer_words", "tape_phases"]

TINY = 1e-6
"""Tolerance below which words or cycles count as zero: above the rounding of a whole pass."""


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A phase of a pass: cycles without consumption, then a run of words.

    Raises
    ------
    ValueError
        If a field breaks its rule.
    """

    words: int
    """Words that the engine takes."""
    rate: float = 1.0
    """Words a cycle that the engine takes when they are available."""
    idle_cycles: float = 0.0
    """Cycles at the start in which the engine takes none."""
    share: float = 1.0
    """The tape's fraction of the supply in the idle cycles; the KV cache has the rest."""

    def __post_init__(self):
        if self.words < 0:
            raise ValueError(f"words must not be negative, not {self.words}")
        if not 0 < self.rate <= 1:
            raise ValueError(f"rate must be above 0 and at most 1 word a cycle, not {self.rate}")
        if self.idle_cycles < 0:
            raise ValueError(f"idle_cycles must not be negative, not {self.idle_cycles}")
        if not 0 <= self.share <= 1:
            raise ValueError(f"share must be in 0..1, not {self.share}")


@dataclass(frozen=True, kw_only=True)
class Playback:
    """Result of playing a pass through a buffer."""

    cycles: float
    most_words: float
    """Highest level of the buffer."""
    starved_cycles: float
    """Cycles in which the engine was ready for more words than were available."""
    waiting_cycles: float
    """Supply cut by a full buffer, in cycles of full supply."""


def supply_rate(layout: TapeLayout, *, bytes_per_second: float, clock_hz: float) -> float:
    """Return the words a cycle that the memory supplies: at most one, the limit of the ports."""
    return min(1.0, bytes_per_second / clock_hz / layout.word_bytes)


def tape_phases(
    table: Iterable[Segment],
    layout: TapeLayout,
    *,
    idle_cycles: Mapping[str, float] | None = None,
    shares: Mapping[str, float] | None = None,
) -> list[Phase]:
    """Return the phases of a pass, one for each played segment.

    A ternary segment is taken at a row-chunk a cycle but at most a word a cycle, others at a word a
    cycle.

    Parameters
    ----------
    table
        Segment table of the image.
    layout
        Tape layout of the image.
    idle_cycles
        Cycles without consumption before segments of a name, without ``layers.{i}.``: as
        ``{"o": 900, "gate_up.vector": 120}``.
    shares
        The tape's fraction of the supply in those cycles, by the same names.

    Raises
    ------
    ValueError
        If no played segment has a given name.
    """
    played = [segment for segment in table if segment.played]
    idle_cycles, shares = idle_cycles or {}, shares or {}
    kinds = [
        segment.name.split(".", 2)[-1] if _in_layer(segment) else segment.name for segment in played
    ]
    for name in {*idle_cycles, *shares} - {*kinds}:
        raise ValueError(f"no played segment has the name {name!r}")
    phases = []
    for segment, kind in zip(played, kinds, strict=True):
        rate = 1.0
        if segment.ternary:
            rate = min(1.0, segment.form(layout).row_chunks.sizes[0] / layout.word_bytes)
        phases.append(
            Phase(
                words=segment.words,
                rate=rate,
                idle_cycles=idle_cycles.get(kind, 0),
                share=shares.get(kind, 1.0),
            )
        )
    return phases


def _in_layer(segment: Segment) -> bool:
    return segment.name.startswith("layers.")


class _Buffer:
    """State of the buffer, advanced from event to event."""

    def __init__(self, words: float, supply: float, depth: float):
        self.rest = words
        self.supply = supply
        self.depth = depth
        self.level = self.most = self.cycles = self.starved = self.waiting = 0.0

    def step(self, share: float, demand: float, limit: float) -> tuple[float, float]:
        """Advance to the next event, at most ``limit`` cycles; return cycles and words a cycle."""
        flow = self.supply * share if self.rest > TINY else 0.0
        taken = demand if self.level > TINY else min(demand, flow)
        entered = min(flow, taken) if self.level >= self.depth - TINY else flow
        change, cycles = entered - taken, limit
        if entered > 0:
            cycles = min(cycles, self.rest / entered)
        if change > TINY:
            cycles = min(cycles, (self.depth - self.level) / change)
        elif change < -TINY:
            cycles = min(cycles, self.level / -change)
        self.rest -= entered * cycles
        self.level += change * cycles
        self.most = max(self.most, self.level)
        self.cycles += cycles
        if flow:
            self.waiting += cycles * (flow - entered) / self.supply
        self.starved += cycles * (demand - taken) / max(demand, TINY)
        return cycles, taken

    def idle(self, cycles: float, share: float) -> None:
        while cycles > TINY:
            moved, _ = self.step(share, 0.0, cycles)
            cycles -= moved

    def take(self, words: float, rate: float) -> None:
        while words > TINY and (self.rest > TINY or self.level > TINY):
            full = words / rate if self.level > TINY else words / min(rate, self.supply)
            moved, taken = self.step(1.0, rate, full)
            words -= moved * taken


def play(phases: Sequence[Phase], *, supply: float, depth: float = math.inf) -> Playback:
    """Play a pass through a buffer of ``depth`` words, from empty.

    Parameters
    ----------
    supply
        Words a cycle from the memory, see :func:`supply_rate`.
    depth
        Words that the buffer holds; unlimited by default.

    Raises
    ------
    ValueError
        If ``supply`` is not above 0 and at most 1, or ``depth`` is below 1.
    """
    if not 0 < supply <= 1:
        raise ValueError(f"supply must be above 0 and at most 1 word a cycle, not {supply}")
    if depth < 1:
        raise ValueError(f"depth must be at least 1 word, not {depth}")
    buffer = _Buffer(sum(phase.words for phase in phases), supply, depth)
    for phase in phases:
        buffer.idle(phase.idle_cycles, phase.share)
        buffer.take(phase.words, phase.rate)
    return Playback(
        cycles=buffer.cycles,
        most_words=buffer.most,
        starved_cycles=buffer.starved,
        waiting_cycles=buffer.waiting,
    )


def tape_buffer_words(phases: Sequence[Phase], *, supply: float) -> int:
    """Return the fewest words of a buffer with which the memory never waits.

    For a single gap this is ``supply * share * idle_cycles``, the words that arrive in it. A gap
    that begins before the buffer has drained from the last one adds to it.
    """
    return math.ceil(play(phases, supply=supply).most_words - TINY)
