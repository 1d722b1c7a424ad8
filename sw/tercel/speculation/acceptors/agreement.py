"""Acceptance by agreement with the draws of plain decoding."""

from tercel.speculation.acceptor import StepwiseAcceptor, Verdict

__all__ = ["Agreement"]


class Agreement(StepwiseAcceptor):
    """Follows the tokens that plain decoding draws, as long as the tree has them.

    The noise of a draw belongs to its position, so the text equals plain decoding's for every
    draft, seed and filter. One draw per node, never one per path (Daliri et al., arXiv 2408.07978).
    """

    lossless = True
    keeps_text = True

    def step(self, verdict: Verdict, node: int) -> tuple[int | None, int]:
        token = verdict.draw(node)
        return verdict.tree.child(node, token), token
