import pytest
from rounds import make_round

from tercel.device import PassInterruptedError
from tercel.sampling import SamplingConfig
from tercel.speculation import ROOT, DraftBudget, Drafter, DraftState, DraftTree, PassNeeds
from tercel.speculation.drafters.suffix import SuffixDrafter
from tercel.speculation.drafters.token_recycling import TokenRecycling
from tercel.speculation.drafters.union import Union


class Fixed(Drafter):
    def __init__(self, tree=None, needs=None):
        self.tree, self.rounds, self.calls = tree, [], []
        if needs is not None:
            self.needs = needs

    def propose(self, state, budget):
        if isinstance(self.tree, BaseException):
            raise self.tree
        return self.tree

    def observe(self, round):
        self.rounds.append(round)

    def reset(self):
        self.calls.append("reset")

    def interrupt(self):
        self.calls.append("interrupt")


def propose(drafter, *, nodes=9, depth=9):
    state = DraftState(tokens=[1], position=0, sampling=SamplingConfig())
    return drafter.propose(state, DraftBudget(nodes=nodes, depth=depth))


FIRST = DraftTree(tokens=(5, 6, 7), parents=(ROOT, 0, ROOT), estimates=(0.72, 0.5, 0.1))
SECOND = DraftTree(tokens=(5, 8, 9), parents=(ROOT, 0, ROOT), estimates=(0.3, 0.2, 0.2))


def test_trees_are_merged_by_their_paths():
    tree = propose(Union([Fixed(FIRST), Fixed(SECOND)]))
    assert (tree.tokens, tree.parents) == ((5, 6, 8, 9, 7), (ROOT, 0, 0, ROOT, ROOT))
    # middles of the ranges of 1/16: 0.72 is in the twelfth, 0.2 in the fourth
    assert tree.estimates[0] == 11.5 / 16
    assert tree.estimates[3] == 3.5 / 16
    # 8 is as likely as in the second tree alone: its parent is less likely there
    assert tree.estimates[2] == pytest.approx(4.5 / 16 * 10.5 / 16)


@pytest.mark.parametrize(("nodes", "depth"), [(1, 1), (2, 1), (2, 9), (4, 2)])
def test_budgets_are_kept(nodes, depth):
    tree = propose(Union([Fixed(FIRST), Fixed(SECOND)]), nodes=nodes, depth=depth)
    assert len(tree) == nodes
    assert max(tree.depths) <= depth
    assert tree.tokens[0] == 5


def test_what_was_accepted_of_a_part_decides():
    parts = Fixed(DraftTree.chain((5,), (0.9,))), Fixed(DraftTree.chain((6,), (0.2,)))
    union = Union(parts)
    assert propose(union, nodes=1).tokens == (5,)
    for _ in range(60):  # the second part is always right, though it was not verified
        propose(union, nodes=1)
        union.observe(make_round(tokens=(6,)))
    assert propose(union).tokens == (6, 5)
    assert propose(union).estimates[1] < 0.2
    assert len(parts[0].rounds) == len(parts[1].rounds) == 60


def test_only_nodes_with_right_parents_and_known_tokens_are_counted():
    chain = DraftTree.chain((5, 6, 7), (0.95, 0.95 * 0.55, 0.95 * 0.55 * 0.05))
    for tokens, changed in (((4,), {15}), ((5,), {15}), ((5, 6), {15, 8}), ((5, 6, 9), {15, 8, 0})):
        union = Union([Fixed(chain)])
        propose(union)
        union.observe(make_round(tokens=tokens))
        rates = union._rates[0]
        assert {i for i in range(16) if rates[i] != (i + 0.5) / 16} == changed


def test_the_fault_of_a_part_is_its_own():
    broken, late = Fixed(KeyError("a fault")), Fixed(FIRST)
    late.observe = None  # calling it fails
    union = Union([broken, late])
    assert propose(union).tokens == (5, 6, 7)
    union.observe(make_round())
    assert union.failures == (1, 1)
    interrupted = Union([Fixed(PassInterruptedError())])
    with pytest.raises(PassInterruptedError):
        propose(interrupted)


def test_needs_are_combined_and_calls_reach_every_part():
    parts = [Fixed(needs=PassNeeds(top_k=3)), Fixed(needs=PassNeeds(hidden=True)), Fixed()]
    union = Union(parts)
    assert union.needs == PassNeeds(top_k=3, hidden=True)
    union.reset()
    union.interrupt()
    assert all(part.calls == ["reset", "interrupt"] for part in parts)


def test_drafts_without_estimates_and_with_probes_are_merged():
    row = object()
    tree = DraftTree(tokens=(-1, 5, -1), parents=(ROOT, ROOT, 1), rows={0: row, 2: row})
    union = Union([Fixed(tree), Fixed(DraftTree())])
    assert propose(union).tokens == (5,)
    assert propose(Union([])).tokens == ()
    union.observe(make_round(tokens=(5,)))


def test_a_round_of_another_drafter_is_observed():
    union = Union([SuffixDrafter(), TokenRecycling()])
    union.observe(make_round(tokens=(3, 4)))
    assert union.needs == PassNeeds(top_k=8)
