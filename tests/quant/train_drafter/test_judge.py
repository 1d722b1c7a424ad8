import dataclasses
import itertools

import numpy as np
import pytest
import torch

from tercel.config import PRESETS
from tercel.errors import TercelError
from tercel.image import Image, random_image
from tercel_quant.train_drafter.frozen_model import FrozenModel
from tercel_quant.train_drafter.judge import (
    JudgeConfig,
    JudgeExamples,
    choose_windows,
    judge_examples,
    train_judge,
)
from tercel_quant.weights import ImageWeights

TINY = dataclasses.replace(PRESETS["tiny"], context=64)
CONFIG = JudgeConfig(places=4, horizon=6, meeting=2)


@pytest.fixture
def model(tmp_path):
    random_image(tmp_path / "tiny.tercel", TINY, seed=1)
    return FrozenModel(ImageWeights(Image.open(tmp_path / "tiny.tercel")))


def greedy(model, tokens, length):
    """Tokens after a text, one whole pass each."""
    found = list(tokens)
    for _ in range(length):
        stream = model.read(torch.tensor([found])).stream
        found.append(int(model.logits(stream[:, -1]).argmax()))
    return found[len(tokens) :]


def test_labels_are_those_of_continuing_each_text_by_itself(model):
    text = torch.randint(TINY.vocab_size, (5, 12), generator=torch.Generator().manual_seed(2))
    found = judge_examples(model, text, CONFIG)
    assert found.hidden.shape == (5, 4, TINY.hidden_size)
    generator = torch.Generator().manual_seed(CONFIG.seed)
    labels = []
    for windows in text.split(4):
        places = torch.randperm(12, generator=generator)[:4].sort().values
        chances = model.logits(model.read(windows).stream[:, places]).softmax(-1)
        best = chances.argmax(-1)
        chances.scatter_(-1, best[..., None], 0)
        drawn = torch.multinomial(chances.flatten(0, 1), 1, generator=generator).view_as(best)
        for window, row, other in zip(windows.tolist(), best, drawn, strict=True):
            for place, first, second in zip(places.tolist(), row, other, strict=True):
                assert first != second
                kept, replaced = (
                    greedy(model, [*window[: place + 1], int(token)], 5)
                    for token in (first, second)
                )
                pairs = [set(itertools.pairwise(each)) for each in (kept, replaced)]
                labels.append(bool(pairs[0] & pairs[1]))
    assert found.harmless.flatten().tolist() == labels
    assert len(set(labels)) == 2


def examples(windows=50):
    """Tokens are harmless where the first element of the stream is above the second."""
    hidden = torch.randn(windows, 8, 6, generator=torch.Generator().manual_seed(3))
    noise = 0.3 * torch.randn(windows, 8, generator=torch.Generator().manual_seed(4))
    return JudgeExamples(hidden=hidden, harmless=hidden[..., 0] - hidden[..., 1] + noise > 0.8)


def test_a_head_finds_what_makes_a_token_harmless():
    given = examples()
    found = train_judge(given, CONFIG)
    assert found.examples == 400
    assert found.harmless == pytest.approx(given.harmless.float().mean().item())
    assert found.area > 0.9
    assert found.passed > 0.5
    weight = found.head.weight
    assert np.abs(weight).argsort()[-2:].tolist() in ([0, 1], [1, 0])
    assert weight[0] > 0 > weight[1]
    again = train_judge(given, CONFIG)
    assert np.array_equal(weight, again.head.weight)


def test_the_head_scores_as_it_was_trained_and_the_threshold_holds_back_the_harmful():
    given = examples()
    found = train_judge(given, dataclasses.replace(CONFIG, harm=0.25))
    held, truth = given.hidden[-10:].flatten(0, 1).numpy(), given.harmless[-10:].flatten().numpy()
    scores = np.array([found.head.score(hidden) for hidden in held])
    good, bad = scores[truth], scores[~truth]
    assert np.mean(bad > found.head.threshold) == pytest.approx(0.25, abs=1 / len(bad))
    assert np.mean(good > found.head.threshold) == pytest.approx(found.passed)
    assert np.mean(good[:, None] > bad) == pytest.approx(found.area)


def test_windows_are_pieces_of_the_text():
    found = choose_windows(np.arange(103), windows=6, length=10, seed=4)
    assert found.dtype == torch.int64
    assert (found[:, 0] % 10 == 0).all()
    assert torch.equal(found - found[:, :1], torch.arange(10).expand(6, -1))
    assert len(found[:, 0].unique()) == 6
    with pytest.raises(TercelError, match="the text has 10 pieces of 10 tokens, not 11"):
        choose_windows(np.arange(103), windows=11, length=10, seed=4)


def test_too_little_is_refused(model):
    text = torch.zeros(1, 3, dtype=torch.int64)
    with pytest.raises(TercelError, match="windows need 4 to 58 tokens, not 3"):
        judge_examples(model, text, CONFIG)
    with pytest.raises(TercelError, match="windows need 4 to 58 tokens, not 59"):
        judge_examples(model, torch.zeros(1, 59, dtype=torch.int64), CONFIG)
    one = JudgeExamples(hidden=torch.ones(5, 2, 3), harmless=torch.ones(5, 2, dtype=torch.bool))
    with pytest.raises(TercelError, match="too few examples to have both labels"):
        train_judge(one, CONFIG)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"places": 0}, "places must be 1 or more, not 0"),
        ({"meeting": 0}, "meeting must be 1 or more, not 0"),
        ({"horizon": 6, "meeting": 6}, "more than the 6 tokens of a meeting, not 6"),
        ({"penalty": -1.0}, "penalty must be 0 or more, not -1.0"),
        ({"harm": 1.0}, "harm must be between 0 and 1, not 1.0"),
    ],
)
def test_wrong_parameters_are_refused(options, message):
    with pytest.raises(TercelError, match=message):
        JudgeConfig(**options)
