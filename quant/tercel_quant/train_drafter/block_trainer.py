"""Training of the one-step diffusion drafter on a model's own text.

Stage I learns to continue truncated text, all masks alike. Stage II weights the masks near the text
exponentially more: a draft is worth nothing behind its first error.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tercel.errors import TercelError
from tercel_quant.train_drafter.block_model import BlockModel
from tercel_quant.train_drafter.training_run import text_digest
from tercel_quant.training_state import load_checkpoint, save_checkpoint

__all__ = ["BlockTrainer", "BlockTrainingConfig"]


@dataclass(frozen=True, kw_only=True)
class BlockTrainingConfig:
    """Parameters of the training.

    Raises
    ------
    TercelError
        If a field breaks its rule.
    """

    continuation_steps: int = 400
    """Steps of stage I."""
    refinement_steps: int = 200
    """Steps of stage II."""
    decay: float = 0.6
    """Weight of a mask against the one before, in stage II."""
    batch: int = 64
    """Windows of a step."""
    learning_rate: float = 1e-3
    """Peak rate of AdamW; rises over a twentieth of the steps, then falls linearly to 0."""
    seed: int = 1

    def __post_init__(self):
        if self.continuation_steps < 0 or self.refinement_steps < 0 or self.steps < 1:
            raise TercelError("the stages have 0 or more steps, at least one of them 1 or more")
        if not 0 < self.decay <= 1:
            raise TercelError(f"decay must be above 0 and at most 1, not {self.decay}")
        if self.batch < 1:
            raise TercelError(f"batch must be 1 or more, not {self.batch}")
        if not self.learning_rate > 0:
            raise TercelError(f"learning_rate must be above 0, not {self.learning_rate}")

    @property
    def steps(self) -> int:
        return self.continuation_steps + self.refinement_steps


class BlockTrainer:
    """Trains a drafter; resumes from a checkpoint.

    The windows of a step are a pure function of (seed, step).

    Parameters
    ----------
    model : BlockModel
        Trained in place.
    config : BlockTrainingConfig
    tokens : Tensor, int64, shape (sequences, time)
        Text that the target wrote.
    top_ids : Tensor, int64, shape (sequences, time, top)
        After each position, indices of the target's likeliest tokens among those that can be
        drafted; -1 for others.
    top_logs : Tensor, float, shape (sequences, time, top)
        Their log-probabilities.
    checkpoint : Path or None

    Raises
    ------
    TercelError
        If the sequences are shorter than a window, or the checkpoint has other parameters.
    """

    def __init__(
        self,
        model: BlockModel,
        config: BlockTrainingConfig,
        *,
        tokens: Tensor,
        top_ids: Tensor,
        top_logs: Tensor,
        checkpoint: Path | None = None,
    ):
        window = model.config.context + model.config.masks
        if tokens.shape[1] < window:
            raise TercelError(f"sequences need {window} tokens or more, not {tokens.shape[1]}")
        self._model, self._config, self._checkpoint = model, config, checkpoint
        self._tokens, self._ids, self._logs = tokens, top_ids, top_logs
        self._adam = torch.optim.AdamW(
            model.parameters(), lr=config.learning_rate, betas=(0.9, 0.98), weight_decay=0.01
        )
        self.step = 0
        if checkpoint is not None and checkpoint.exists():
            self._restore(load_checkpoint(checkpoint))

    def advance(self) -> list[float]:
        """Do one step; return the cross-entropy of each mask in nats.

        Raises
        ------
        TercelError
            If a loss is not finite.
        """
        config, masks = self._config, self._model.config.masks
        losses = self.losses(*self._batch())
        if not bool(losses.isfinite().all()):
            raise TercelError(
                f"the loss of step {self.step} is not finite; train with a lower learning rate"
            )
        refining = self.step >= config.continuation_steps
        weights = (config.decay if refining else 1.0) ** torch.arange(masks)
        ((losses @ weights) / weights.sum()).backward()
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        warm = max(1, config.steps // 20)
        factor = min((self.step + 1) / warm, 1 - self.step / config.steps)
        for group in self._adam.param_groups:
            group["lr"] = config.learning_rate * factor
        self._adam.step()
        self._adam.zero_grad()
        self.step += 1
        return losses.tolist()

    def losses(self, rows: Tensor, ends: Tensor) -> Tensor:
        """Mean cross-entropy ``[masks]`` between the target's distributions and the fillings.

        The target's distribution at a mask is that after the text's own tokens before it. Tokens
        that cannot be drafted are left out.
        """
        shape = self._model.config
        context = ends[:, None] + torch.arange(1 - shape.context, 1)
        filled = self._model(self._tokens[rows[:, None], context]).log_softmax(-1)
        before = rows[:, None], ends[:, None] + torch.arange(shape.masks)
        ids, weights = self._ids[before], self._logs[before].float().exp()
        chosen = filled.gather(-1, ids.clamp_min(0))
        return -torch.where(ids >= 0, weights * chosen, 0).sum(-1).mean(0)

    def save(self) -> None:
        """Write the checkpoint now."""
        if self._checkpoint is not None:
            save_checkpoint(
                self._checkpoint,
                {
                    "config": self._facts(),
                    "step": self.step,
                    "model": self._model.state_dict(),
                    "adam": self._adam.state_dict(),
                },
            )

    def _batch(self) -> tuple[Tensor, Tensor]:
        """Sequences and positions of the last tokens of the contexts."""
        generator = torch.Generator().manual_seed(self._config.seed * 1_000_003 + self.step)
        shape, size = self._model.config, (self._config.batch,)
        rows = torch.randint(len(self._tokens), size, generator=generator)
        last = self._tokens.shape[1] - shape.masks
        ends = torch.randint(shape.context - 1, last + 1, size, generator=generator)
        return rows, ends

    def _facts(self) -> dict[str, Any]:
        facts = asdict(self._config) | asdict(self._model.config)
        return facts | {"text": text_digest(self._tokens)}

    def _restore(self, state: dict[str, Any]) -> None:
        if state["config"] != self._facts():
            raise TercelError(
                f"{self._checkpoint} is from a training with other parameters or another text; use "
                "the same, or delete it to start anew"
            )
        self.step = state["step"]
        self._model.load_state_dict(state["model"])
        self._adam.load_state_dict(state["adam"])
