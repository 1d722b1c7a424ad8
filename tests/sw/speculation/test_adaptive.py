"""Adaptive decoding in simulated time: a device with a cost curve, drafters of known skill."""

import numpy as np
import pytest
from rounds import make_round

from tercel.errors import TercelError
from tercel.speculation import ROOT, Adaptive, CostCurve, DraftBudget, DraftTree

MOST = DraftBudget(nodes=7, depth=7)


class Simulation:
    """Rounds of an adaptive controller, with drafts that are chains.

    Parameters
    ----------
    cost
        Seconds of a pass by its nodes.
    drafters
        For each, the probability of each further token, its own estimate of it, and the seconds
        of a draft.
    """

    def __init__(self, cost, drafters, *, seed=0):
        self.controller = Adaptive(drafters=len(drafters), nodes=7)
        self.cost, self.drafters = cost, drafters
        self.random = np.random.default_rng(seed)
        self.choices, self.sizes = [], []
        self.seconds = self.tokens = 0.0

    def run(self, rounds):
        for _ in range(rounds):
            self._round()
        return self

    def _round(self):
        plan = self.controller.plan(MOST)
        tree, accepted, spent = DraftTree(), 0, 0.0
        if plan is not None:
            skill, estimate, spent = self.drafters[plan.drafter]
            count = plan.budget.nodes
            estimates = tuple(float(estimate) ** (1 + i) for i in range(count))
            tree = DraftTree.chain(tuple(range(count)), estimates)
            tree = self.controller.prune(tree, plan, waiting=1, spent=spent)
            while accepted < len(tree) and self.random.random() < skill:
                accepted += 1
        verify = self.cost(1 + len(tree))
        round = make_round(
            tuple(range(accepted)),
            (*range(accepted), 99),
            tree=tree,
            drafter=None if plan is None else plan.drafter,
            draft_seconds=spent,
            verify_seconds=verify,
            accept_seconds=0.0,
        )
        self.controller.observe(round)
        self.choices.append(round.drafter)
        self.sizes.append(len(tree))
        self.seconds += spent + verify
        self.tokens += 1 + accepted

    @property
    def gain(self):
        """Speed relative to plain decoding."""
        return self.tokens / (self.seconds / self.cost(1))


def flat(nodes):
    return 1.0 + 0.001 * nodes


def steep(nodes):
    return 1.0 + 0.12 * (nodes - 1)


def cliff(nodes):
    return 1.0 if nodes <= 4 else 2.0


def test_a_good_drafter_is_used_in_full_where_verifying_is_free():
    found = Simulation(flat, [(0.8, 0.8, 0.05)]).run(400)
    assert found.choices.count(0) > 380
    assert np.mean(found.sizes[50:]) > 6.5
    ideal = sum(0.8**depth for depth in range(8)) / 1.05
    assert found.gain > 0.9 * ideal


@pytest.mark.parametrize("cost", [flat, steep, cliff])
@pytest.mark.parametrize("draft", [0.01, 0.3, 3.0])
@pytest.mark.parametrize("seed", range(3))
def test_a_useless_drafter_costs_next_to_nothing(cost, draft, seed):
    found = Simulation(cost, [(0.0, 0.8, draft), (0.02, 0.5, draft)], seed=seed).run(1800)
    assert found.choices[-200:].count(None) >= 190
    assert found.gain > 0.98


def test_losses_are_a_small_part_of_any_text():
    """A dear drafter has one round at first, and further ones when that is made up for."""
    simulation = Simulation(flat, [(0.0, 0.8, 3.0)])
    rounds = len(simulation.run(10).choices)
    assert simulation.choices.count(0) == 1
    for _ in range(12):
        simulation.run(50)
        rounds += 50
        lost = simulation.choices.count(0) * 3.0
        assert lost < 3.1 + 0.01 * rounds


def test_the_end_of_a_prompt_is_no_time_of_plain_decoding():
    """Nor are tokens behind a gap: both are passes of several nodes that give one token."""
    controller = Adaptive(drafters=1, nodes=7)
    plans = []
    for nodes in (8, 1, 3, 1, 1):
        plans.append(controller.plan(MOST))
        if plans[-1] is None:
            controller.observe(make_round(root=nodes - 1, verify_seconds=steep(nodes)))
    assert [plan is None for plan in plans] == [True, True, True, True, False]


def test_the_better_of_two_drafters_is_found():
    found = Simulation(flat, [(0.4, 0.4, 0.01), (0.7, 0.7, 0.1)]).run(300)
    assert found.choices[100:].count(1) > 180
    slow = Simulation(flat, [(0.4, 0.4, 0.01), (0.7, 0.7, 3.0)]).run(300)
    assert slow.choices[100:].count(0) > 180


def test_drafts_stop_before_a_cliff_in_the_cost():
    found = Simulation(cliff, [(0.6, 0.6, 0.01)]).run(300)
    assert sum(size > 3 for size in found.sizes[100:]) <= 3  # each size is tried once
    assert found.gain > 0.85 * (1 + 0.6 + 0.36 + 0.216)


def test_estimates_are_calibrated_by_what_was_accepted():
    """Where verifying is dear, a boastful drafter is cut as a modest one is."""
    honest = Simulation(steep, [(0.5, 0.5, 0.0)]).run(600)
    boastful = Simulation(steep, [(0.5, 0.95, 0.0)]).run(600)
    assert abs(np.mean(honest.sizes[200:]) - np.mean(boastful.sizes[200:])) < 2
    assert boastful.gain > 0.9 * honest.gain


def test_a_drafter_that_becomes_good_is_found_again():
    found = Simulation(flat, [(0.0, 0.5, 0.2)]).run(300)
    assert found.choices[-100:].count(0) < 5
    found.drafters[0] = (0.9, 0.9, 0.2)
    found.run(900)
    assert found.choices[-200:].count(0) > 190


def test_of_a_tree_the_likely_nodes_are_kept_with_their_parents():
    controller = Adaptive(drafters=1, nodes=7, curve=CostCurve([1.0, 1.0, 1.0, 3.0, 3.0]))
    for drafter in [None] * 4 + [0] * 4:
        path = () if drafter is None else (0,)
        tree = DraftTree() if drafter is None else DraftTree.chain((9,))
        tokens = tuple(range(1 + len(path)))
        controller.observe(make_round(path, tokens, tree=tree, drafter=drafter))
    plan = controller.plan(MOST)
    assert plan is not None
    tree = DraftTree(
        tokens=(1, 2, 3, 4), parents=(ROOT, 0, ROOT, 2), estimates=(0.5, 0.1, 0.4, 0.3)
    )
    assert controller.prune(tree, plan, waiting=1, spent=0.0).tokens == (1, 3)
    assert controller.prune(tree, plan, waiting=3, spent=0.0).tokens == ()
    unknown = DraftTree(tokens=(1, 2), parents=(ROOT, 0))
    assert controller.prune(unknown, plan, waiting=3, spent=0.0) is unknown


@pytest.mark.parametrize("fields", [{"drafters": 0, "nodes": 7}, {"drafters": 1, "nodes": 0}])
def test_nothing_to_choose_is_refused(fields):
    with pytest.raises(TercelError, match="a controller needs 1 or more drafters and nodes, not"):
        Adaptive(**fields)
