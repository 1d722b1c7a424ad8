import numpy as np
import pytest
from exact_law import drawn_chain, emitted_law, fixed_tree, plain_law, target, total_variation
from verdicts import given

from tercel.device import PassResult
from tercel.errors import TercelError
from tercel.speculation import ROOT, DraftTree, Outcome, PassNeeds
from tercel.speculation.acceptors import Agreement, Blockwise, BlockwiseConfig

TREE = DraftTree(tokens=(5, 3, 6, 8), parents=(ROOT, ROOT, 0, 1))
TOP = np.array([[7, 3, 5, 1], [2, 6, 0, 1], [4, 1, 9, 8], [0, 1, 2, 3], [0, 1, 2, 3]], np.int32)
VERDICT = given(TREE, result=PassResult(top_ids=TOP), draws={ROOT: 7, 0: 2, 1: 4, 2: 11, 3: 12})


def emitted(**options):
    return Blockwise(BlockwiseConfig(**options)).accept(VERDICT)


def test_the_likeliest_child_of_the_top_n_is_accepted():
    assert emitted(top_n=1) == Outcome(path=(), tokens=(7,))
    assert emitted(top_n=2) == Outcome(path=(1,), tokens=(3, 4))  # 8 is the fourth
    assert emitted(top_n=4) == Outcome(path=(1, 3), tokens=(3, 8, 12))


def test_the_nearest_child_within_the_distance_is_accepted():
    assert emitted(top_n=1, distance=1) == Outcome(path=(), tokens=(7,))
    assert emitted(top_n=1, distance=2) == Outcome(path=(0,), tokens=(5, 2))
    assert emitted(top_n=1, distance=4) == Outcome(path=(0, 2), tokens=(5, 6, 11))


def test_a_least_block_follows_the_first_path():
    assert emitted(top_n=1, minimum_block=2) == Outcome(path=(0,), tokens=(5, 2))
    assert emitted(top_n=1, minimum_block=9) == Outcome(path=(0, 2), tokens=(5, 6, 11))


def test_the_drawn_token_comes_before_all_others():
    verdict = given(TREE, result=PassResult(top_ids=TOP), draws={ROOT: 5, 0: 6, 2: 1})
    assert Blockwise().accept(verdict) == Agreement().accept(verdict)


def test_the_exact_rule_is_agreement_and_the_others_are_lossy():
    exact = Blockwise(BlockwiseConfig(top_n=1))
    assert exact.lossless
    assert exact.needs == PassNeeds()
    for drafting in (drawn_chain(2), fixed_tree):
        law = emitted_law(exact, target, drafting, tokens=2)
        assert law == plain_law(target, tokens=2)
    near = Blockwise(BlockwiseConfig(top_n=1, distance=1))
    assert not near.lossless
    law = emitted_law(near, target, fixed_tree, tokens=2)
    assert total_variation(law, plain_law(target, tokens=2)) > 0.1
    assert Blockwise().needs == PassNeeds(top_k=2)
    assert not Blockwise().lossless


def test_more_than_the_device_sorts_is_refused():
    with pytest.raises(TercelError, match="needs the 5 highest logits, but the device gives 4"):
        emitted(top_n=5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"top_n": 0}, "top_n must be 1 or more, not 0"),
        ({"distance": -1}, "distance must be 0 or more, not -1"),
        ({"minimum_block": 0}, "minimum_block must be 1 or more, not 0"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(TercelError, match=message):
        BlockwiseConfig(**options)
