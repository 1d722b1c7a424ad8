"""Truncation of accepted tokens at borders of the text."""

import abc
from collections.abc import Sequence

from tercel.speculation.acceptor import Acceptor, Outcome, Verdict

__all__ = ["Boundary", "TruncateAt"]


class Boundary(abc.ABC):
    """Places in a text at which a round may end."""

    @abc.abstractmethod
    def kept(self, text: Sequence[int], tokens: Sequence[int]) -> int:
        """Number of ``tokens`` up to the last border in them, or 1 if they have none.

        Parameters
        ----------
        text
            The tokens before.
        tokens
            One token or more.
        """


class TruncateAt(Acceptor):
    """Another rule, whose tokens are cut back to a border (arXiv 2503.14153).

    Over a rule that keeps the text of plain decoding this is lossless: the tokens that are cut are
    drawn again with the same noise. Over any other rule it is lossy, since their own values decide
    that they are drawn anew.
    """

    def __init__(self, boundary: Boundary, inner: Acceptor):
        self._boundary, self._inner = boundary, inner
        self.lossless = self.keeps_text = inner.keeps_text
        self.needs = inner.needs
        self.reads_proposals = inner.reads_proposals
        self.needs_predictions = inner.needs_predictions
        self.first_state = inner.first_state

    def accept(self, verdict: Verdict) -> Outcome:
        outcome = self._inner.accept(verdict)
        if len(outcome.tokens) == 1:
            return outcome
        return outcome.cut(self._boundary.kept(verdict.text, outcome.tokens))
