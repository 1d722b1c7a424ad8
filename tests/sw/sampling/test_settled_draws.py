"""Draws from little evidence equal those of the definition, which sorts the whole vocabulary."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tercel import numerics
from tercel.device import Ask, Limits, PassResult
from tercel.device.emulator import EmulatorDevice
from tercel.device.node_results import NodeResults
from tercel.image import Image
from tercel.runtime import DEFAULT_MODEL, TextTokenizer, find_model
from tercel.sampling import Sampler, SamplingConfig, gumbel


def definition(logits, config, position):
    """The draw as docs/runtime.md defines it, with the whole vocabulary in order."""
    ids = np.argsort(-logits, kind="stable")[: config.top_k or None]
    ordered = logits[ids]
    best = float(ordered[0])
    with np.errstate(over="ignore", invalid="ignore"):
        scores = (ordered.astype(np.float64) - best) / config.temperature
    scores[ordered == best] = 0
    weights = np.exp(scores)
    kept = len(scores)
    if config.top_p < 1:
        sums = np.cumsum(weights)
        kept = min(kept, int(np.searchsorted(sums, config.top_p * sums[-1])) + 1)
    if config.min_p > 0:
        kept = min(kept, int(np.count_nonzero(weights >= config.min_p)))
    ids, scores = ids[:kept], scores[:kept]
    weights = np.exp(scores)
    held = np.count_nonzero(weights)
    drawn = int(ids[np.argmax(scores + gumbel(config.seed, position, ids))])
    return drawn, ids[:held], weights[:held] / weights[:held].sum()


class Answer:
    """A device's answers for one node with known unscaled logits, and what is read of them."""

    def __init__(self, unscaled, scale=1.0):
        self.unscaled = np.asarray(unscaled, np.float32)[None]
        self.scale = np.full(1, scale, np.float32)
        self.logits = numerics.logits(self.unscaled, self.scale)[0]
        self.read = Counter()
        self.known = {}

    def to(self, ask):
        assert not ask.argmax
        if ask.top_k not in self.known:
            ids = numerics.top_k(self.unscaled, ask.top_k) if ask.top_k else None
            self.known[ask.top_k] = (
                {}
                if ids is None
                else {
                    "top_ids": ids,
                    "top_logits": self.logits[ids],
                    "logsumexp": numerics.exponential_sum(self.unscaled, self.scale).log(),
                }
            )

        def read(node, rows):
            self.read["all" if rows is None else "some"] += 1
            return self.logits if rows is None else self.logits[rows]

        return PassResult(logits=NodeResults(ask.logits, read), **self.known[ask.top_k])


def check(answer, config, positions=(0,), top_k=64):
    limits = Limits(nodes=8, context=16, top_k=min(top_k, len(answer.logits)))
    sampler = Sampler(config, limits=limits, vocab_size=len(answer.logits))
    ask = sampler.ask((0,))
    for position in positions:
        drawn, ids, probabilities = definition(answer.logits, config, position)
        assert sampler.choose(answer.to(ask), node=0, position=position) == drawn
    found = sampler.distribution(answer.to(ask), node=0)
    assert np.array_equal(found.ids, ids)
    assert np.array_equal(found.probabilities, probabilities)


FILTERS = st.fixed_dictionaries(
    {
        "temperature": st.sampled_from([0.05, 0.5, 0.8, 1.0, 1.2, 5.0]) | st.floats(5e-324, 1e30),
        "top_p": st.just(1.0) | st.sampled_from([0.5, 0.75, 0.9, 0.95]) | st.floats(0.001, 1),
        "min_p": st.just(0.0) | st.sampled_from([0.02, 0.05, 1.0]) | st.floats(0, 1),
        "seed": st.integers(0, 2**64 - 1),
    }
)


