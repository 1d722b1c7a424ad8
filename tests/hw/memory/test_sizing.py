import dataclasses
import math
import random

import numpy as np
import pytest

from tercel.config import PRESETS
from tercel.image import LAYOUTS, segments
from tercel_hw.memory import Phase, play, supply_rate, tape_buffer_words, tape_phases


def brute_force(phases, supply, depth):
    """Whole words, cycle by cycle: cycles of the pass and the highest level."""
    demand, share = [], []
    for phase in phases:
        demand += [(phase.words, phase.rate)]
        share += [(phase.idle_cycles, phase.share)]
    arrived = left = 0
    credit = cycles = most = 0
    total = sum(phase.words for phase in phases)
    budget = 0.0
    for (words, rate), (idle, part) in zip(demand, share, strict=True):
        for _ in range(int(idle)):
            room = min(depth - (arrived - left), total - arrived)
            credit = min(credit + supply * part, 1 + supply)
            entered = min(int(credit), room)
            credit, arrived = credit - entered, arrived + entered
            most, cycles = max(most, arrived - left), cycles + 1
        end, budget = left + words, 0.0
        while left < end:
            room = min(depth - (arrived - left), total - arrived)
            credit = min(credit + supply, 1 + supply)
            entered = min(int(credit), max(room, 0))
            credit, arrived = credit - entered, arrived + entered
            budget = min(budget + rate, 1 + rate)
            taken = min(int(budget), arrived - left, end - left)
            budget, left = budget - taken, left + taken
            most, cycles = max(most, arrived - left), cycles + 1
    return cycles, most


def drawn(seed, count=12):
    generator = random.Random(seed)
    return [
        Phase(
            words=generator.randrange(1, 400),
            rate=generator.choice([1.0, 1.0, 0.9, 0.6]),
            idle_cycles=generator.choice([0, 0, 50, 200]),
            share=generator.choice([1.0, 1.0, 0.5, 0.0]),
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("supply", [0.5, 0.9375, 1.0])
@pytest.mark.parametrize("depth", [math.inf, 64, 200])
def test_the_fluid_equals_the_cycles(seed, supply, depth):
    phases = drawn(seed)
    playback = play(phases, supply=supply, depth=depth)
    cycles, most = brute_force(phases, supply, depth if depth < math.inf else 10**9)
    assert abs(playback.cycles - cycles) <= 2 + 3 * len(phases)
    assert abs(playback.most_words - most) <= 3 + len(phases)


@pytest.mark.parametrize("seed", range(12))
def test_the_memory_waits_with_fewer_words_only(seed):
    phases, supply = drawn(seed), 0.8
    words = tape_buffer_words(phases, supply=supply)
    unbounded = play(phases, supply=supply)
    enough = play(phases, supply=supply, depth=max(words, 1))
    assert enough.waiting_cycles == pytest.approx(0, abs=1e-6)
    assert enough.cycles == pytest.approx(unbounded.cycles)
    if words > 2:
        less = play(phases, supply=supply, depth=words - 2)
        assert less.waiting_cycles > 0
        assert less.cycles >= enough.cycles - 1e-6


def test_one_gap_takes_what_arrives_in_it():
    phases = [Phase(words=1000), Phase(words=1000, idle_cycles=300)]
    assert tape_buffer_words(phases, supply=0.75) == 225
    assert (
        tape_buffer_words([phases[0], dataclasses.replace(phases[1], share=0.5)], supply=0.75)
        == 113
    )


def test_gaps_add_up_until_caught_up():
    """Between the gaps the engine wins 0.25 words a cycle, 25 in 100 cycles."""
    phases = [Phase(words=100, idle_cycles=100), Phase(words=1000, idle_cycles=100)]
    assert tape_buffer_words(phases, supply=0.75) == 75 - 25 + 75


def test_a_pass_that_never_idles_runs_at_the_supply():
    playback = play([Phase(words=900)] * 3, supply=0.9)
    assert playback.cycles == pytest.approx(3000)
    assert playback.most_words == pytest.approx(0)
    assert playback.starved_cycles == pytest.approx(300)


def test_phases_of_a_model():
    layout, config = LAYOUTS["kv260"], PRESETS["0.7b"]
    table = segments(config, layout)
    phases = tape_phases(table, layout, idle_cycles={"o": 900, "head": 50}, shares={"o": 0.5})
    assert sum(phase.words for phase in phases) == sum(s.words for s in table if s.played)
    assert [phase.idle_cycles for phase in phases].count(900) == config.layers
    assert [phase.share for phase in phases].count(0.5) == config.layers
    assert phases[-1].idle_cycles == 50
    supply = supply_rate(layout, bytes_per_second=15e9, clock_hz=250e6)
    assert supply == 0.9375
    assert tape_buffer_words(phases, supply=supply) < 7 * 4096
    assert np.isclose(supply_rate(layout, bytes_per_second=19e9, clock_hz=250e6), 1)


@pytest.mark.parametrize(
    ("gigabytes", "attention", "words"),
    [
        (13.3, 1000, 832),
        (13.3, 4000, 3325),
        (15.0, 1000, 938),
        (15.0, 4000, 3750),
        (16.0, 1000, 43500),
        (16.0, 4000, 115500),
    ],
)
def test_the_buffer_of_the_kv260(gigabytes, attention, words):
    """The figures of docs/hardware/memory.md. At 16 GB/s the engine never catches up."""
    layout = LAYOUTS["kv260"]
    idle = {"qkv.vector": 200, "o.vector": attention, "gate_up.vector": 200, "down.vector": 400}
    table = segments(PRESETS["0.7b"], layout)
    phases = tape_phases(table, layout, idle_cycles=idle | {"head.vector": 300})
    supply = supply_rate(layout, bytes_per_second=gigabytes * 1e9, clock_hz=250e6)
    assert tape_buffer_words(phases, supply=supply) == words
    total = sum(phase.words for phase in phases)
    if gigabytes < 16:
        assert play(phases, supply=supply).cycles == pytest.approx(total / supply)


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"words": -1}, "words must not be negative, not -1"),
        ({"words": 1, "rate": 0}, "rate must be above 0 and at most 1 word a cycle, not 0"),
        ({"words": 1, "idle_cycles": -2}, "idle_cycles must not be negative, not -2"),
        ({"words": 1, "share": 1.5}, r"share must be in 0\.\.1, not 1\.5"),
    ],
)
def test_a_broken_phase_is_named(fields, rule):
    with pytest.raises(ValueError, match=rule):
        Phase(**fields)


def test_broken_arguments_are_named():
    layout = LAYOUTS["kv260"]
    with pytest.raises(ValueError, match="supply must be above 0 and at most 1"):
        play([], supply=1.5)
    with pytest.raises(ValueError, match="depth must be at least 1 word, not 0"):
        play([], supply=1, depth=0)
    with pytest.raises(ValueError, match="no played segment has the name 'rope'"):
        tape_phases(segments(PRESETS["0.7b"], layout), layout, idle_cycles={"rope": 1})
