"""Texts of acceptors on the emulator with a small random model."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from fake_device import FakeDevice
from scipy import stats

from tercel.config import PRESETS
from tercel.device.emulator import EmulatorDevice
from tercel.image import Image, random_image
from tercel.runtime import GenerationConfig, Generator
from tercel.sampling import Distribution, Sampler, SamplingConfig
from tercel.speculation import ROOT, Agreement, Drafter, DraftTree, FixedSize, Speculator
from tercel.speculation.acceptors import (
    BlockVerification,
    Blockwise,
    BlockwiseConfig,
    Boundary,
    Rejection,
    TruncateAt,
)

END = 256
CONFIG = replace(PRESETS["tiny"], vocab_size=257, eos_tokens=(END,))


class Borders(Boundary):
    """A border follows two of three tokens."""

    def kept(self, text, tokens):
        return max((index for index, token in enumerate(tokens, 1) if token % 3), default=1)


SAME_TEXT = {
    "agreement": Agreement(),
    "truncated agreement": TruncateAt(Borders(), Agreement()),
    "exact blockwise": Blockwise(BlockwiseConfig(top_n=1)),
}
FILTERS = {
    "greedy": SamplingConfig(),
    "temperature 0.8": SamplingConfig(temperature=0.8),
    "temperature 1.2": SamplingConfig(temperature=1.2),
    "top-k": SamplingConfig(temperature=0.8, top_k=6),
    "top-p": SamplingConfig(temperature=1.2, top_p=0.6),
    "min-p": SamplingConfig(temperature=0.8, min_p=0.2),
    "all": SamplingConfig(temperature=1.2, top_k=12, top_p=0.9, min_p=0.05),
}


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    path = tmp_path_factory.mktemp("image") / "bytes.tercel"
    random_image(path, CONFIG, seed=1)
    return Image.open(path)


class HalfRight(Drafter):
    """Knows the text; every third token is wrong, beside a right sibling that leads on."""

    def __init__(self, text):
        self._text = text

    def propose(self, state, budget):
        at = len(state.tokens)
        right = self._text[at : at + min(budget.depth, budget.nodes // 2)]
        tokens, parents, last = [], [], ROOT
        for depth, token in enumerate(right):
            if (at + depth) % 3 == 0:
                tokens.append((token + 1) % END)
                parents.append(last)
            tokens.append(token)
            parents.append(last)
            last = len(tokens) - 1
        return DraftTree(tokens=tuple(tokens), parents=tuple(parents))


def generated(image, tokenizer, config, speculator=None):
    generator = Generator(EmulatorDevice(image, nodes=8), tokenizer, speculator)
    tokens = [piece.token for piece in generator.generate("abc", config)]
    return tokens, generator.statistics.speculation


@pytest.mark.parametrize("filters", FILTERS)
def test_the_text_is_that_of_plain_decoding(image, tokenizer, filters):
    for seed in (0, 1, 7):
        sampling = replace(FILTERS[filters], seed=seed)
        config = GenerationConfig(sampling=sampling, max_tokens=16, ignore_eos=True)
        plain, _ = generated(image, tokenizer, config)
        drafter = HalfRight([*b"abc", *plain])
        for name, acceptor in SAME_TEXT.items():
            speculator = Speculator([drafter], acceptor, FixedSize(6))
            text, found = generated(image, tokenizer, config, speculator)
            assert text == plain, (name, seed)
            assert sum(found.accepted) > 0 or name == "truncated agreement"


@pytest.mark.parametrize("filters", ["greedy", "top-k", "all"])
def test_the_text_of_a_two_stage_head_is_that_of_plain_decoding(tmp_path, tokenizer, filters):
    path = tmp_path / "shortlist.tercel"
    random_image(path, replace(CONFIG, shortlist=32), seed=1)
    image, differ = Image.open(path), 0
    for seed in (0, 1):
        sampling = replace(FILTERS[filters], seed=seed)
        config = GenerationConfig(sampling=sampling, max_tokens=16, ignore_eos=True, two_stage=True)
        plain, _ = generated(image, tokenizer, config)
        whole, _ = generated(image, tokenizer, replace(config, two_stage=False))
        differ += plain != whole
        drafter = HalfRight([*b"abc", *plain])
        for acceptor in (Agreement(), Blockwise(BlockwiseConfig(top_n=1))):
            speculator = Speculator([drafter], acceptor, FixedSize(6))
            text, found = generated(image, tokenizer, config, speculator)
            assert text == plain
            assert sum(found.accepted) > 0
    assert differ, "the random shortlist lists other rows than the best"


class Flat(Drafter):
    """Draws two tokens from a flattened copy of the model's own law after the prompt."""

    def __init__(self, law):
        weights = np.sqrt(law.probabilities)
        self._law = Distribution(ids=law.ids, probabilities=weights / weights.sum())
        self._rng = np.random.default_rng(5)

    def propose(self, state, budget):
        tokens = tuple(self._rng.choice(self._law.ids, 2, p=self._law.probabilities).tolist())
        proposals = {ROOT: self._law, 0: self._law}
        return DraftTree(tokens=tokens, parents=(ROOT, 0), proposals=proposals)


@pytest.mark.parametrize("acceptor", [Rejection(), BlockVerification()])
def test_the_law_is_that_of_the_filtered_sampler(tokenizer, acceptor):
    """Texts of 500 seeds: ranks of tokens 2 to 4 against the sampler's own distributions."""
    sampling = SamplingConfig(temperature=1.0, top_k=4)
    device = FakeDevice(nodes=8)
    sampler = Sampler(sampling, limits=device.limits, vocab_size=device.config.vocab_size)

    @cache
    def law_after(tokens):
        result = device.run_pass([*b"abc", *tokens], ask=sampler.ask(range(len(tokens) + 3)))
        return sampler.distribution(result, node=len(tokens) + 2)

    drafter = Flat(law_after(()))
    observed, expected = np.zeros((4, 4)), np.zeros((4, 4))
    for seed in range(500):
        config = GenerationConfig(
            sampling=replace(sampling, seed=seed), max_tokens=4, ignore_eos=True
        )
        speculator = Speculator([drafter], acceptor, FixedSize(2))
        generator = Generator(FakeDevice(nodes=8), tokenizer, speculator)
        text = tuple(piece.token for piece in generator.generate("abc", config))
        for at in range(4):
            law = law_after(text[:at])  # the likeliest token first
            observed[at, law.ids.tolist().index(text[at])] += 1
            expected[at] += law.probabilities
    for at in range(4):
        assert stats.chisquare(observed[at], expected[at]).pvalue > 0.01, at
