from dataclasses import replace

import numpy as np
import pytest

from tercel.config import PRESETS
from tercel.device.emulator import EmulatorDevice
from tercel.errors import TercelError
from tercel.image import Image, ImageBuilder
from tercel.image.synthetic import fill_random
from tercel.sampling import Sampler
from tercel.speculation import DraftBudget, DraftState
from tercel.speculation.drafters.draft_threshold import ThresholdConfig
from tercel.speculation.drafters.self_speculation import SelfSpeculation, SelfSpeculationConfig
from tercel_quant.train_drafter.layer_search import (
    LayerSearchConfig,
    MaskFigures,
    accepted_by_depth,
    first_prompts,
    mask_figures,
    search_layers,
    write_texts,
)
from tercel_quant.train_drafter.pass_costs import PassCosts

MODEL = replace(PRESETS["tiny"], layers=3)
PROMPTS = [[7, 8, 9, 10], [50, 40, 30, 20]]
CONFIG = LayerSearchConfig(
    head_rows=96, top_k=64, texts=2, prompt=4, length=16, stride=2, trials=30
)
WHOLE = ((True, True),) * 3


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """Attention 2 and MLP 0 do nothing: their outputs are zeros."""
    builder = ImageBuilder(config=MODEL)
    for name in ("layers.2.o", "layers.0.down"):
        builder.ternary(name, np.zeros(MODEL.linears()[name[9:]], np.int8), 1.0)
    fill_random(builder, 5)
    path = tmp_path_factory.mktemp("search") / "model.tercel"
    builder.write(path)
    return Image.open(path)


IDLE = ((True, False), (True, True), (False, True))
"""Runs all but what does nothing."""


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_a_masked_pass_judges_as_drafts_would_be(image, temperature):
    """Real drafts from each start, against the text."""
    config = replace(CONFIG, temperature=temperature)
    device = EmulatorDevice(image, nodes=5)
    texts = write_texts(device, PROMPTS, config)
    mask = ((True, True), (False, True), (True, False))
    counts, drafts = np.zeros(5), 0
    settings = SelfSpeculationConfig(
        layer_mask=mask,
        threshold=ThresholdConfig(greedy_start=0, sampling_start=0, step=0),
    )
    for text in texts:
        for start in text.starts:
            device.restore(text.cache, start)
            state = DraftState(
                tokens=text.tokens[: start + 1], position=start, sampling=text.sampling
            )
            tree = SelfSpeculation(device, settings).propose(state, DraftBudget(nodes=5, depth=5))
            right = np.equal(tree.tokens, text.tokens[start + 1 : start + 6])
            counts[: len(right) if right.all() else int(np.argmin(right))] += 1
            drafts += 1
    found = accepted_by_depth(device, texts, mask, config)
    assert found == pytest.approx(counts / drafts)
    assert 0 < sum(found) < 5
    assert accepted_by_depth(device, texts, IDLE, config) == (1.0,) * 5


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_texts_are_those_of_plain_decoding(image, temperature):
    config = replace(CONFIG, temperature=temperature, seed=3)
    device = EmulatorDevice(image, nodes=5)
    for index, text in enumerate(write_texts(device, PROMPTS, config)):
        assert text.tokens[:4] == tuple(PROMPTS[index])
        assert text.starts == (4, 6, 8, 10, 12, 14)
        assert (text.sampling.temperature, text.sampling.seed) == (temperature, 3 + index)
        sampler = Sampler(text.sampling, limits=device.limits, vocab_size=96)
        for at in range(4, 20):
            fresh = EmulatorDevice(image, nodes=20)
            result = fresh.run_pass(text.tokens[:at], ask=sampler.ask([at - 1]))
            assert sampler.choose(result, node=at - 1, position=at - 1) == text.tokens[at]


def test_the_gain_by_hand():
    """Plain 10; drafts 4 a pass of 1 node, then 5, 6; whole passes 11, 12, 12.5."""
    costs = PassCosts(
        whole=np.array([10.0, 11, 12, 12.5]),
        headed=np.array([1.0, 2, 3, 4]),
        attention=np.full(4, 1.0),
        mlp=np.full(4, 2.0),
    )
    mask = ((True, True), (False, False))
    figures = mask_figures(mask, (0.9, 0.7, 0.1, 0.1), costs)
    gains = [1.9 * 10 / (4 + 11), 2.6 * 10 / (9 + 12), 2.7 * 10 / (15 + 12.5)]
    assert figures.gain == pytest.approx(max(gains)) == pytest.approx(19 / 15)
    assert figures.drafted == 1
    deeper = mask_figures(mask, (1.0, 1.0, 1.0, 1.0), costs)
    assert (deeper.drafted, deeper.gain) == (3, pytest.approx(40 / 27.5))
    hopeless = mask_figures(mask, (0.0, 0.0, 0.0, 0.0), costs)
    assert (hopeless.drafted, hopeless.gain) == (1, pytest.approx(10 / 15))


def test_the_search_finds_the_layers_that_do_nothing(image):
    """The best set is at least as good as the one that skips them; the same seed finds the same."""
    device = EmulatorDevice(image, nodes=5)
    texts = write_texts(device, PROMPTS, CONFIG)
    ones = np.ones(5)
    costs = PassCosts(whole=7 * ones, headed=0.1 * ones, attention=ones, mlp=ones)
    judged = []

    def judge(mask):
        judged.append(mask)
        return mask_figures(mask, accepted_by_depth(device, texts, mask, CONFIG), costs)

    shown = []
    found = search_layers(judge, layers=3, config=CONFIG, progress=shown.append)
    assert len(judged) == len(set(judged)) == len(found) == len(shown)
    assert judged[:9] == [
        WHOLE,
        ((True, True), (True, True), (False, False)),
        ((True, True), (False, False), (False, False)),
        *(
            (*WHOLE[:layer], pair, *WHOLE[layer + 1 :])
            for layer in range(3)
            for pair in ((False, True), (True, False))
        ),
    ]
    gains = [each.gain for each in found]
    assert gains == sorted(gains, reverse=True)
    assert found[0].gain >= judge(IDLE).gain
    again = search_layers(judge, layers=3, config=CONFIG)
    assert [each.mask for each in again] == [each.mask for each in found]


def test_a_set_of_layers_in_words():
    figures = MaskFigures(mask=IDLE, accepted=(), drafted=1, gain=1.0)
    assert figures.description == "without attention 2 and MLP 0"
    assert replace(figures, mask=WHOLE).description == "all layers"


def test_prompts_are_spread_over_the_text():
    config = replace(CONFIG, texts=3, prompt=2)
    assert first_prompts(np.arange(10, dtype=np.uint32), config) == [[0, 1], [4, 5], [8, 9]]
    with pytest.raises(TercelError, match="3 prompts of 2 tokens need a longer text than 5"):
        first_prompts(np.arange(5), config)


def test_a_config_and_texts_that_are_too_short_are_refused(image):
    with pytest.raises(TercelError, match="trials of a search of layers must be 1 or more, not 0"):
        replace(CONFIG, trials=0)
    device = EmulatorDevice(image, nodes=5)
    with pytest.raises(TercelError, match="longer than the 5 nodes of a pass, but length is 5"):
        write_texts(device, PROMPTS, replace(CONFIG, length=5))
