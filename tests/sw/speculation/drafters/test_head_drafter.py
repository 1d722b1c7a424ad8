"""All drafters with trained heads: the text is plain decoding's, drafts follow rounds."""

import numpy as np
import pytest
from head_tensors import LEVELS, blockwise_tensors, hydra_tensors, medusa_tensors

from tercel.errors import TercelError
from tercel.sampling import SamplingConfig
from tercel.speculation import DraftBudget, DraftState
from tercel.speculation.drafter_file import drafter_path, save_drafter
from tercel.speculation.drafters import blockwise, hydra, medusa
from tercel.speculation.drafters.head_arithmetic import normalise

KINDS = {
    hydra.KIND: (hydra.HydraDrafter, hydra_tensors),
    medusa.KIND: (medusa.MedusaDrafter, medusa_tensors),
    blockwise.KIND: (blockwise.BlockwiseDrafter, blockwise_tensors),
}
SAMPLINGS = [
    {"temperature": 0.0},
    {"temperature": 0.8, "seed": 3},
    {"temperature": 1.2, "seed": 4},
    {"temperature": 0.8, "top_k": 5, "top_p": 0.9, "min_p": 0.01, "seed": 5},
]
STATE = DraftState(tokens=[1, 2, 3], position=2, sampling=SamplingConfig())


@pytest.fixture(params=KINDS)
def make(request, make_image):
    """Makes a drafter of each kind from its file beside a copy of an image."""
    kind, tensors = KINDS[request.param]

    def make(seed=0, **sizes):
        return kind(tensors(make_image(1), seed), make_image(1), **sizes)

    return make


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=str)
def test_the_text_is_that_of_plain_decoding(make, make_image, write, sampling):
    image = make_image(1)
    expected, _ = write(image, **sampling)
    found, generator = write(image, make(), **sampling)
    assert found == expected
    statistics = generator.statistics.speculation
    assert statistics.failures == 0
    assert statistics.drafts >= statistics.rounds - 1  # the last may want no more than a token


@pytest.mark.parametrize("nodes", range(1, 9))
@pytest.mark.parametrize("depth", [1, 2, 9])
def test_a_tree_keeps_to_its_budget(make, nodes, depth):
    drafter = make(least=0.0)
    hidden = np.random.default_rng(0).normal(0, 5, 64).astype(np.float32)
    drafter.observe(FakeRound(hidden))
    tree = drafter.propose(STATE, DraftBudget(nodes=nodes, depth=depth))
    assert 1 <= len(tree) <= nodes
    assert max(tree.depths) <= min(depth, LEVELS)
    for node, parent in enumerate(tree.parents):
        above = 1.0 if parent < 0 else tree.estimates[parent]
        assert 0 < tree.estimates[node] <= above


class FakeRound:
    """The part of a round that drafters read: the hidden state of its last kept node."""

    def __init__(self, hidden):
        self.verdict = self.result = self
        self.hidden = {4: hidden}
        self.last_node = 4


def test_a_drafter_declines_until_it_has_a_hidden_state_and_after_a_reset(make):
    drafter = make()
    budget = DraftBudget(nodes=7, depth=7)
    assert len(drafter.propose(STATE, budget)) == 0
    drafter.observe(FakeRound(np.ones(64, np.float32)))
    assert len(drafter.propose(STATE, budget)) > 0
    drafter.reset()
    assert len(drafter.propose(STATE, budget)) == 0


def test_improbable_nodes_are_not_expanded(make):
    drafter = make(least=1.1)
    drafter.observe(FakeRound(np.ones(64, np.float32)))
    tree = drafter.propose(STATE, DraftBudget(nodes=7, depth=7))
    assert set(tree.depths) == {1}


@pytest.mark.parametrize("kind", KINDS)
def test_a_drafter_is_opened_from_the_file_beside_its_image(kind, make_image, tmp_path):
    drafter, tensors = KINDS[kind]
    image = make_image(1)
    other = tmp_path / "m.tercel"
    other.write_bytes(image.path.read_bytes())
    copy = type(image).open(other)
    with pytest.raises(TercelError, match="there is no"):
        drafter.open(copy, None)
    path = drafter_path(other, kind)
    save_drafter(path, kind=kind, image=copy, tensors=tensors(copy), settings={})
    opened, made = drafter.open(copy, None), drafter(tensors(copy), copy)
    hidden = np.random.default_rng(0).normal(0, 5, 64).astype(np.float32)
    trees = []
    for each in (opened, made):
        each.observe(FakeRound(hidden))
        trees.append(each.propose(STATE, DraftBudget(nodes=7, depth=7)))
    assert trees[0].tokens == trees[1].tokens
    save_drafter(path, kind=kind, image=make_image(2), tensors=tensors(copy), settings={})
    with pytest.raises(TercelError, match="another model"):
        drafter.open(copy, None)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_without_an_array_is_refused(kind, make_image):
    drafter, tensors = KINDS[kind]
    image = make_image(1)
    required = [name for name in tensors(image) if not name.endswith(".scale")]
    optional = {"medusa": {"state", "token"}, "blockwise": {"token"}}.get(kind, set())
    optional |= {"accuracy"} if kind != "medusa" else set()
    for name in set(required) - optional:
        broken = tensors(image)
        del broken[name]
        with pytest.raises(TercelError, match="no array"):
            drafter(broken, image)


def test_the_input_is_the_normalised_hidden_state(make):
    drafter = make()
    hidden = np.random.default_rng(0).normal(0, 5, 64).astype(np.float32)
    trees = []
    for each in (hidden, 3 * hidden, normalise(hidden)):
        drafter.observe(FakeRound(each))
        trees.append(drafter.propose(STATE, DraftBudget(nodes=7, depth=7)))
    assert trees[0].tokens == trees[1].tokens == trees[2].tokens
