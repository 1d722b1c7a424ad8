"""Drafts of a small model: the text is that of plain decoding, the small model's cache is the
text's."""

import numpy as np
import pytest

from tercel.device import PassInterruptedError
from tercel.device.emulator import EmulatorDevice
from tercel.errors import TercelError
from tercel.runtime import GenerationConfig, Generator
from tercel.sampling import Sampler, SamplingConfig
from tercel.speculation import ROOT, DraftBudget, DraftState, FixedSize, Speculator
from tercel.speculation.acceptors import Rejection
from tercel.speculation.drafters.draft_model import DraftModel, DraftModelConfig

SHAPES = [
    DraftModelConfig(),
    DraftModelConfig(shape="chain", top_k=0),
    DraftModelConfig(shape="drawn", siblings=2),
]
SAMPLINGS = [
    {"temperature": 0.0},
    {"temperature": 0.8, "seed": 3},
    {"temperature": 1.2, "seed": 4},
    {"temperature": 0.8, "top_k": 5, "seed": 5},
    {"temperature": 1.2, "top_p": 0.7, "min_p": 0.02, "seed": 6},
]


@pytest.fixture(scope="session")
def target(make_image):
    return make_image(1)


@pytest.fixture(scope="session")
def other(make_image):
    return make_image(2, layers=1, hidden_size=32, ffn_size=48)


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=str)
@pytest.mark.parametrize("config", SHAPES, ids=str)
def test_the_text_is_that_of_plain_decoding(target, other, write, config, sampling):
    expected, _ = write(target, **sampling)
    for draft in (other, target):
        drafter = DraftModel.open(target, draft, config=config)
        found, generator = write(target, drafter, **sampling)
        assert found == expected
        assert generator.statistics.speculation.failures == 0


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=str)
@pytest.mark.parametrize("shape", ["chain", "tree"])
def test_a_draft_model_that_is_the_target_has_every_token_accepted(target, write, shape, sampling):
    """At each temperature, since both draw with the same noise."""
    nodes = 7 if shape == "chain" else 1
    drafter = DraftModel.open(target, target, config=DraftModelConfig(shape=shape, top_k=0))
    _, generator = write(target, drafter, nodes=nodes, max_tokens=1 + 4 * (nodes + 1), **sampling)
    found = generator.statistics.speculation
    assert found.rounds == 4
    assert found.accepted == (4,) * nodes
    assert found.tokens_per_round == nodes + 1


@pytest.mark.parametrize("siblings", [1, 2])
def test_a_drawn_path_of_the_target_itself_is_never_rejected(target, write, siblings):
    config = DraftModelConfig(shape="drawn", siblings=siblings, top_k=0)
    drafter = DraftModel.open(target, target, config=config)
    sampling = {"temperature": 0.8, "seed": 2, "max_tokens": 25}
    _, generator = write(target, drafter, acceptor=Rejection(), nodes=6, **sampling)
    found = generator.statistics.speculation
    assert found.bonus == found.rounds
    assert found.emitted == 24 == found.rounds + sum(found.accepted)
    assert len(found.accepted) == 6 // siblings


def test_a_tree_begins_with_the_draws_and_has_the_next_likely_ones(target, other):
    drafter = DraftModel.open(target, other, config=DraftModelConfig(top_k=0))
    widths = []
    for seed in range(8):
        sampling = SamplingConfig(temperature=2.0, seed=seed)
        state = DraftState(tokens=[97, 98, 99], position=2, sampling=sampling)
        tree = drafter.propose(state, DraftBudget(nodes=7, depth=4))
        assert len(tree) == 7
        assert max(tree.depths) <= 4
        device = EmulatorDevice(other)
        sampler = Sampler(sampling, limits=device.limits, vocab_size=257)
        tokens = [97, 98, 99]
        for depth in range(4):
            node = len(tokens) - 1
            result = device.run_pass(tokens, ask=sampler.ask([node]))
            assert tree.tokens[depth] == sampler.choose(result, node=node, position=node)
            tokens.append(tree.tokens[depth])
            if tree.depths[depth + 1 : depth + 2] != [depth + 2]:
                break
        for node, parent in enumerate(tree.parents):
            before = 1.0 if parent == ROOT else tree.estimates[parent]
            assert 0 < tree.estimates[node] <= before
        widths.append(tree.parents.count(ROOT))
    assert max(widths) > 1


