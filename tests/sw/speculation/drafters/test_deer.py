import numpy as np
import pytest
from block_tensors import block_tensors
from fake_device import CONFIG, EOS, FakeDevice

from tercel.errors import TercelError
from tercel.image import Image, random_image
from tercel.runtime import GenerationConfig, Generator
from tercel.sampling import SamplingConfig, gumbel
from tercel.speculation import ROOT, DraftBudget, DraftState, FixedSize, Speculator
from tercel.speculation.drafter_file import load_drafter, save_drafter
from tercel.speculation.drafters.deer import BlockDiffusion

MASKS = 3
BUDGET = DraftBudget(nodes=7, depth=7)


class KnownModel:
    """Stands for a trained model: fills the masks with logits that are given."""

    context = 2

    def __init__(self, logits):
        self.logits = np.asarray(logits, np.float32)

    def fill(self, embedded):
        assert embedded.shape == (2, 1)
        return self.logits


def embed(tokens):
    return np.asarray(tokens, np.float32)[:, None]


def state(tokens=(7, 8, 9), **sampling):
    return DraftState(tokens=list(tokens), position=20, sampling=SamplingConfig(seed=3, **sampling))


RANDOM = np.random.default_rng(0).normal(0, 2, (MASKS, 5))
VOCABULARY = np.array([3, 10, 40, 200, 256])


def make_drafter(logits=RANDOM, **fields):
    return BlockDiffusion(KnownModel(logits), embed, VOCABULARY, **fields)


def softmax(logits):
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def test_a_greedy_draft_is_a_chain_of_the_likeliest_tokens():
    tree = make_drafter().propose(state(), BUDGET)
    assert tree.tokens == tuple(VOCABULARY[RANDOM.argmax(1)])
    assert tree.parents == (ROOT, 0, 1)
    np.testing.assert_allclose(tree.estimates, np.cumprod(softmax(RANDOM).max(1)), rtol=1e-5)
    assert not tree.proposals


def test_tokens_are_drawn_with_the_noise_of_their_draws():
    tree = make_drafter().propose(state(temperature=0.8), BUDGET)
    for depth, logits in enumerate(RANDOM):
        noise = gumbel(3, 20 + depth, VOCABULARY)
        assert tree.tokens[depth] == VOCABULARY[np.argmax(logits / 0.8 + noise)]


def test_drawn_tokens_have_the_law_of_their_proposals():
    counts = np.zeros((MASKS, len(VOCABULARY)))
    seen = set()
    for position in range(400):
        state = DraftState(
            tokens=[7, 8],
            position=position,
            sampling=SamplingConfig(seed=3, temperature=0.8),
        )
        tree = make_drafter(drawn=True).propose(state, BUDGET)
        assert tree.estimates == ()
        seen.add(tree.tokens)
        for depth, token in enumerate(tree.tokens):
            counts[depth, np.flatnonzero(token == VOCABULARY)] += 1
            q = tree.proposals[depth + ROOT]
            law = [q.probability(word) for word in VOCABULARY]
            np.testing.assert_allclose(law, softmax(RANDOM[depth] / 0.8), rtol=1e-5)
    assert len(seen) > 20  # each position has noise of its own
    np.testing.assert_allclose(counts / 400, softmax(RANDOM / 0.8), atol=0.08)


def test_proposals_have_the_filters_of_the_text():
    tree = make_drafter(drawn=True).propose(state(temperature=0.8, top_k=2), BUDGET)
    for depth, logits in enumerate(RANDOM):
        assert list(tree.proposals[depth + ROOT].ids) == list(VOCABULARY[np.argsort(-logits)[:2]])
    narrow = make_drafter().propose(state(temperature=0.8, top_p=1e-6), BUDGET)
    assert narrow.tokens == tuple(VOCABULARY[RANDOM.argmax(1)])


def test_a_draft_is_within_its_budget_and_declines_without_enough_text():
    drafter = make_drafter()
    assert len(drafter.propose(state(), DraftBudget(nodes=2, depth=7))) == 2
    assert len(drafter.propose(state(), DraftBudget(nodes=7, depth=1))) == 1
    assert len(drafter.propose(state(tokens=(1,)), BUDGET)) == 0


@pytest.mark.parametrize("temperature", [0.0, 0.9])
def test_the_text_is_that_of_plain_decoding(tokenizer, temperature):
    script = [*b"abc", *([3, 10] * 20), *[EOS] * 20]
    config = GenerationConfig(
        sampling=SamplingConfig(temperature=temperature, seed=5), max_tokens=24, ignore_eos=True
    )
    right = np.full((MASKS, 5), -9.0)
    right[[0, 1, 2], [0, 1, 0]] = 9  # 3, 10, 3: right behind each 10
    generators = [
        Generator(FakeDevice(script=script, nodes=8), tokenizer),
        Generator(
            FakeDevice(script=script, nodes=8),
            tokenizer,
            Speculator((make_drafter(right),), controller=FixedSize(7)),
        ),
    ]
    plain, found = (
        [piece.token for piece in generator.generate("abc", config)] for generator in generators
    )
    assert found == plain
    statistics = generators[1].statistics.speculation
    assert statistics.failures == 0
    assert min(statistics.accepted[:3]) > 3


def test_a_file_gives_the_drafter_back(tmp_path):
    path = tmp_path / "tiny.tercel"
    random_image(path, CONFIG, seed=2)
    image = Image.open(path)
    tensors = block_tensors(width=CONFIG.hidden_size, context=5, masks=MASKS)
    tensors = {name: array.astype(np.float16) for name, array in tensors.items()}
    tensors["vocabulary"] = VOCABULARY.astype(np.int32)
    file = tmp_path / "tiny.deer.drafter"
    settings = {"masks": MASKS, "heads": 2, "epsilon": 1e-5}
    save_drafter(file, kind="deer", image=image, tensors=tensors, settings=settings)
    drafter = BlockDiffusion.from_file(load_drafter(file, kind="deer", image=image), image)
    tree = drafter.propose(state(tokens=range(5), temperature=1.0), BUDGET)
    assert len(tree) == MASKS
    assert set(tree.tokens) <= set(VOCABULARY.tolist())


@pytest.mark.parametrize("missing", ["vocabulary", "heads"])
def test_a_file_without_a_part_is_refused(tmp_path, missing):
    path = tmp_path / "tiny.tercel"
    random_image(path, CONFIG, seed=2)
    image = Image.open(path)
    tensors = block_tensors(width=CONFIG.hidden_size, context=5, masks=MASKS)
    tensors["vocabulary"] = VOCABULARY.astype(np.int32)
    settings = {"masks": MASKS, "heads": 2, "epsilon": 1e-5}
    for part in (tensors, settings):
        part.pop(missing, None)
    file = tmp_path / "tiny.deer.drafter"
    save_drafter(file, kind="deer", image=image, tensors=tensors, settings=settings)
    with pytest.raises(TercelError, match=f"lacks '{missing}'; train it again"):
        BlockDiffusion.from_file(load_drafter(file, kind="deer", image=image), image)
