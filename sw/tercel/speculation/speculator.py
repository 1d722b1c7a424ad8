"""The round of speculative decoding: propose, verify, accept."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from time import perf_counter

from tercel.device import Device, PassInterruptedError
from tercel.device.pass_arguments import checked_nodes
from tercel.errors import TercelError
from tercel.sampling import Sampler
from tercel.speculation.acceptor import Acceptor, Verdict
from tercel.speculation.acceptors.agreement import Agreement
from tercel.speculation.controller import Controller, DraftPlan, FixedSize
from tercel.speculation.draft_tree import PROBE, DraftTree
from tercel.speculation.drafter import DraftBudget, Drafter, DraftState
from tercel.speculation.round import Round

__all__ = ["Speculator"]


class Speculator:
    """Drafters, the rule that judges their drafts, and the choice among them.

    Without arguments it decodes plainly.

    Parameters
    ----------
    drafters
        The controller chooses one of them for each round.
    acceptor
        By default agreement with the draws of plain decoding.
    controller
        By default one that never drafts.
    clock
        Seconds of the host, by default measured; a model of a slower host may be given.
    """

    def __init__(
        self,
        drafters: Sequence[Drafter] = (),
        acceptor: Acceptor | None = None,
        controller: Controller | None = None,
        clock: Callable[[], float] = perf_counter,
    ):
        self._drafters = tuple(drafters)
        self._acceptor = Agreement() if acceptor is None else acceptor
        self._controller = FixedSize(0) if controller is None else controller
        self._clock = clock
        self._state = self._acceptor.first_state
        if self._acceptor.needs_predictions and not any(
            drafter.gives_predictions for drafter in self._drafters
        ):
            raise TercelError(
                "the acceptor chooses between the model and an expert that drafts, but there is "
                "none; take `--spec expert --draft-model MODEL`"
            )
        self._broken: dict[int, str] = {}
        """By drafter that failed to learn, its error; it drafts no more in this text."""
        self._latest: Round | None = None
        self._seen_by: int | None = None
        """The drafter that the latest round was shown to."""
        self._needs = self._acceptor.needs
        for drafter in self._drafters:
            self._needs |= drafter.needs

    def reset(self) -> None:
        """Forget the text; a new one begins."""
        self._broken = {}
        self._latest = self._seen_by = None
        self._state = self._acceptor.first_state
        for drafter in self._drafters:
            drafter.reset()

    def interrupt(self) -> None:
        """Ask a running draft to end soon; may be called from a signal handler."""
        for drafter in self._drafters:
            drafter.interrupt()

    def run(
        self,
        device: Device,
        state: DraftState,
        waiting: Sequence[int],
        sampler: Sampler,
        most: DraftBudget,
    ) -> Round:
        """Draft, verify and accept; the caller commits.

        Parameters
        ----------
        device
        state
            The text; its last token is the root.
        waiting
            The last tokens of the text that the cache has not yet, the root included.
        sampler
        most
            The largest draft that fits into the pass.
        """
        clock = self._clock
        started = clock()
        room = most.nodes > 0 and most.depth > 0
        plan = self._controller.plan(most) if room else None
        if plan is None and self._acceptor.needs_predictions:
            plan = DraftPlan(drafter=0, budget=DraftBudget(nodes=0, depth=0))
        tree, declined = DraftTree(), None
        if plan is not None:
            tree, declined = self._propose(device, state, plan)
            spent = clock() - started
            if len(tree) and not (tree.proposals and self._acceptor.reads_proposals):
                tree = self._controller.prune(tree, plan, waiting=len(waiting), spent=spent)
        drafted = clock()
        root = len(waiting) - 1
        nodes = range(root, len(waiting) + len(tree))
        ask = self._needs.extend(sampler.ask(tuple(nodes)), nodes, device.limits)
        result = device.run_pass(
            [*waiting, *(None if token == PROBE else token for token in tree.tokens)],
            embedding_rows={root + 1 + node: row for node, row in tree.rows.items()} or None,
            parents=[*range(-1, root), *(root + 1 + parent for parent in tree.parents)],
            ask=ask,
        )
        verified = clock()
        verdict = Verdict(
            tree=tree,
            result=result,
            root=root,
            position=state.position,
            sampler=sampler,
            text=state.tokens,
            state=self._state,
        )
        outcome = self._acceptor.accept(verdict)
        outcome.check(tree)
        return Round(
            root_token=state.tokens[-1],
            verdict=verdict,
            outcome=outcome,
            draft_seconds=drafted - started,
            verify_seconds=verified - drafted if result.seconds is None else result.seconds,
            accept_seconds=clock() - verified,
            drafter=None if plan is None else plan.drafter,
            declined=declined,
        )

    def _propose(
        self, device: Device, state: DraftState, plan: DraftPlan
    ) -> tuple[DraftTree, str | None]:
        """A valid tree, and the error for which it is empty.

        A draft never decides about the text, so a fault of a drafter must not end it.
        """
        latest = self._latest
        new = plan.drafter != self._seen_by
        if new and latest is not None and latest.end == state.position:
            self._show(plan.drafter, latest)
        if plan.drafter in self._broken:
            return DraftTree(), self._broken[plan.drafter]
        try:
            tree = self._drafters[plan.drafter].propose(state, plan.budget)
            _check(tree, plan.budget, device)
        except PassInterruptedError:
            raise
        except Exception as error:
            return DraftTree(), _description(error)
        return tree, None

    def observe(self, round: Round) -> float:
        """Show a kept round to its drafter and the controller; return the seconds it took.

        The other drafters see it if one of them drafts next: rounds without them cost them nothing.
        """
        started = self._clock()
        if round.outcome.states:
            self._state = round.outcome.states[-1]
        self._latest, self._seen_by = round, None
        if round.drafter is not None:
            self._show(round.drafter, round)
            observed = self._clock() - started
            round = replace(round, draft_seconds=round.draft_seconds + observed)
        self._controller.observe(round)
        return self._clock() - started

    def _show(self, index: int, round: Round) -> None:
        """Let a drafter observe the latest round."""
        self._seen_by = index
        if index not in self._broken:
            try:
                self._drafters[index].observe(round)
            except Exception as error:
                self._broken[index] = _description(error)


def _description(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _check(tree: DraftTree, budget: DraftBudget, device: Device) -> None:
    """Check a tree against the budget and the rules of passes.

    Raises
    ------
    TercelError
        If it breaks a rule.
    """
    if len(tree) > budget.nodes:
        raise TercelError(f"a draft has at most {budget.nodes} nodes, not {len(tree)}")
    if len(tree) and max(tree.depths) > budget.depth:
        raise TercelError(f"a draft's paths have at most {budget.depth} nodes")
    tokens = [None if token == PROBE else token for token in tree.tokens]
    checked_nodes(tokens, tree.rows, device.config)
