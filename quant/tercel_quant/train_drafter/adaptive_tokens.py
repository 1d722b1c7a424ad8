"""Tuning of a model for SDSAT: adaptive tokens that guess what follows (arXiv 2403.18647).

The last K ids of the vocabulary are the adaptive tokens. A window of text is cut behind a random
position t, and the adaptive tokens follow: the i-th one, i = 1..K, stands at t + i and learns the
token at t + i + 1. The whole model is tuned, on its ordinary loss too; decoding is lossless with
respect to the tuned model.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from tercel.errors import TercelError
from tercel_quant.model import Transformer

__all__ = ["AdaptiveTokenConfig", "AdaptiveTokenTrainer"]


@dataclass(frozen=True, kw_only=True)
class AdaptiveTokenConfig:
    """Parameters of the tuning.

    Raises
    ------
    TercelError
        If a field breaks its rule.
    """

    tokens: int = 3
    """Adaptive tokens, K."""
    steps: int = 400
    batch: int = 16
    """Windows of a step."""
    learning_rate: float = 2e-3
    """Rate of AdamW; falls linearly to 0."""
    decay: float = 0.8
    """Weight of an adaptive token's loss against the one before."""
    seed: int = 1

    def __post_init__(self):
        for name in ("tokens", "steps", "batch"):
            if (value := getattr(self, name)) < 1:
                raise TercelError(f"{name} must be 1 or more, not {value}")
        if not self.learning_rate > 0:
            raise TercelError(f"learning_rate must be above 0, not {self.learning_rate}")
        if not 0 < self.decay <= 1:
            raise TercelError(f"decay must be above 0 and at most 1, not {self.decay}")


class AdaptiveTokenTrainer:
    """Tunes a model in place.

    The batches of a step are a pure function of (seed, step).

    Parameters
    ----------
    model : Transformer
    config : AdaptiveTokenConfig
    text : Tensor, int64, shape (tokens,)
        Without adaptive tokens.
    length : int
        Tokens of a window.

    Raises
    ------
    TercelError
        If the text is too short or has adaptive tokens, or a window exceeds the context.
    """

    def __init__(
        self, model: Transformer, config: AdaptiveTokenConfig, text: Tensor, *, length: int
    ):
        first = model.config.vocab_size - config.tokens
        if int(text.max()) >= first:
            raise TercelError(f"the ids from {first} on are adaptive tokens, but the text has them")
        if not config.tokens + 3 <= length <= min(len(text), model.config.context):
            raise TercelError(
                f"windows have {config.tokens + 3} to {min(len(text), model.config.context)} "
                f"tokens, not {length}"
            )
        self._model, self._config, self._text, self._length = model, config, text, length
        self._adaptive = torch.arange(first, first + config.tokens)
        self._adam = torch.optim.AdamW(
            model.parameters(), lr=config.learning_rate, betas=(0.9, 0.95), weight_decay=0.0
        )
        self.step = 0

    @property
    def rows(self) -> Tensor:
        """Embedding rows of the adaptive tokens, float32, shape (K, hidden_size)."""
        return self._model.embedding.weight.detach()[self._adaptive]

    def advance(self) -> list[float]:
        """Do one step; return the loss of the text, then of each adaptive token, in nats.

        Raises
        ------
        TercelError
            If a loss is not finite.
        """
        config = self._config
        ordinary, guesses = self.losses(*self._batch())
        weights = config.decay ** torch.arange(config.tokens)
        loss = ordinary + (guesses @ weights) / weights.sum()
        if not bool(loss.isfinite()):
            raise TercelError(
                f"the loss of step {self.step} is not finite; tune with a lower learning rate"
            )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        for group in self._adam.param_groups:
            group["lr"] = config.learning_rate * (1 - self.step / config.steps)
        self._adam.step()
        self._adam.zero_grad()
        self.step += 1
        return [ordinary.item(), *guesses.tolist()]

    def losses(self, windows: Tensor, place: int) -> tuple[Tensor, Tensor]:
        """Cross-entropies of windows that are cut behind a place.

        Parameters
        ----------
        windows : Tensor, int64, shape (windows, length)
        place : int

        Returns
        -------
        Tensor, scalar
            Of the text up to the place.
        Tensor, shape (K,)
            Of each adaptive token.
        """
        count = len(self._adaptive)
        kept = windows[:, : place + 1]
        logits = self._model(torch.cat((kept, self._adaptive.expand(len(windows), -1)), dim=1))
        ordinary = functional.cross_entropy(
            logits[:, : place + 1].flatten(0, 1), windows[:, 1 : place + 2].flatten()
        )
        guessed = functional.cross_entropy(
            logits[:, place + 1 :].flatten(0, 1),
            windows[:, place + 2 : place + 2 + count].flatten(),
            reduction="none",
        )
        return ordinary, guessed.view(-1, count).mean(0)

    def _batch(self) -> tuple[Tensor, int]:
        config, length = self._config, self._length
        generator = torch.Generator().manual_seed(config.seed * 1_000_003 + self.step)
        starts = torch.randint(len(self._text) - length + 1, (config.batch,), generator=generator)
        place = int(torch.randint(length - config.tokens - 1, (), generator=generator))
        return self._text[starts[:, None] + torch.arange(length)], place
