import random

import pytest

from tercel.errors import TercelError
from tercel_hw.top import ACCELERATORS
from tercel_sim.selfcheck import pass_cycles, random_model

SPEC = ACCELERATORS["tiny"].spec


def models(count, most_cycles=100_000):
    return [
        random_model(random.Random(seed), SPEC, most_cycles=most_cycles) for seed in range(count)
    ]


def test_every_limit_is_reached():
    drawn = models(200)
    assert max(model.hidden_size for model in drawn) == SPEC.hidden
    assert max(model.vocab_size for model in drawn) == SPEC.rows
    assert max(model.heads for model in drawn) == SPEC.sweeps
    assert max(model.head_size for model in drawn) == SPEC.head_size
    assert max(model.context for model in drawn) == SPEC.positions
    widest = max(columns for model in drawn for _, columns in model.linears().values())
    assert widest == SPEC.columns
    assert {model.activation for model in drawn} == {"silu", "relu2"}
    assert {(model.sub_norms, model.tied_head) for model in drawn} == {
        (norms, tied) for norms in (True, False) for tied in (True, False)
    }


def test_vocabularies_end_anywhere_in_their_last_block():
    assert {model.vocab_size % 16 for model in models(200)} == set(range(16))


def test_a_seed_gives_the_same_model():
    assert models(5) == models(5)


def test_models_take_no_longer_than_they_may():
    for model in models(50, most_cycles=3000):
        assert pass_cycles(model, SPEC) <= 3000


def test_nothing_small_enough_is_an_error():
    with pytest.raises(TercelError, match="no random model takes less than 10 cycles a pass"):
        random_model(random.Random(1), SPEC, most_cycles=10)
