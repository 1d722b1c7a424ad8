import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tercel_hw.tlmm.config import TLMM, TlmmConfig
from tercel_sim.testbench import every_cycle, random_gaps

TINY = TLMM["tiny"]


@st.composite
def engines(draw):
    tables = draw(st.integers(1, 5))
    return TlmmConfig(
        code=draw(st.sampled_from(["base3", "index5"])),
        tables=tables,
        nodes=draw(st.sampled_from([1, 2, 8])),
        block_rows=draw(st.integers(1, 9)),
        generators=draw(st.integers(1, tables)),
        max_columns=draw(st.integers(60, 6912)),
    )


@settings(max_examples=8, deadline=None)
@given(
    config=engines(),
    shapes=st.lists(st.tuples(st.integers(1, 16), st.integers(1, 60)), min_size=1, max_size=2),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_engine_plays_any_matrices(play, check, random_matrix, config, shapes, seed):
    matrices = [random_matrix(config, *shape, seed=seed) for shape in shapes]
    played = play(config, matrices)
    check(matrices, played)
    assert [end - played.commands[0] for end in played.ends] == config.finish_cycles(shapes)
    assert not played.error


@pytest.mark.parametrize("code", ["base3", "index5"])
@pytest.mark.parametrize("weight", [1, -1, 0])
def test_extreme_sums(play, check, code, weight):
    config = TlmmConfig(code=code, tables=3, nodes=2, block_rows=4, generators=1, max_columns=64)
    weights = np.full((3, 64), weight, np.int8)
    x = np.array([[127] * 64, [-127] * 64], np.int8)
    check([(weights, x)], play(config, [(weights, x)]))


@pytest.mark.parametrize(
    "waits", list(itertools.product([False, True], repeat=4)), ids=lambda waits: str(sum(waits))
)
def test_any_stream_may_wait(play, check, random_matrix, waits):
    shapes = [(9, 25), (1, 41), (2, 7)]
    matrices = [random_matrix(TINY, *shape) for shape in shapes]
    patterns = [random_gaps(i, 0.4) if wait else every_cycle for i, wait in enumerate(waits)]
    played = play(TINY, matrices, patterns)
    check(matrices, played)
    if not any(waits):
        assert [end - played.commands[0] for end in played.ends] == TINY.finish_cycles(shapes)


def test_codes_that_come_late_find_both_banks_full(play, check, random_matrix):
    # Chunks of one row then follow each other as fast as the accumulator allows.
    for rows in (1, 2, 3):
        matrices = [random_matrix(TINY, rows, 100)]
        late = iter([False] * 100)
        played = play(
            TINY,
            matrices,
            (every_cycle, every_cycle, lambda late=late: next(late, True), every_cycle),
        )
        check(matrices, played)


def test_a_taker_that_sleeps_loses_nothing(play, check, random_matrix):
    config = TlmmConfig(tables=2, nodes=1, block_rows=32, generators=2, max_columns=64)
    matrices = [random_matrix(config, 30, 10)]
    awake = iter([False] * 70)
    played = play(config, matrices, (every_cycle,) * 3 + (lambda: next(awake, True),))
    check(matrices, played)


def test_a_row_chunk_a_cycle_while_fills_are_hidden(play, check, random_matrix):
    config = TlmmConfig(tables=3, nodes=1, block_rows=32, generators=2, max_columns=256)
    shapes = [(64, 30), (32, 45)]  # Two chunks of three codes, then three.
    fill, latency = config.fill_cycles(3), config.latency
    assert fill == 27
    matrices = [random_matrix(config, *shape) for shape in shapes]
    played = play(config, matrices)
    check(matrices, played)
    start = played.commands[0]
    first = start + fill + 64 * 2 + latency
    assert played.ends == [first, first + 32 * 3]
    assert [end - start for end in played.ends] == config.finish_cycles(shapes)
    # Within a block's last chunk a sum leaves every cycle.
    assert played.outputs[-32:] == list(range(played.ends[1] - 31, played.ends[1] + 1))


@pytest.mark.parametrize(("rows", "bubbles"), [(27, 1), (28, 0), (29, 0)])
def test_a_fill_is_hidden_exactly_from_its_cycles_on(rows, bubbles):
    config = TlmmConfig(tables=4, nodes=1, block_rows=64, generators=2, max_columns=256)
    assert config.fill_cycles(4) == 28
    chunks = 5
    longest = config.cycles(rows, 20 * chunks)
    assert longest == 1 + 28 + rows * chunks - 1 + config.latency + bubbles * (chunks // 2)


def test_a_full_round_of_generators_does_not_overtake_the_use(play, check, random_matrix):
    config = TlmmConfig(tables=13, nodes=1, block_rows=5, generators=13, max_columns=256)
    shapes = [(3, 130), (1, 195)]
    matrices = [random_matrix(config, *shape) for shape in shapes]
    played = play(config, matrices)
    check(matrices, played)
    assert [end - played.commands[0] for end in played.ends] == config.finish_cycles(shapes)


def test_a_corrupt_code_is_reported_where_it_is_used(play, random_matrix):
    matrices = [random_matrix(TINY, 3, 13)]  # Three of four codes are used; the fourth is noise.

    def last_unused(codes):
        for row in codes:
            row[3] = 255

    def one(codes):
        codes[1][2] = 243

    assert not play(TINY, matrices).error
    assert not play(TINY, matrices, spoil=last_unused).error
    assert play(TINY, matrices, spoil=one).error
