"""The emitted law by enumeration: every branch of every draw, in exact fractions."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

from tercel.errors import TercelError
from tercel_quant.any_subset import NeighbourDraft, SelfDraft, decode_plainly, decode_speculatively
from tercel_quant.any_subset import decoder as decoder_module

WORDS, LENGTH = 3, 3


class JointLaw:
    """The exact conditionals of a joint law over texts; counts its passes."""

    def __init__(self, seed):
        weights = np.random.default_rng(seed).integers(1, 20, (WORDS,) * LENGTH)
        total = int(weights.sum())
        self.law = {
            text: Fraction(int(weights[text]), total)
            for text in itertools.product(range(WORDS), repeat=LENGTH)
        }
        self.passes = 0

    def probabilities(self, tokens, order, *, asked, known):
        self.passes += 1
        rows = []
        for position, count in zip(order[asked], known, strict=True):
            seen = order[:count]
            sums = [Fraction(0)] * WORDS
            for text, chance in self.law.items():
                if all(text[i] == tokens[i] for i in seen):
                    sums[text[position]] += chance
            rows.append(np.array(sums) / sum(sums))
        return np.array(rows)


def enumerate_law(decode):
    """The law of the texts of ``decode(draw)``, by running it with every sequence of draws."""
    law, waiting = {}, [()]
    while waiting:
        script = waiting.pop()
        taken, chance = [], Fraction(1)

        def draw(weights, script=script, taken=taken):
            nonlocal chance
            assert sum(weights) == 1
            options = [index for index, weight in enumerate(weights) if weight > 0]
            if len(taken) < len(script):
                index = script[len(taken)]
            else:
                index = options[0]
                waiting.extend((*taken, other) for other in options[1:])
            taken.append(index)
            chance *= weights[index]
            return index

        text = tuple(int(token) for token in decode(draw).tokens)
        law[text] = law.get(text, 0) + chance
    return law


ORDERS = [(0, 1, 2), (2, 0, 1), (1, 2, 0)]
PROMPT = np.array([1, 1, 1])


def fraction_neighbours():
    rng = np.random.default_rng(5)
    to_fraction = np.vectorize(Fraction, otypes=[object])
    pairs = rng.integers(0, 4, (WORDS, WORDS))
    pairs[1] = 0  # no successor is known: the frequencies decide
    return NeighbourDraft(to_fraction(rng.integers(1, 5, WORDS)), to_fraction(pairs))


def expected_law(model, order, prompt):
    seen = order[:prompt]
    kept = {
        text: chance
        for text, chance in model.law.items()
        if all(text[i] == PROMPT[i] for i in seen)
    }
    return {text: chance / sum(kept.values()) for text, chance in kept.items()}


@pytest.mark.parametrize("prompt", [0, 1])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("make_draft", "size"),
    [(SelfDraft, 2), (SelfDraft, 3), (fraction_neighbours, 1), (fraction_neighbours, 3)],
)
def test_the_emitted_law_is_the_models(make_draft, size, order, prompt):
    model, draft = JointLaw(seed=7), make_draft()
    order = np.array(order)

    def decode(draw):
        found = decode_speculatively(
            model, PROMPT, order, prompt=prompt, draft=draft, size=size, draw=draw
        )
        assert found.passes <= LENGTH - prompt
        return found

    assert enumerate_law(decode) == expected_law(model, order, prompt)


def test_plain_decoding_has_the_models_law_too():
    model, order = JointLaw(seed=7), np.array([2, 0, 1])
    law = enumerate_law(lambda draw: decode_plainly(model, PROMPT, order, prompt=1, draw=draw))
    assert law == expected_law(model, order, 1)


@pytest.mark.parametrize(
    "sabotage",
    [
        lambda token, p, q, draw: token,  # no test at all
        lambda token, p, q, draw: (
            token if draw(np.array([p[token], 1 - p[token]])) == 0 else draw(p)
        ),
        lambda token, p, q, draw: (
            token
            if p[token] >= q[token]
            or draw(np.array([p[token] / q[token], 1 - p[token] / q[token]])) == 0
            else draw(p)  # recovers from p, not from the residual
        ),
    ],
)
def test_other_rules_have_another_law(monkeypatch, sabotage):
    monkeypatch.setattr(decoder_module, "judge", sabotage)
    model, order = JointLaw(seed=7), np.array([0, 1, 2])
    law = enumerate_law(
        lambda draw: decode_speculatively(
            model, PROMPT, order, prompt=0, draft=SelfDraft(), size=3, draw=draw
        )
    )
    assert law != expected_law(model, order, 0)


def test_passes_and_counts_are_those_that_were_made():
    model, order = JointLaw(seed=3), np.array([2, 0, 1])
    rng = np.random.default_rng(0)

    def draw(weights):
        return int(rng.choice(len(weights), p=np.array(weights, float)))

    for _ in range(20):
        model.passes = 0
        found = decode_speculatively(
            model, PROMPT, order, prompt=0, draft=SelfDraft(), size=2, draw=draw
        )
        assert found.passes == model.passes == 3  # two for two positions, one for the last
        assert found.drafted == 2
        assert found.accepted in (1, 2)


def test_the_prompt_is_kept_and_nothing_remains_to_be_done_behind_it():
    found = decode_speculatively(
        JointLaw(seed=1), PROMPT, np.arange(3), prompt=3, draft=SelfDraft(), size=2, draw=None
    )
    assert (list(found.tokens), found.passes) == ([1, 1, 1], 0)


@pytest.mark.parametrize(
    ("order", "prompt", "size", "message"),
    [
        ((0, 1, 1), 0, 2, "must name each of the 3 positions once"),
        ((0, 1, 2), 4, 2, "the prompt has 0 to 3 positions, not 4"),
        ((0, 1, 2), 0, 1, "takes 2 positions or more, not 1"),
    ],
)
def test_bad_arguments_are_refused(order, prompt, size, message):
    with pytest.raises(TercelError, match=message):
        decode_speculatively(
            JointLaw(seed=1),
            PROMPT,
            np.array(order),
            prompt=prompt,
            draft=SelfDraft(),
            size=size,
            draw=None,
        )
