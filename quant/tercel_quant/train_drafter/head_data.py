"""Batches of hidden states, tokens and distributions, and the trimmed vocabulary of a text."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tercel.config import ModelConfig
from tercel.errors import TercelError
from tercel_quant.train_drafter.own_text import TextPart
from tercel_quant.train_drafter.training_run import text_digest

__all__ = ["Batch", "HeadData", "TrimmedVocabulary", "normalise"]

EPSILON = 1e-6
FIRST = 8
"""First position of a sequence from which a draft is learned; the ones before have little text."""
WEIGHT = 2.0
"""Positions for which the general frequency of tokens counts in a token's candidates."""


def normalise(hidden: Tensor) -> Tensor:
    """Hidden states divided by their root mean square, float32, shape kept: the heads' input."""
    x = hidden.float()
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + EPSILON)


@dataclass(frozen=True, kw_only=True, eq=False)
class TrimmedVocabulary:
    """The most frequent tokens of a text (VocabTrim), and those that follow each token."""

    ids: Tensor
    """int64 ``[rows]``, rising."""
    row_of: Tensor
    """int64 ``[vocabulary]``, the row of each token, -1 without one."""
    candidates: Tensor
    """int64 ``[vocabulary, n]`` rows, likeliest first."""
    covered: float
    """Share of the text's tokens that have a row."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """Positions from which a draft of ``levels`` tokens is learned."""

    hidden: Tensor
    """float32 ``[size, hidden_size]``, normalised, from which the root was drawn."""
    tokens: Tensor
    """int64 ``[size, levels]``, the root and the tokens after it."""
    rows: Tensor
    """int64 ``[size, levels, top]``, rows of the model's likeliest tokens after each of
    :attr:`tokens`, best first; -1 for tokens without a row."""
    logs: Tensor
    """float32 ``[size, levels, top]``, their log-probabilities."""
    following: Tensor
    """float32 ``[size, levels, hidden_size]``, normalised hidden states of :attr:`tokens`."""


class HeadData:
    """The parts of a model's own text in memory.

    Parameters
    ----------
    parts
        Files of :func:`~tercel_quant.train_drafter.own_text.write_own_text`.
    config
        The model's.
    rows
        Tokens of the trimmed vocabulary.
    candidates
        Rows that a head reads after each token.
    levels
        Tokens of a draft.
    held_out
        Share of the sequences, the last ones, that are kept for calibration.
    prompt
        Tokens of a sequence that the model did not write.

    Raises
    ------
    TercelError
        If a size is out of range.
    """

    def __init__(
        self,
        parts: Sequence[Path],
        config: ModelConfig,
        *,
        rows: int,
        candidates: int,
        levels: int,
        prompt: int,
        held_out: float = 0.05,
    ):
        loaded = [TextPart.load(path) for path in parts]
        self._tokens = torch.cat([part.tokens for part in loaded])
        self._hidden = torch.cat([part.hidden for part in loaded])
        self._top_ids = torch.cat([part.top_ids for part in loaded])
        self._top_logs = torch.cat([part.top_logs for part in loaded])
        self.levels = levels
        sequences, time = self._tokens.shape
        self._last = time - levels - 1
        """Last position from which a draft can be learned."""
        self._held_out = max(1, round(held_out * sequences))
        if not 1 <= candidates <= rows <= config.vocab_size:
            raise TercelError(
                f"a head has 1 to {config.vocab_size} rows and reads 1 to all of them, "
                f"not {rows} and {candidates}"
            )
        if self._last < FIRST or self._held_out >= sequences:
            raise TercelError("the text is too short to learn a draft; make it longer")
        self.vocabulary = self._trim(config.vocab_size, rows, candidates, prompt)

    @property
    def positions(self) -> int:
        """Positions to train on."""
        return (len(self._tokens) - self._held_out) * (self._last + 1 - FIRST)

    @property
    def text_digest(self) -> str:
        """Digest of the whole text."""
        return text_digest(self._tokens)

    def batch(self, *, seed: int, step: int, size: int) -> Batch:
        """Positions drawn at random: a pure function of the arguments and the text."""
        generator = np.random.Generator(np.random.PCG64([seed, step]))
        sequences = generator.integers(0, len(self._tokens) - self._held_out, size)
        times = generator.integers(FIRST, self._last + 1, size)
        return self._gather(torch.from_numpy(sequences), torch.from_numpy(times))

    def held_out(self, size: int) -> Batch:
        """About ``size`` positions that no batch has, spread evenly."""
        count = len(self._tokens)
        sequences = torch.arange(count - self._held_out, count)
        each = max(1, min(size // self._held_out, self._last + 1 - FIRST))
        times = torch.linspace(FIRST, self._last, each).long()
        return self._gather(sequences.repeat_interleave(each), times.repeat(self._held_out))

    def _gather(self, sequences: Tensor, times: Tensor) -> Batch:
        each = times[:, None] + 1 + torch.arange(self.levels)
        rows = sequences[:, None]
        return Batch(
            hidden=normalise(self._hidden[sequences, times]),
            tokens=self._tokens[rows, each],
            rows=self.vocabulary.row_of[self._top_ids[rows, each]],
            logs=self._top_logs[rows, each].float(),
            following=normalise(self._hidden[rows, each]),
        )

    def _trim(self, vocab_size: int, rows: int, candidates: int, prompt: int) -> TrimmedVocabulary:
        """Rows by frequency in what the model wrote, candidates by its own distributions."""
        counts = torch.bincount(self._tokens[:, prompt:].flatten(), minlength=vocab_size)
        ids = counts.argsort(descending=True, stable=True)[:rows].sort().values
        row_of = torch.full((vocab_size,), -1)
        row_of[ids] = torch.arange(rows)
        frequencies = counts[ids] / counts.sum()
        scores = (WEIGHT * frequencies).repeat(vocab_size, 1)
        for tokens, top_ids, logs in zip(self._tokens, self._top_ids, self._top_logs, strict=True):
            found = row_of[top_ids]
            places = (tokens[:, None] * rows + found)[found >= 0]
            scores.view(-1).index_add_(0, places, logs.float().exp()[found >= 0])
        best = scores.topk(candidates, dim=1, sorted=True).indices
        return TrimmedVocabulary(
            ids=ids, row_of=row_of, candidates=best, covered=float(frequencies.sum())
        )
