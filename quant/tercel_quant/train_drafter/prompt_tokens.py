"""Training of prompt tokens: rows that guess the tokens after the next one (arXiv 2405.18628).

Behind the token at position t, prompt token i = 1..m stands at position t + i, and its output
guesses the token at t + i + 1. Each sees the text up to t and the prompt tokens before it. The
model itself is frozen.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tercel.errors import TercelError
from tercel_quant.train_drafter.frozen_model import FrozenModel
from tercel_quant.train_drafter.training_run import text_digest
from tercel_quant.training_state import load_checkpoint, save_checkpoint

__all__ = ["PromptTokenConfig", "PromptTokenTrainer", "guess_streams"]


@dataclass(frozen=True, kw_only=True)
class PromptTokenConfig:
    """Parameters of the training.

    Raises
    ------
    TercelError
        If a field breaks its rule.
    """

    tokens: int = 3
    """Prompt tokens, m."""
    steps: int = 400
    windows: int = 1
    """Windows of text of a step."""
    places: int = 96
    """Positions of a window that have prompt tokens behind them."""
    learning_rate: float = 0.08
    """Rate of Adam, as a fraction of the typical magnitude of an embedding; falls linearly to 0."""
    decay: float = 0.8
    """Weight of a prompt token's loss against the one before."""
    seed: int = 1

    def __post_init__(self):
        for name in ("tokens", "steps", "windows", "places"):
            if (value := getattr(self, name)) < 1:
                raise TercelError(f"{name} must be 1 or more, not {value}")
        if not self.learning_rate > 0:
            raise TercelError(f"learning_rate must be above 0, not {self.learning_rate}")
        if not 0 < self.decay <= 1:
            raise TercelError(f"decay must be above 0 and at most 1, not {self.decay}")


def guess_streams(
    model: FrozenModel, rows: Tensor, windows: Tensor, places: Tensor
) -> tuple[Tensor, Tensor]:
    """Run prompt tokens behind chosen positions of a text.

    Parameters
    ----------
    model : FrozenModel
    rows : Tensor, float32, shape (m, hidden_size)
    windows : Tensor, int64, shape (windows, time)
    places : Tensor, int64, shape (places,)
        Positions, the same in each window.

    Returns
    -------
    Tensor, float32, shape (windows, places, m, hidden_size)
        Residual streams of the prompt tokens.
    Tensor, float32, shape (windows, time, hidden_size)
        Those of the text.
    """
    past = model.read(windows)
    steps = len(rows)
    place, step = places.repeat_interleave(steps), torch.arange(steps).repeat(len(places))
    visible = torch.cat(
        (
            torch.arange(past.time) <= place[:, None],
            (place[:, None] == place) & (step[:, None] >= step),
        ),
        dim=1,
    )
    tiled = rows.repeat(len(places), 1).expand(len(windows), -1, -1)
    stream = model.run(tiled, place + 1 + step, past, visible).stream
    return stream.unflatten(1, (len(places), steps)), past.stream


class PromptTokenTrainer:
    """Trains prompt tokens on a text; resumes from a checkpoint.

    The places of a step are a pure function of (seed, step), so an interrupted training ends with
    the rows of an uninterrupted one.

    Parameters
    ----------
    model : FrozenModel
    config : PromptTokenConfig
    text : Tensor, int64, shape (windows, time)
        Text that the model wrote.
    checkpoint : Path or None

    Members
    -------
    rows : Tensor, float32, shape (m, hidden_size)
        The embedding rows, trained in place; they start as the mean of the text's.
    """

    def __init__(
        self,
        model: FrozenModel,
        config: PromptTokenConfig,
        text: Tensor,
        checkpoint: Path | None = None,
    ):
        if len(text) < config.windows:
            raise TercelError(
                f"a step takes {config.windows} windows of text, but there are {len(text)}"
            )
        if text.shape[1] < config.tokens + 2:
            raise TercelError(
                f"windows need {config.tokens + 2} tokens or more, not {text.shape[1]}"
            )
        self._model, self._config, self._text, self._checkpoint = model, config, text, checkpoint
        embedded = model.embed(text)
        self.rows = embedded.mean((0, 1)).repeat(config.tokens, 1).requires_grad_()
        self._rate = config.learning_rate * float(embedded.square().mean().sqrt())
        self._adam = torch.optim.Adam([self.rows], lr=self._rate, betas=(0.9, 0.95))
        self.step = 0
        if checkpoint is not None and checkpoint.exists():
            self._restore(load_checkpoint(checkpoint))

    def advance(self) -> list[float]:
        """Do one step; return the cross-entropy of each prompt token in nats.

        Raises
        ------
        TercelError
            If a loss is not finite.
        """
        losses = self.losses(*self._batch())
        if not bool(losses.isfinite().all()):
            raise TercelError(
                f"the loss of step {self.step} is not finite; train with a lower learning rate"
            )
        weights = self._config.decay ** torch.arange(self._config.tokens)
        (losses @ weights).backward()
        for group in self._adam.param_groups:
            group["lr"] = self._rate * (1 - self.step / self._config.steps)
        self._adam.step()
        self._adam.zero_grad()
        self.step += 1
        return losses.tolist()

    def losses(self, windows: Tensor, places: Tensor) -> Tensor:
        """Mean cross-entropy ``[m]`` between the model's distributions and the guesses.

        Its gradient is that of the KL divergence.
        """
        guesses, stream = guess_streams(self._model, self.rows, windows, places)
        later = places[:, None] + 1 + torch.arange(self._config.tokens)
        with torch.no_grad():
            target = self._model.logits(stream[:, later]).softmax(-1)
        guessed = self._model.logits(guesses).log_softmax(-1)
        return -(target * guessed).sum(-1).mean((0, 1))

    def save(self) -> None:
        """Write the checkpoint now."""
        if self._checkpoint is not None:
            state = {"config": self._facts(), "step": self.step}
            state |= {"rows": self.rows.detach(), "adam": self._adam.state_dict()}
            save_checkpoint(self._checkpoint, state)

    def _batch(self) -> tuple[Tensor, Tensor]:
        config = self._config
        generator = torch.Generator().manual_seed(config.seed * 1_000_003 + self.step)
        windows = torch.randperm(len(self._text), generator=generator)[: config.windows]
        usable = self._text.shape[1] - config.tokens - 1
        places = torch.randperm(usable, generator=generator)[: config.places].sort().values
        return self._text[windows], places

    def _facts(self) -> dict[str, Any]:
        return asdict(self._config) | {"text": text_digest(self._text)}

    def _restore(self, state: dict[str, Any]) -> None:
        if state["config"] != self._facts():
            raise TercelError(
                f"{self._checkpoint} is from a training with other parameters or another text; use "
                "the same, or delete it to start anew"
            )
        self.step = state["step"]
        with torch.no_grad():
            self.rows.copy_(state["rows"])
        self._adam.load_state_dict(state["adam"])
