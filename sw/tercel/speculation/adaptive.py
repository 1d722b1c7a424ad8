"""A controller that minimises the time of an emitted token."""

import numpy as np
import numpy.typing as npt

from tercel.errors import TercelError
from tercel.speculation.controller import Controller, DraftPlan
from tercel.speculation.cost_curve import CostCurve
from tercel.speculation.draft_tree import ROOT, DraftTree
from tercel.speculation.drafter import DraftBudget
from tercel.speculation.round import Round

__all__ = ["Adaptive"]

TRIAL = 4
"""Rounds that every drafter gets before the best one is taken; the first one is not pruned."""
MEMORY = 32
"""Rounds that a running mean remembers."""
BONUS = 2.0
"""Tokens that a drafter is granted over all its rounds."""
MARGIN = 1.02
"""Gain in time that another choice must promise: measured times are noisy."""
PLAIN_TRIAL = 2
"""Rounds that plain decoding gets: it always gives one token, so its time alone is measured."""
FIRST_PROBE, LAST_PROBE = 16, 256
"""Rounds until a worse drafter is tried again: doubled each time, up to the last, which is that of
plain decoding."""
PROBE_NODES = 3
"""Most nodes of a draft that is tried again."""
LOSS = 0.008
"""Part of all time that each drafter may lose to plain decoding before it must wait."""
SPARE = 2
"""Nodes that a draft may have beyond those that were worth verifying lately."""


class _Choice:
    """Running means of one drafter, or of plain decoding."""

    def __init__(self, *, trial: int, first_probe: int, bonus: float):
        self.trial = trial
        self.first_probe = first_probe
        self._bonus = bonus
        self.rounds = 0
        self.interval = first_probe
        self.due = 0
        """Round from which a worse choice is tried again."""
        self.size = 0.0
        """Verified nodes of a draft."""
        self.lost = 0.0
        """Seconds that plain decoding would have saved, at most since it last saved none."""
        self._seen = 0
        self._drafts = 0
        self._seconds = self._tokens = 0.0
        self._expected = np.zeros(0)
        """By depth, decayed sums of estimates, and of accepted nodes."""
        self._accepted = np.zeros(0)

    def observe(self, round: Round) -> None:
        """Add a round."""
        self.rounds += 1
        self._seen += 1
        weight = 1 / min(self.rounds, MEMORY)
        seconds = _seconds(round)
        self._seconds += weight * (seconds - self._seconds)
        self._tokens += weight * (len(round.tokens) - self._tokens)
        tree = round.verdict.tree
        if len(tree):
            self._drafts += 1
            self.size += (len(tree) - self.size) / min(self._drafts, MEMORY)
        if tree.estimates:
            self._calibrate(tree, len(round.outcome.path))

    def _calibrate(self, tree: DraftTree, accepted: int) -> None:
        depths = tree.depths
        grow = max(0, max(depths) - len(self._expected))
        keep = 1 - 1 / MEMORY
        self._expected = np.append(self._expected * keep, np.zeros(grow))
        self._accepted = np.append(self._accepted * keep, np.zeros(grow))
        np.add.at(self._expected, np.array(depths) - 1, tree.estimates)
        self._accepted[:accepted] += 1

    def forget(self) -> None:
        """Let the next rounds count more than those long ago."""
        self.rounds = min(self.rounds, TRIAL + 1)
        self._expected, self._accepted = self._expected / TRIAL, self._accepted / TRIAL

    @property
    def pace(self) -> float:
        """Seconds a token, flattering a choice that had few rounds: bad luck at first must not
        end it. A useless drafter costs some two rounds more by that, cheap or dear."""
        return self._seconds / (self._tokens + self._bonus / self._seen)

    def probabilities(self, tree: DraftTree) -> npt.NDArray[np.float64]:
        """Probability that each node is accepted: its estimate, corrected by what was accepted at
        its depth, or at smaller depths where little is known."""
        factors, factor = [], 1.0
        for expected, accepted in zip(self._expected, self._accepted, strict=True):
            factor = (accepted + factor) / (expected + 1)
            factors.append(factor)
        found: list[float] = []
        for estimate, depth, parent in zip(tree.estimates, tree.depths, tree.parents, strict=True):
            corrected = estimate * (factors[depth - 1] if depth <= len(factors) else factor)
            found.append(min(corrected, 1.0 if parent == ROOT else found[parent]))
        return np.array(found)


