"""A draft from counts of neighbours, without a pass of the model."""

import numpy as np
import numpy.typing as npt

from tercel.errors import TercelError
from tercel_quant.any_subset.decoder import Conditionals, Draft, Draw, Tokens, Weights

__all__ = ["NeighbourDraft"]


class NeighbourDraft(Draft):
    """Drafts a position from its left neighbour, or by frequency if that is unknown.

    Not even its first token is certain to be kept.

    Parameters
    ----------
    singles
        ``[vocab_size]`` counts of tokens.
    pairs
        ``[vocab_size, vocab_size]`` counts of a token (row) and its successor.

    Raises
    ------
    TercelError
        If shapes do not agree or there are no counts.
    """

    passes = 0
    first_is_right = False

    def __init__(self, singles: npt.NDArray, pairs: npt.NDArray):
        if pairs.shape != (len(singles), len(singles)) or not singles.sum() > 0:
            raise TercelError(
                f"{len(singles)} counts, not all 0, need {len(singles)} rows and columns of pairs, "
                f"not {pairs.shape}"
            )
        self._single = singles / singles.sum()
        self._pairs = pairs

    @classmethod
    def of_text(cls, text: npt.NDArray[np.integer], vocab_size: int) -> "NeighbourDraft":
        """Count a text; every token counts once more, so that none is impossible."""
        pairs = np.bincount(text[:-1] * vocab_size + text[1:], minlength=vocab_size**2)
        singles = np.bincount(text, minlength=vocab_size) + 1
        return cls(singles, pairs.reshape(vocab_size, vocab_size))

    def propose(
        self, model: Conditionals, tokens: Tokens, order: Tokens, *, asked: slice, draw: Draw
    ) -> tuple[list[int], list[Weights]]:
        known = {int(position) for position in order[: asked.start]}
        tokens = tokens.copy()
        drawn: list[int] = []
        q: list[Weights] = []
        for position in order[asked]:
            q.append(self._guess(tokens, int(position), known))
            drawn.append(draw(q[-1]))
            tokens[position] = drawn[-1]
            known.add(int(position))
        return drawn, q

    def _guess(self, tokens: Tokens, position: int, known: set[int]) -> Weights:
        if position - 1 in known:
            row = self._pairs[tokens[position - 1]]
            if (total := row.sum()) > 0:
                return row / total
        return self._single