def test_a_drawn_path_has_its_proposals(target, other):
    """The siblings of each node are what the noise of the round draws without replacement."""
    config = DraftModelConfig(shape="drawn", siblings=3, top_k=0)
    drafter = DraftModel.open(target, other, config=config)
    sampling = SamplingConfig(temperature=3.0, top_p=0.9, seed=8)
    state = DraftState(tokens=[97, 98], position=1, sampling=sampling)
    tree = drafter.propose(state, DraftBudget(nodes=7, depth=5))
    assert tree.parents == (ROOT, 0, ROOT, ROOT, 0, 0)
    assert set(tree.proposals) == {ROOT, 0}
    device = EmulatorDevice(other)
    sampler = Sampler(sampling, limits=device.limits, vocab_size=257)
    for node, tokens in ((ROOT, [97, 98]), (0, [97, 98, tree.tokens[0]])):
        device.reset()
        result = device.run_pass(tokens, ask=sampler.ask([len(tokens) - 1]))
        expected = sampler.distribution(result, node=len(tokens) - 1)
        assert np.array_equal(tree.proposals[node].ids, expected.ids)
        assert np.array_equal(tree.proposals[node].probabilities, expected.probabilities)


def test_drawn_tokens_have_the_law_of_their_proposal(target, other):
    """Over seeds; and the draws of two rounds with the same position ahead are independent."""
    drafter = DraftModel.open(target, other, config=DraftModelConfig(shape="drawn", top_k=4))
    counts, again = np.zeros(4), 0
    for seed in range(400):
        sampling = SamplingConfig(temperature=1.0, top_k=4, seed=seed)
        state = DraftState(tokens=[97, 98], position=1, sampling=sampling)
        tree = drafter.propose(state, DraftBudget(nodes=1, depth=1))
        q = tree.proposals[ROOT]
        counts[q.ids.tolist().index(tree.tokens[0])] += 1
        state = DraftState(tokens=[97, 98], position=2, sampling=sampling)
        again += drafter.propose(state, DraftBudget(nodes=1, depth=1)).tokens == tree.tokens
    expected = 400 * q.probabilities
    assert ((counts - expected) ** 2 / expected).sum() < 16.3  # 0.1 % of chi-square, 3 degrees
    matches = 400 * (q.probabilities**2).sum()
    assert abs(again - matches) < 4 * np.sqrt(matches)


@pytest.mark.parametrize("config", SHAPES, ids=str)
def test_the_cache_is_that_of_the_text_after_many_rounds(
    target, other, write, assert_equal_caches, config
):
    device = EmulatorDevice(other)
    drafter = DraftModel.open(target, other, device=device, config=config)
    _, generator = write(target, drafter, prompt="a longer prompt", temperature=0.9, max_tokens=32)
    assert device.length >= 15 + 32 - 8
    fresh = EmulatorDevice(other)
    fresh.prefill(generator._text[: device.length])
    assert_equal_caches(device, fresh)


@pytest.mark.parametrize("shown", [1, 2, 5, 6, 11])
def test_cut_rounds_and_further_prompts_keep_the_cache_in_step(
    target, tokenizer, assert_equal_caches, shown
):
    device = EmulatorDevice(target)
    drafter = DraftModel.open(target, target, device=device)
    generator = Generator(
        EmulatorDevice(target), tokenizer, Speculator([drafter], controller=FixedSize(7))
    )
    plain = Generator(EmulatorDevice(target), tokenizer)
    config = GenerationConfig(sampling=SamplingConfig(temperature=0.8, seed=9), ignore_eos=True)
    for prompt in ("ab", "cde", "a prompt that is longer than a pass"):
        texts = []
        for each in (generator, plain):
            text = []
            for piece in each.generate(prompt, config):
                if piece.token is None:
                    break
                text.append(piece.token)
                if len(text) == shown:
                    each.interrupt()
            texts.append(text)
        assert texts[0] == texts[1]
    assert generator.statistics.speculation.failures == 0
    fresh = EmulatorDevice(target)
    fresh.prefill(generator._text[: device.length])
    assert_equal_caches(device, fresh)
    generator.reset()
    assert device.length == 0