class Adaptive(Controller):
    """Chooses between plain decoding and several drafters by their measured time a token.

    Every choice has a few rounds at first. Then the fastest one runs, and the others are tried
    again ever more rarely. Of a draft with estimates those nodes are verified that make the
    expected tokens a second of the round highest; without estimates all are.

    Parameters
    ----------
    drafters
        Number of the speculator's drafters.
    nodes
        Most nodes of a draft.
    curve
        The time of a pass by its nodes, as far as it is known; learned from every round.

    Raises
    ------
    TercelError
        If a number is below 1.
    """

    def __init__(self, *, drafters: int, nodes: int, curve: CostCurve | None = None):
        if drafters < 1 or nodes < 1:
            raise TercelError(
                f"a controller needs 1 or more drafters and nodes, not {drafters} and {nodes}"
            )
        self._nodes = nodes
        self._curve = CostCurve() if curve is None else curve
        self._choices = [
            _Choice(trial=TRIAL, first_probe=FIRST_PROBE, bonus=BONUS) for _ in range(drafters)
        ]
        self._plain = _Choice(trial=PLAIN_TRIAL, first_probe=LAST_PROBE, bonus=0.0)
        self._round = 0
        self._elapsed = 0.0
        """Seconds of all rounds."""

    def plan(self, most: DraftBudget) -> DraftPlan | None:
        choice, probe = self._choose()
        if choice is self._plain:
            return None
        nodes = PROBE_NODES if probe else int(np.ceil(choice.size)) + SPARE
        if choice.rounds < TRIAL:
            nodes = self._nodes
        return DraftPlan(
            drafter=self._choices.index(choice),
            budget=DraftBudget(nodes=min(nodes, self._nodes, most.nodes), depth=most.depth),
            probe=probe,
        )

    def prune(self, tree: DraftTree, plan: DraftPlan, *, waiting: int, spent: float) -> DraftTree:
        if plan.probe or not tree.estimates or not self._curve:
            return tree
        probabilities = self._choices[plan.drafter].probabilities(tree)
        order = np.argsort(-probabilities, kind="stable")
        tokens = 1 + np.concatenate([[0], np.cumsum(probabilities[order])])
        seconds = [spent + self._curve.seconds(waiting + nodes) for nodes in range(len(tree) + 1)]
        worth = int(np.argmax(tokens / seconds))
        return tree if worth == len(tree) else tree.select(sorted(order[:worth].tolist()))

    def observe(self, round: Round) -> None:
        self._round += 1
        self._curve.observe(round.nodes, round.verify_seconds)
        if round.drafter is None and round.nodes > 1:
            return  # the end of a prompt, or tokens behind a gap: no pass of plain decoding
        choice = self._plain if round.drafter is None else self._choices[round.drafter]
        choice.observe(round)
        self._elapsed += _seconds(round)
        if choice is not self._plain and self._plain.rounds:
            saved = _seconds(round) - len(round.tokens) * self._plain.pace
            choice.lost = max(0.0, choice.lost + saved)
        if choice.rounds <= choice.trial:
            choice.due = self._round + choice.interval

    def _choose(self) -> tuple[_Choice, bool]:
        """The next choice; true if it is tried, not known to be the best."""
        everyone = [self._plain, *self._choices]
        for choice in everyone:
            if choice.rounds == 0 or (choice.rounds < choice.trial and self._may_lose(choice)):
                return choice, choice.rounds == 0
        best = min(everyone, key=lambda choice: choice.pace)
        if self._plain.pace <= MARGIN * best.pace:
            best = self._plain
        best.interval = best.first_probe
        best.due = self._round + best.interval
        for choice in everyone:
            if choice.due <= self._round and self._may_lose(choice):
                choice.interval = min(2 * choice.interval, LAST_PROBE)
                choice.due = self._round + choice.interval
                choice.forget()
                return choice, True
        return best, False

    def _may_lose(self, choice: _Choice) -> bool:
        """True if trying a choice leaves its losses small, or it still promises a gain."""
        if choice.lost <= LOSS * self._elapsed:
            return True
        return choice.rounds < choice.trial and choice.pace <= self._plain.pace


def _seconds(round: Round) -> float:
    return round.draft_seconds + round.verify_seconds + round.accept_seconds
