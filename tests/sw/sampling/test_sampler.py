import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tercel.device import Ask, Limits, PassResult
from tercel.errors import TercelError
from tercel.sampling import Sampler, SamplingConfig
from tercel.sampling.filters import surviving

LOGITS = np.array([0.5, 2.0, -1.0, 2.0, 1.0, -3.0], np.float32)


def sampler(config, *, device_top_k=64, vocab_size=6):
    limits = Limits(nodes=8, context=16, top_k=device_top_k)
    return Sampler(config, limits=limits, vocab_size=vocab_size)


def answer(logits, ask):
    """The result of a pass of one node with given logits."""
    order = np.argsort(-logits, kind="stable").astype(np.int32)
    return PassResult(
        argmax=order[:1] if ask.argmax else None,
        top_ids=order[None, : ask.top_k] if ask.top_k else None,
        top_logits=logits[order][None, : ask.top_k] if ask.top_k else None,
        logsumexp=np.logaddexp.reduce(logits[None].astype(float), axis=1) if ask.top_k else None,
        logits={0: logits} if ask.logits else {},
    )


def draw(config, logits=LOGITS, *, position=0, device_top_k=64):
    chooser = sampler(config, device_top_k=device_top_k, vocab_size=len(logits))
    result = answer(logits, chooser.ask((0,)))
    return chooser.choose(result, node=0, position=position)


def expected_law(logits, *, temperature=1.0, top_k=0, top_p=1.0, min_p=0.0):
    """The filters in their stated order, each on normalised probabilities, one token at a time."""
    order = sorted(range(len(logits)), key=lambda token: (-logits[token], token))
    law = {token: np.exp(float(logits[token]) / temperature) for token in order}

    def normalised(law):
        total = sum(law.values())
        return {token: p / total for token, p in law.items()}

    law = normalised(dict(list(law.items())[: top_k or None]))
    kept, total = {}, 0.0
    for token, p in law.items():
        kept[token] = p
        total += p
        if total >= top_p:
            break
    law = normalised(kept)
    best = max(law.values())
    return normalised({token: p for token, p in law.items() if p >= min_p * best})


def test_a_two_stage_head_gives_greedy_draws_and_a_top_k():
    limits = Limits(nodes=8, context=16, top_k=64, shortlist=32)

    def two_stage(**values):
        return Sampler(SamplingConfig(**values), limits=limits, vocab_size=4096, two_stage=True)

    assert two_stage().ask((0, 1)) == Ask(two_stage=True)
    asked = two_stage(temperature=1.0, top_k=32, top_p=0.9).ask((0, 1))
    assert asked == Ask(argmax=False, top_k=32, two_stage=True)
    for top_k in (0, 33):
        message = rf"must be greedy or have a top_k in 1\.\.32, but top_k is {top_k}: other draws"
        with pytest.raises(TercelError, match=message):
            two_stage(temperature=1.0, top_k=top_k)


@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"temperature": 0.5},
        {"temperature": 2.0, "top_k": 4},
        {"top_k": 3},
        {"top_p": 0.75},
        {"min_p": 0.3},
        {"temperature": 1.5, "top_k": 5, "top_p": 0.9, "min_p": 0.2},
    ],
    ids=str,
)
def test_draws_follow_the_filtered_law(filters):
    config = SamplingConfig(**{"temperature": 1.0, "seed": 11, **filters})
    draws = 4000
    counts = np.bincount(
        [draw(config, position=position) for position in range(draws)], minlength=len(LOGITS)
    )
    law = expected_law(LOGITS, **filters)
    assert set(np.flatnonzero(counts)) <= set(law)
    kept = sorted(law)
    expected = [draws * law[token] for token in kept]
    assert stats.chisquare(counts[kept], expected).pvalue > 0.01


def test_order_of_top_p_and_min_p_is_as_stated():
    """Top-p counts what min-p would remove later: the other order would keep two tokens."""
    logits = np.log(np.array([0.4, 0.3, 0.2, 0.1], np.float32))
    config = SamplingConfig(temperature=1.0, top_p=0.8, min_p=0.6)
    drawn = {draw(dataclasses.replace(config, seed=seed), logits) for seed in range(200)}
    assert drawn == {0, 1}
    assert set(expected_law(logits, top_p=0.8, min_p=0.6)) == drawn


