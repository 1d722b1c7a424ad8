"""Drafts under a layer mask: the text and the cache are those of plain decoding."""

import itertools

import numpy as np
import pytest

from tercel.device import Ask, PassInterruptedError
from tercel.device.emulator import EmulatorDevice
from tercel.errors import TercelError
from tercel.runtime import Generator
from tercel.sampling import Sampler, SamplingConfig
from tercel.speculation import (
    ROOT,
    DraftBudget,
    DraftState,
    FixedSize,
    Speculator,
)
from tercel.speculation.acceptors import Rejection
from tercel.speculation.drafter_file import drafter_path, save_drafter
from tercel.speculation.drafters.draft_threshold import ThresholdConfig
from tercel.speculation.drafters.self_speculation import (
    KIND,
    SelfSpeculation,
    SelfSpeculationConfig,
    early_exit,
)

WHOLE = ((True, True), (True, True))
MASKS = [WHOLE, ((True, True), (False, False)), ((False, True), (True, False))]
ENDLESS = ThresholdConfig(greedy_start=0.0, sampling_start=0.0, step=0.0)
SAMPLINGS = [
    {"temperature": 0.0},
    {"temperature": 0.8, "seed": 3},
    {"temperature": 1.2, "top_k": 6, "seed": 4},
    {"temperature": 1.2, "top_p": 0.8, "seed": 6},
]


@pytest.fixture(scope="session")
def target(make_image):
    return make_image(1)


@pytest.fixture
def drafter_on(target):
    """Makes a device and a drafter on it."""

    def make(mask, **fields):
        device = EmulatorDevice(target)
        return device, SelfSpeculation(device, SelfSpeculationConfig(layer_mask=mask, **fields))

    return make


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=str)
@pytest.mark.parametrize("rows", [None, 100])
@pytest.mark.parametrize("mask", MASKS, ids=str)
def test_the_text_and_the_cache_are_those_of_plain_decoding(
    target, drafter_on, write, assert_equal_caches, mask, rows, sampling
):
    plain = EmulatorDevice(target)
    expected, _ = write(target, device=plain, **sampling)
    device, drafter = drafter_on(mask, head_rows=rows)
    found, generator = write(target, drafter, device=device, **sampling)
    assert found == expected
    assert generator.statistics.speculation.failures == 0
    assert generator.statistics.speculation.drafted > 0
    assert_equal_caches(device, plain)


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=str)
def test_a_mask_that_skips_nothing_has_every_token_accepted(target, drafter_on, write, sampling):
    device, drafter = drafter_on(WHOLE, threshold=ENDLESS, top_k=0)
    _, generator = write(target, drafter, device=device, nodes=7, max_tokens=17, **sampling)
    assert generator.statistics.speculation.tokens_per_round == 8


def test_a_draft_ends_after_the_first_unlikely_token(target, drafter_on):
    mask = MASKS[1]
    device, drafter = drafter_on(mask, threshold=ThresholdConfig(greedy_start=0.5))
    lengths = set()
    for first, second in itertools.product(range(0, 250, 25), repeat=2):
        device.reset()
        drafter.reset()
        state = DraftState(tokens=[first, second], position=1, sampling=SamplingConfig())
        tree = drafter.propose(state, DraftBudget(nodes=5, depth=6))
        tokens = [first, second]
        for count, token in enumerate(tree.tokens, 1):
            ask = Ask(logits=(len(tokens) - 1,), layer_mask=mask)
            result = device.run_pass(tokens, ask=ask)
            assert token == result.argmax[-1]
            logits = result.logits[len(tokens) - 1].astype(np.float64)
            likely = 1 / np.exp(logits - logits[token]).sum() >= 0.5
            assert likely or count == len(tree)
            assert count < len(tree) or count == 5 or not likely
            tokens.append(token)
        lengths.add(len(tree))
    assert min(lengths) == 1
    assert len(lengths) > 2


def test_the_threshold_follows_the_rounds(target, drafter_on, write):
    device, drafter = drafter_on(MASKS[1])
    assert drafter.threshold is None
    rate, expected = 0.0, 0.8
    observe, rounds = drafter.observe, []
    drafter.observe = lambda round: (observe(round), rounds.append(round))
    write(target, drafter, device=device, nodes=5)
    for round in rounds[1:]:
        drafted, accepted = len(round.verdict.tree), len(round.outcome.path)
        if not drafted:
            continue
        rate = 0.5 * rate + 0.5 * accepted / drafted
        change = 0.01 if rate < 0.9 else 0.0 if drafted == 5 else -0.01
        expected = 0.9 * expected + 0.1 * (expected + change)
    assert drafter.threshold == pytest.approx(expected)
    assert expected != 0.8
    drafter.reset()
    assert drafter.threshold is None


def test_a_drawn_draft_of_all_layers_is_never_rejected(target, drafter_on, write):
    device, drafter = drafter_on(WHOLE, drawn=True, top_k=0, threshold=ENDLESS)
    sampling = {"temperature": 0.9, "seed": 2, "max_tokens": 19}
    _, generator = write(target, drafter, device=device, acceptor=Rejection(), nodes=5, **sampling)
    found = generator.statistics.speculation
    assert found.bonus == found.rounds == 3


