"""The round of speculative decoding: propose, verify, accept."""

from collections.abc import Sequence
from time import perf_counter

from tercel.device import Device, PassInterruptedError
from tercel.device.interface import check_token_ids
from tercel.errors import TercelError
from tercel.sampling import Sampler
from tercel.speculation.acceptor import Acceptor, Agreement, Verdict
from tercel.speculation.controller import Controller, FixedSize
from tercel.speculation.draft_tree import PROBE, DraftTree
from tercel.speculation.drafter import DraftBudget, Drafter, DraftState, NoDrafter
from tercel.speculation.round import Round

__all__ = ["Speculator"]


class Speculator:
    """A drafter, the rule that judges its drafts, and the choice of their size.

    Without arguments it decodes plainly.
    """

    def __init__(
        self,
        drafter: Drafter | None = None,
        acceptor: Acceptor | None = None,
        controller: Controller | None = None,
    ):
        self._drafter = NoDrafter() if drafter is None else drafter
        self._acceptor = Agreement() if acceptor is None else acceptor
        self._controller = FixedSize(0) if controller is None else controller
        self._needs = self._drafter.needs | self._acceptor.needs

    def reset(self) -> None:
        """Forget the text; a new one begins."""
        self._drafter.reset()

    def interrupt(self) -> None:
        """Ask a running draft to end soon; may be called from a signal handler."""
        self._drafter.interrupt()

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
        started = perf_counter()
        tree, declined = self._propose(device, state, most)
        drafted = perf_counter()
        root = len(waiting) - 1
        nodes = range(root, len(waiting) + len(tree))
        ask = self._needs.extend(sampler.ask(tuple(nodes)), nodes, device.limits)
        result = device.run_pass(
            [*waiting, *(0 if token == PROBE else token for token in tree.tokens)],
            parents=[*range(-1, root), *(root + 1 + parent for parent in tree.parents)],
            ask=ask,
        )
        verified = perf_counter()
        verdict = Verdict(
            tree=tree, result=result, root=root, position=state.position, sampler=sampler
        )
        outcome = self._acceptor.accept(verdict)
        return Round(
            verdict=verdict,
            outcome=outcome,
            draft_seconds=drafted - started,
            verify_seconds=verified - drafted if result.seconds is None else result.seconds,
            accept_seconds=perf_counter() - verified,
            declined=declined,
        )

    def observe(self, round: Round) -> float:
        """Show a kept round to drafter and controller; return the seconds that they took."""
        started = perf_counter()
        self._controller.observe(round)
        self._drafter.observe(round)
        return perf_counter() - started

    def _propose(
        self, device: Device, state: DraftState, most: DraftBudget
    ) -> tuple[DraftTree, str | None]:
        """A valid tree, and the error for which it is empty.

        Any exception of a drafter ends in a plain round: the text does not depend on drafts, so a
        fault in one must not end it.
        """
        budget = self._controller.budget(state, most)
        if budget.nodes <= 0 or budget.depth <= 0:
            return DraftTree(), None
        try:
            tree = self._drafter.propose(state, budget)
            _check(tree, budget, device)
            return self._controller.prune(tree, state), None
        except PassInterruptedError:
            raise
        except Exception as error:
            return DraftTree(), f"{type(error).__name__}: {error}"


def _check(tree: DraftTree, budget: DraftBudget, device: Device) -> None:
    """Check a tree against the budget and the vocabulary.

    Raises
    ------
    TercelError
        If it breaks a rule.
    """
    if len(tree) > budget.nodes:
        raise TercelError(f"a draft has at most {budget.nodes} nodes, not {len(tree)}")
    if len(tree) and max(tree.depths) > budget.depth:
        raise TercelError(f"a draft's paths have at most {budget.depth} nodes")
    check_token_ids([token for token in tree.tokens if token != PROBE], device.config)