@pytest.mark.parametrize(
    ("top_p", "kept"),
    [(0.25, 1), (np.nextafter(0.25, 1), 2), (0.5, 2), (np.nextafter(0.5, 0), 2), (0.75, 3), (1, 4)],
)
def test_top_p_keeps_the_fewest_that_reach_it(top_p, kept):
    """Four tokens of a quarter each: their sums are exact."""
    config = SamplingConfig(temperature=0.7, top_p=float(top_p))
    assert len(surviving(np.full(4, 3.5, np.float32), config)) == kept


@pytest.mark.parametrize("temperature", [1.0, 0.5])
@pytest.mark.parametrize(("steps", "kept"), [(0, 3), (1, 2), (-1, 3)])
def test_min_p_keeps_a_token_at_its_border(temperature, steps, kept):
    logits = np.array([2.0, 2.0, 1.0, -9.0], np.float32)
    border = np.exp(-1.0 / temperature)
    min_p = float(border if not steps else np.nextafter(border, steps))
    config = SamplingConfig(temperature=temperature, min_p=min_p)
    assert len(surviving(logits, config)) == kept


def test_a_min_p_of_one_keeps_ties_with_the_best():
    logits = np.array([2.0, 2.0, np.nextafter(np.float32(2), 0)], np.float32)
    assert len(surviving(logits, SamplingConfig(temperature=1.0, min_p=1.0))) == 2


@pytest.mark.parametrize("config", [SamplingConfig(), SamplingConfig(temperature=1.0, top_k=1)])
def test_greedy_takes_the_argmax_and_asks_for_no_more(config):
    assert sampler(config).ask((0,)) == Ask(argmax=True)
    assert draw(config) == 1


def test_a_top_k_within_the_device_is_asked_of_the_device():
    config = SamplingConfig(temperature=1.0, top_k=5)
    assert sampler(config, device_top_k=5).ask((0, 2)) == Ask(argmax=False, top_k=5)
    assert sampler(config, device_top_k=4).ask((0, 2)) == Ask(argmax=False, logits=(0, 2))


@pytest.mark.parametrize("device_top_k", [1, 64])
def test_of_equal_logits_at_the_border_of_top_k_the_lower_ids_are_kept(device_top_k):
    logits = np.array([1.0, 3.0, 1.0, 1.0, 0.0], np.float32)
    config = SamplingConfig(temperature=4.0, top_k=3)
    seeds = [dataclasses.replace(config, seed=seed) for seed in range(60)]
    assert {draw(each, logits, device_top_k=device_top_k) for each in seeds} == {0, 1, 2}


@pytest.mark.parametrize(
    ("filters", "top_k"), [({}, 16), ({"top_p": 0.9}, 64), ({"min_p": 0.1}, 64)]
)
def test_other_draws_ask_for_a_top_k_and_for_logits_in_case(filters, top_k):
    config = SamplingConfig(temperature=1.0, **filters)
    assert sampler(config, vocab_size=100).ask((1, 2)) == Ask(
        argmax=False, top_k=top_k, logits=(1, 2)
    )
    assert sampler(config, vocab_size=6).ask((1,)) == Ask(argmax=False, top_k=6)
    assert sampler(config, device_top_k=3).ask((1,)).top_k == 3


def test_a_top_k_above_the_vocabulary_is_all_of_it():
    config = SamplingConfig(temperature=1.0, top_k=1000)
    assert sampler(config).ask((0,)) == Ask(argmax=False, top_k=len(LOGITS))
    for seed in range(50):
        wide = dataclasses.replace(config, seed=seed)
        assert draw(wide) == draw(dataclasses.replace(wide, top_k=0))


@given(
    logits=st.lists(st.integers(-40, 40), min_size=2, max_size=30),
    temperature=st.floats(0.05, 5),
    top_k=st.integers(2, 30),
    top_p=st.floats(0.05, 1),
    min_p=st.floats(0, 1),
    seed=st.integers(0, 2**64 - 1),
    position=st.integers(0, 10**6),
)
def test_both_routes_draw_the_same_token(logits, temperature, top_k, top_p, min_p, seed, position):
    logits = np.array(logits, np.float32) / 4
    config = SamplingConfig(
        temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p, seed=seed
    )
    from_top_k = draw(config, logits, position=position, device_top_k=64)
    from_logits = draw(config, logits, position=position, device_top_k=1)
    assert from_top_k == from_logits