def test_a_drawn_draft_has_its_proposals(target, drafter_on):
    device, drafter = drafter_on(MASKS[1], drawn=True, top_k=5, threshold=ENDLESS)
    sampling = SamplingConfig(temperature=1.5, seed=1)
    state = DraftState(tokens=[5, 6], position=1, sampling=sampling)
    tree = drafter.propose(state, DraftBudget(nodes=3, depth=3))
    assert set(tree.proposals) == {ROOT, 0, 1}
    filtered = SamplingConfig(temperature=1.5, top_k=5)
    sampler = Sampler(filtered, limits=device.limits, vocab_size=257)
    result = device.run_pass([5, 6], ask=Ask(top_k=5, layer_mask=MASKS[1]))
    expected = sampler.distribution(result, node=1)
    assert np.array_equal(tree.proposals[ROOT].ids, expected.ids)
    assert np.array_equal(tree.proposals[ROOT].probabilities, expected.probabilities)


def test_tokens_behind_the_rows_of_the_head_are_never_drafted(target, drafter_on):
    for top_k in (0, 64):
        device, drafter = drafter_on(MASKS[1], head_rows=9, threshold=ENDLESS, top_k=top_k)
        sampling = SamplingConfig(temperature=1.0)
        state = DraftState(tokens=[97, 98], position=1, sampling=sampling)
        tree = drafter.propose(state, DraftBudget(nodes=6, depth=6))
        assert len(tree) == 6
        assert max(tree.tokens) < 9
        assert device.counters.passes == 6


def test_a_full_context(target, drafter_on, write):
    expected, _ = write(target, max_tokens=None)
    device, drafter = drafter_on(MASKS[1], threshold=ENDLESS)
    found, generator = write(target, drafter, device=device, max_tokens=None)
    assert found == expected
    assert generator.finish_reason == "context"
    assert generator.statistics.speculation.failures == 0


def test_an_interrupt_ends_a_draft_between_its_passes(target, drafter_on, tokenizer, monkeypatch):
    device, drafter = drafter_on(MASKS[1], threshold=ENDLESS)
    generator = Generator(device, tokenizer, Speculator([drafter], controller=FixedSize(7)))
    run, masked = device.run_pass, []

    def counted(*arguments, ask, **options):
        if ask.layer_mask is not None:
            masked.append(None)
            if len(masked) == 3:
                generator.interrupt()
        return run(*arguments, ask=ask, **options)

    monkeypatch.setattr(device, "run_pass", counted)
    assert len(list(generator.generate("ab"))) == 1
    assert generator.finish_reason == "interrupted"
    assert len(masked) == 3
    drafter.interrupt()  # between drafts it has no effect
    state = DraftState(tokens=[1], position=device.length, sampling=SamplingConfig())
    assert len(drafter.propose(state, DraftBudget(nodes=2, depth=2))) == 2

    def interrupted(*arguments, **options):
        raise PassInterruptedError

    monkeypatch.setattr(device, "run_pass", interrupted)
    with pytest.raises(PassInterruptedError):
        drafter.propose(state, DraftBudget(nodes=2, depth=2))


def test_the_file_of_a_search_is_opened(make_image, tmp_path):
    source = make_image(3)
    image = type(source).open(_copy(source.path, tmp_path / "model.tercel"))
    device = EmulatorDevice(image)
    with pytest.raises(TercelError, match=r"model\.self\.drafter; train it with"):
        SelfSpeculation.open(image, device)
    save_drafter(
        drafter_path(image.path, KIND),
        kind=KIND,
        image=image,
        tensors={
            "layer_mask": np.array([[1, 0], [0, 1]], np.uint8),
            "head_rows": np.array([40], np.uint32),
            "top_k": np.array([12], np.uint32),
        },
        settings={},
    )
    drafter = SelfSpeculation.open(image, device)
    assert drafter.config.layer_mask == ((True, False), (False, True))
    assert (drafter.config.head_rows, drafter.config.top_k) == (40, 12)


def _copy(source, target):
    target.write_bytes(source.read_bytes())
    return target


def test_an_early_exit_runs_the_first_layers(target):
    assert early_exit(target.config, 1) == ((True, True), (False, False))
    assert early_exit(target.config, 0) == ((False, False),) * 2
    with pytest.raises(TercelError, match=r"after 0\.\.2 layers of tiny, not 3"):
        early_exit(target.config, 3)


def test_masks_and_rows_of_another_model_are_refused(drafter_on):
    with pytest.raises(TercelError, match="a layer mask of tiny has 2 pairs, not 1"):
        drafter_on(WHOLE[:1])
    for rows in (0, 258):
        with pytest.raises(TercelError, match=rf"head_rows of tiny .* 1\.\.257, not {rows}"):
            drafter_on(WHOLE, head_rows=rows)