@st.composite
def answers(draw):
    rows = draw(st.sampled_from([20, 65, 300, 900]))
    generator = np.random.default_rng(draw(st.integers(0, 10**6)))
    spread = draw(st.sampled_from([0.0, 0.01, 1.0, 3.0, 10.0, 60.0]))
    unscaled = generator.normal(scale=100, size=rows)
    if draw(st.booleans()):
        unscaled = np.round(unscaled / 40) * 40  # Ties.
    if draw(st.booleans()):
        unscaled[generator.integers(rows)] += 400
    for value in draw(st.lists(st.sampled_from([np.inf, -np.inf, 1e38, -1e38]), max_size=2)):
        unscaled[generator.integers(0, rows, draw(st.sampled_from([1, rows // 2])))] = value
    return Answer(unscaled, spread / 100)


@settings(deadline=None)
@given(
    answer=answers(),
    filters=FILTERS,
    position=st.integers(0, 10**6),
    top_k=st.sampled_from([1, 2, 7, 64]),
)
@example(
    answer=Answer(np.arange(20.0)),
    filters={"temperature": 5e-324, "top_p": 1.0, "min_p": 0.0, "seed": 0},
    position=0,
    top_k=2,
)
@example(
    answer=Answer(np.zeros(100)), filters={"temperature": 1.0, "top_p": 0.5}, position=1, top_k=64
)
def test_every_draw_is_the_definitions(answer, filters, position, top_k):
    check(answer, SamplingConfig(**filters), [position, position + 1], top_k)


@settings(deadline=None)
@given(answer=answers(), filters=FILTERS, top_k=st.integers(8, 400))
def test_a_top_k_that_the_device_cannot_sort(answer, filters, top_k):
    config = SamplingConfig(**filters, top_k=top_k)
    check(answer, config, range(3), top_k=min(7, len(answer.logits)))


@pytest.mark.parametrize("filters", [{"top_p": 0.5}, {"top_p": 0.25}, {"min_p": 0.5}], ids=str)
def test_borders_that_rounding_decides(filters):
    """Weights of powers of two, whose sums are exact: the cut lies exactly on a token."""
    logits = np.repeat(np.log(np.array([1, 0.5, 0.25, 0.125], np.float32)), [1, 1, 2, 96])
    for count in (4, 100):
        for nudge in (0, 1, 2):
            config = {
                name: np.nextafter(value, 1, dtype=float) if nudge == 1 else value
                for name, value in filters.items()
            }
            if nudge == 2:
                config = {name: float(np.nextafter(value, 0)) for name, value in filters.items()}
            check(Answer(logits[:count]), SamplingConfig(temperature=1.0, **config), range(40), 3)
    equal = Answer(np.full(100, 7.0))
    check(equal, SamplingConfig(temperature=1.0, **filters), range(40))


SETTINGS = [
    {},
    {"top_p": 0.95},
    {"min_p": 0.05},
    {"top_p": 0.9, "min_p": 0.02},
    {"top_k": 200, "top_p": 0.95},
    {"top_k": 40},
]


@pytest.mark.parametrize("rows", [4096, 32000, 128256])
@pytest.mark.parametrize("power", [1.0, 1.6])
def test_large_vocabularies(rows, power):
    generator = np.random.default_rng(rows)
    ranks = generator.permutation(rows) + 1.0
    answer = Answer(-power * np.log(ranks) * 64, 1 / 64)
    for filters in SETTINGS:
        for temperature in (0.6, 1.0, 1.3):
            check(answer, SamplingConfig(temperature=temperature, seed=5, **filters), range(3))


def test_draws_without_a_filter_read_few_logits():
    generator = np.random.default_rng(3)
    answer = Answer(-1.6 * np.log(generator.permutation(4096) + 1.0))
    for filters in ({}, {"top_p": 0.8}, {"min_p": 0.05}):
        answer.read.clear()
        config = SamplingConfig(temperature=0.8, **filters)
        sampler = Sampler(config, limits=Limits(nodes=1, context=9, top_k=64), vocab_size=4096)
        result = answer.to(sampler.ask((0,)))
        for position in range(50):
            sampler.choose(result, node=0, position=position)
        assert answer.read["all"] == 0
        assert answer.read["some"] == 0 or not filters


@pytest.fixture(scope="module")
def shipped():
    """Results of the shipped model for eight positions of a text, with more than is asked for."""
    image = Image.open(find_model(DEFAULT_MODEL))
    device = EmulatorDevice(image, context=64)
    assert image.tokenizer is not None
    tokens = TextTokenizer(image.tokenizer).encode(
        "The first duty of a government is to the people"
    )
    return device.run_pass(tokens[:8], ask=Ask(top_k=64, logits=tuple(range(8)))), device


@pytest.mark.parametrize("temperature", [0.8, 1.2])
@pytest.mark.parametrize("filters", SETTINGS, ids=str)
def test_draws_of_the_shipped_model(shipped, filters, temperature):
    result, device = shipped
    config = SamplingConfig(temperature=temperature, seed=9, **filters)
    sampler = Sampler(config, limits=device.limits, vocab_size=device.config.vocab_size)
    for node in range(8):
        for position in range(8):
            drawn, ids, probabilities = definition(result.logits[node], config, position)
            assert sampler.choose(result, node=node, position=position) == drawn
        found = sampler.distribution(result, node=node)
        assert np.array_equal(found.ids, ids)
        assert np.array_equal(found.probabilities, probabilities)