def test_seed_and_position_are_keys():
    config = SamplingConfig(temperature=3.0, seed=1)
    by_position = [draw(config, position=position) for position in range(40)]
    assert by_position == [draw(config, position=position) for position in range(40)]
    assert len(set(by_position)) > 1
    by_seed = [draw(dataclasses.replace(config, seed=seed)) for seed in range(40)]
    assert len(set(by_seed)) > 1


def test_a_tiny_temperature_is_the_best_token():
    logits = np.array([1.0, 1.5, -2.0], np.float32)
    for seed in range(20):
        assert draw(SamplingConfig(temperature=5e-324, seed=seed), logits) == 1


@pytest.mark.parametrize("device_top_k", [1, 64])
def test_infinite_logits(device_top_k):
    """Equal infinite logits are equally likely, and finite ones have probability 0 beside them."""
    config = SamplingConfig(temperature=1.0, top_k=4, top_p=0.9)
    logits = np.array([1.0, np.inf, -np.inf, np.inf], np.float32)
    seeds = [dataclasses.replace(config, seed=seed) for seed in range(40)]
    assert {draw(config, logits, device_top_k=device_top_k) for config in seeds} == {1, 3}
    lowest = np.full(4, -np.inf, np.float32)
    assert {draw(config, lowest, device_top_k=device_top_k) for config in seeds} == {0, 1, 2, 3}


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("temperature", -0.5, "temperature must be 0 or more, not -0.5"),
        ("temperature", float("nan"), "temperature must be 0 or more, not nan"),
        ("top_k", -1, r"top_k must be 0 \(all\) or more, not -1"),
        ("top_p", 0.0, "top_p must be above 0 and at most 1, not 0.0"),
        ("top_p", 1.1, "top_p must be above 0 and at most 1, not 1.1"),
        ("min_p", -0.1, "min_p must be in 0..1, not -0.1"),
        ("seed", -1, r"seed must be in 0..2\^64-1, not -1"),
        ("seed", 2**64, r"seed must be in 0..2\^64-1, not 18446744073709551616"),
    ],
)
def test_rules_of_the_config(field, value, message):
    with pytest.raises(TercelError, match=message):
        SamplingConfig(**{field: value})


@pytest.mark.parametrize(
    ("config", "ids", "probabilities"),
    [
        (SamplingConfig(), [1], [1.0]),
        (SamplingConfig(temperature=1.0, top_k=1), [1], [1.0]),
        (SamplingConfig(temperature=1.0, top_k=2), [1, 3], [0.5, 0.5]),
        (SamplingConfig(temperature=0.5, top_k=3), [1, 3, 4], [0.468311, 0.468311, 0.063379]),
        (SamplingConfig(temperature=1.0, min_p=0.3), [1, 3, 4], [0.422319, 0.422319, 0.155362]),
    ],
)
def test_the_distribution_is_that_of_the_draw(config, ids, probabilities):
    drawing = sampler(config)
    order = np.argsort(-LOGITS, kind="stable")
    result = PassResult(
        argmax=np.array([0, 1], np.int32),
        top_ids=np.stack([order, order]).astype(np.int32),
        top_logits=np.stack([LOGITS[order], LOGITS[order]]),
        logits={1: LOGITS},
    )
    found = drawing.distribution(result, node=1)
    assert found.ids.tolist() == ids
    np.testing.assert_allclose(found.probabilities, probabilities, atol=1e-6)
    drawn = {drawing.choose(result, node=1, position=position) for position in range(200)}
    assert drawn == set(ids)


def test_tokens_whose_probability_rounds_to_zero_are_not_in_the_distribution():
    logits = np.array([0.0, -2000.0], np.float32)
    found = sampler(SamplingConfig(temperature=1.0), vocab_size=2).distribution(
        PassResult(logits={0: logits}), node=0
    )
    assert (found.ids.tolist(), found.probabilities.tolist()) == ([0], [1.0])