def test_a_stop_string_inside_an_accepted_path(target, tokenizer, write):
    expected, _ = write(target, temperature=0.8, seed=9)
    text = "".join(chr(token) for token in expected if token < 0x80)
    stop = (text[6:9],)
    results = [
        write(target, drafter, temperature=0.8, seed=9, stop=stop)[0]
        for drafter in (None, DraftModel.open(target, target))
    ]
    assert results[0] == results[1]
    assert len(results[0]) < len(expected)


@pytest.mark.parametrize("context", [None, 20, 8])
def test_a_full_context_of_either_model(target, other, write, context):
    """Where the small model's context ends, the text goes on without drafts."""
    expected, plain = write(target, max_tokens=None)
    assert plain.finish_reason == "context"
    for draft in (other, target):
        device = EmulatorDevice(draft, context=context)
        drafter = DraftModel.open(target, draft, device=device)
        found, generator = write(target, drafter, max_tokens=None)
        assert found == expected
        assert generator.finish_reason == "context"
        assert generator.statistics.speculation.failures == 0
        assert device.length <= device.limits.context


def test_devices_of_few_nodes(target, write):
    expected, _ = write(target)
    for nodes in (1, 2, 3):
        drafter = DraftModel.open(target, target, device=EmulatorDevice(target, nodes=nodes))
        found, generator = write(target, drafter)
        assert found == expected
        assert generator.statistics.speculation.failures == 0
        assert len(generator.statistics.speculation.accepted) >= nodes


@pytest.mark.parametrize("after", [0, 1, 4])
def test_an_interrupt_ends_a_draft_between_its_passes(target, tokenizer, monkeypatch, after):
    device = EmulatorDevice(target)
    drafter = DraftModel.open(target, target, device=device)
    speculator = Speculator([drafter], controller=FixedSize(7))
    generator = Generator(EmulatorDevice(target), tokenizer, speculator)
    run, calls = device.run_pass, []

    def counted(*arguments, **options):
        calls.append(None)
        if len(calls) == after + 1:
            generator.interrupt()
        return run(*arguments, **options)

    monkeypatch.setattr(device, "run_pass", counted)
    prompt = "a prompt of several passes of the small model"
    assert len(list(generator.generate(prompt))) == 1
    assert generator.finish_reason == "interrupted"
    assert len(calls) == after + 1
    monkeypatch.undo()
    plain = Generator(EmulatorDevice(target), tokenizer)
    config = GenerationConfig(max_tokens=9, ignore_eos=True)
    shown = bytes(generator._text).decode("latin-1")
    assert shown.startswith(prompt)
    list(plain.generate(prompt, GenerationConfig(max_tokens=1)))
    texts = [[piece.token for piece in each.generate("x", config)] for each in (generator, plain)]
    assert texts[0] == texts[1]


def test_an_interrupt_reaches_the_device(target, monkeypatch):
    device = EmulatorDevice(target)
    drafter = DraftModel.open(target, target, device=device)
    reached = []
    monkeypatch.setattr(device, "interrupt", lambda: reached.append(True))
    drafter.interrupt()
    assert reached == [True]
    state = DraftState(tokens=[97], position=0, sampling=SamplingConfig())

    def interrupted(*arguments, **options):
        raise PassInterruptedError

    with monkeypatch.context() as patch:
        patch.setattr(device, "run_pass", interrupted)
        with pytest.raises(PassInterruptedError):
            drafter.propose(state, DraftBudget(nodes=3, depth=3))
    assert len(drafter.propose(state, DraftBudget(nodes=3, depth=3))) == 3


def test_another_vocabulary_is_refused(target, make_image, byte_tokenizer):
    for draft in (
        make_image(2, vocab_size=258),
        make_image(2, tokenizer=byte_tokenizer.replace(b"<end>", b"<fin>")),
        make_image(2, tokenizer=None),
    ):
        with pytest.raises(TercelError, match=r"must have the vocabulary of tiny \(257 tokens\)"):
            DraftModel.open(target, draft)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"shape": "star"}, "must be one of tree, chain, drawn, not 'star'"),
        ({"top_k": -1}, "top_k must be 0"),
        ({"siblings": 0}, "1 or more siblings a node, not 0"),
    ],
)
def test_the_config_checks_itself(fields, message):
    with pytest.raises(TercelError, match=message):
        DraftModelConfig(**fields)
