"""Matrices with groups, and plain ones on the same engine."""

import dataclasses

import numpy as np
import pytest

from tercel_hw.tlmm.config import TlmmConfig
from tercel_sim.testbench import every_cycle, random_gaps

ONE = TlmmConfig(tables=26, groups=1, nodes=1, block_rows=5, generators=13, max_columns=1024)
TWO = TlmmConfig(tables=52, groups=2, nodes=2, block_rows=8, generators=13, max_columns=1024)


def finished(config, matrices):
    shapes = [
        (*m.weights.shape, True) if hasattr(m, "shifts") else (*m[0].shape, False) for m in matrices
    ]
    return config.finish_cycles(shapes)


@pytest.mark.parametrize(
    ("config", "rows", "columns"),
    [(TWO, 9, [300, 41]), (ONE, 6, [64, 200]), (ONE, 1, [384, 130, 1])],
    ids=["narrow-last", "half-group", "one-row"],
)
def test_both_kinds_alternate(play, check, random_matrix, random_groups, config, rows, columns):
    matrices = [random_groups(config, rows, columns[0], seed=1)]
    for width in columns[1:]:
        matrices += [random_matrix(config, 3, width), random_groups(config, 1, width)]
    played = play(config, matrices)
    check(matrices, played)
    assert not played.error
    assert [end - played.commands[0] for end in played.ends] == finished(config, matrices)


@pytest.mark.parametrize("waits", [range(4), [3]], ids=["all", "sums"])
def test_any_stream_may_wait(play, check, random_matrix, random_groups, waits):
    matrices = [random_groups(ONE, 3, 129), random_matrix(ONE, 6, 20), random_groups(ONE, 2, 60)]
    patterns = [random_gaps(i, 0.5) if i in waits else every_cycle for i in range(4)]
    check(matrices, play(ONE, matrices, patterns))


def test_extreme_sums(play, check, random_groups):
    matrices = []
    for sign in (1, -1):
        matrix = random_groups(ONE, 2, 256)
        extreme = dataclasses.replace(
            matrix,
            weights=np.full_like(matrix.weights, sign),
            multipliers=np.full_like(matrix.multipliers, 2044),
            values=np.full_like(matrix.values, 127),
            shifts=np.full_like(matrix.shifts, 7),
        )
        assert abs(extreme.sums()).max() == 256 * (127 << 7) * 2044
        matrices.append(extreme)
    check(matrices, play(ONE, matrices))


@pytest.mark.slow
@pytest.mark.parametrize("value", [127, -127])
def test_extreme_sums_of_the_widest_matrix(play, check, random_groups, value):
    config = dataclasses.replace(ONE, max_columns=16384)
    matrix = random_groups(config, 1, 16384)
    extreme = dataclasses.replace(
        matrix,
        weights=np.ones_like(matrix.weights),
        multipliers=np.full_like(matrix.multipliers, 2044),
        values=np.full_like(matrix.values, value),
        shifts=np.full_like(matrix.shifts, 7),
    )
    assert abs(extreme.sums()).max() > 1 << 38
    check([extreme], play(config, [extreme]))


def test_a_row_chunk_a_cycle_while_fills_are_hidden(play, check, random_groups):
    config = dataclasses.replace(ONE, block_rows=40)
    matrices = [random_groups(config, 40, 256)]
    played = play(config, matrices)
    check(matrices, played)
    assert config.fill_cycles(26) == 39
    assert played.ends[0] - played.commands[0] == 39 + 2 * 40 + config.latency
    assert played.outputs == list(range(played.ends[0] - 39, played.ends[0] + 1))


def test_corrupt_multipliers_and_codes_are_reported(play, random_groups):
    """In a row-chunk of a group bits 10 to 15 behind the codes are zeros."""

    def above(row_chunks):
        row_chunks[1][27] |= 1 << 2

    def code(row_chunks):
        row_chunks[1][25] = 243

    matrices = [random_groups(ONE, 2, 129)]
    assert play(ONE, matrices, spoil=above).error
    assert play(ONE, matrices, spoil=code).error
