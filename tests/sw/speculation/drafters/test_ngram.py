import numpy as np
import pytest

from tercel.errors import TercelError
from tercel.sampling import SamplingConfig, gumbel
from tercel.speculation import ROOT, DraftBudget, DraftState
from tercel.speculation.drafter_file import drafter_path, save_drafter
from tercel.speculation.drafters.ngram import NgramDrafter
from tercel.speculation.drafters.ngram_store import EMPTY_KEY, NgramStore, extend_key


def bigram_store(successors):
    """A store of ``{token: [successors]}``, each less likely than the one before."""
    keys = {extend_key(EMPTY_KEY, token): found for token, found in successors.items()}
    keys[EMPTY_KEY] = []
    lists = [keys[key] for key in sorted(keys)]
    return NgramStore(
        keys=np.array(sorted(keys), np.uint32),
        starts=np.cumsum([0, *map(len, lists)]).astype(np.uint32),
        backoffs=np.full(len(lists), 80, np.uint8),
        ids=np.array([token for found in lists for token in found], np.uint16),
        levels=np.array([4 + 16 * rank for found in lists for rank in range(len(found))], np.uint8),
    )


def state_of(tokens, **sampling):
    return DraftState(tokens=tokens, position=len(tokens) - 1, sampling=SamplingConfig(**sampling))


STORE = bigram_store({1: [2, 3], 2: [4, 1], 3: [5], 4: [1]})


def test_the_likeliest_tree_is_drafted():
    drafter = NgramDrafter(STORE, order=1)
    tree = drafter.propose(state_of([9, 1]), DraftBudget(nodes=5, depth=3))
    # Of two successors 0.73 and 0.27, of one 0.99: (3, 5) is likelier than (2, 1).
    assert (tree.tokens, tree.parents) == ((2, 4, 1, 3, 5), (ROOT, 0, 1, ROOT, 3))
    assert tree.estimates == pytest.approx((0.73, 0.54, 0.53, 0.27, 0.27), abs=0.01)


@pytest.mark.parametrize("text", [[], [7], [6, 7, 8]])
def test_an_unknown_text_is_declined(text):
    state = DraftState(tokens=text, position=0, sampling=SamplingConfig())
    assert len(NgramDrafter(STORE, order=2).propose(state, DraftBudget(nodes=7, depth=7))) == 0


@pytest.mark.parametrize(("nodes", "depth"), [(1, 1), (7, 1), (1, 7), (64, 64)])
def test_budgets_are_kept(nodes, depth):
    tree = NgramDrafter(STORE, order=1).propose(
        state_of([1]), DraftBudget(nodes=nodes, depth=depth)
    )
    assert 0 < len(tree) <= nodes
    assert max(tree.depths) <= depth


def test_each_depth_has_the_noise_of_its_position():
    drafter, seen = NgramDrafter(STORE, order=1), set()
    for seed in range(20):
        state = state_of([1], temperature=1.0, seed=seed)
        tree = drafter.propose(state, DraftBudget(nodes=2, depth=2))
        scores = np.array([-0.25, -1.25]) + gumbel(seed, 0, [2, 3])
        first = [2, 3][int(np.argmax(scores))]
        assert tree.tokens[0] == first
        if first == 2 and tree.parents == (ROOT, 0):
            scores = np.array([-0.25, -1.25]) + gumbel(seed, 1, [4, 1])
            assert tree.tokens[1] == [4, 1][int(np.argmax(scores))]
            seen.add(tree.tokens[1])
    assert seen == {4, 1}


def test_a_store_beside_the_image_is_opened(make_image):
    image = make_image(1)
    path = drafter_path(image.path, "ngram")
    path.unlink(missing_ok=True)
    with pytest.raises(TercelError, match=r"train it with `tercel train-drafter ngram .*tercel`"):
        NgramDrafter.open(image, None)
    save_drafter(path, kind="ngram", image=image, tensors=STORE.tensors, settings={})
    with pytest.raises(TercelError, match="order of an n-gram store must be 1 or more, not None"):
        NgramDrafter.open(image, None)
    save_drafter(path, kind="ngram", image=image, tensors=STORE.tensors, settings={"order": 1})
    try:
        tree = NgramDrafter.open(image, None).propose(state_of([1]), DraftBudget(nodes=2, depth=9))
    finally:
        path.unlink()
    assert tree.tokens == (2, 4)


@pytest.mark.parametrize("sampling", [{}, {"temperature": 1.0, "seed": 5}], ids=str)
def test_the_text_is_that_of_plain_decoding(make_image, write, sampling):
    image = make_image(1)
    rng = np.random.default_rng(0)
    store = bigram_store({token: rng.permutation(257)[:8].tolist() for token in range(257)})
    expected, _ = write(image, **sampling)
    found, generator = write(image, NgramDrafter(store, order=2), **sampling)
    assert found == expected
    assert generator.statistics.speculation.failures == 0
    assert generator.statistics.speculation.drafted > 0
