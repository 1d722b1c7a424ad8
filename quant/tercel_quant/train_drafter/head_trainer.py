"""Training of heads on a model's own text, resumable after each checkpoint."""

import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn

from tercel.errors import TercelError
from tercel.files import make_folder
from tercel_quant.interruption import Interruption
from tercel_quant.progress import Progress
from tercel_quant.train_drafter.head_data import HeadData
from tercel_quant.train_drafter.head_model import HeadModel
from tercel_quant.training_state import load_checkpoint, save_checkpoint

__all__ = ["HeadTrainer", "HeadTraining"]

START_BATCH = 20_000
"""Positions of the start in closed form."""
OUTPUT_RATE = 0.3
"""Learning rate of the output rows over that of the rest: they start from the model's head."""


@dataclass(frozen=True, kw_only=True)
class HeadTraining:
    """Parameters of a training.

    Raises
    ------
    TercelError
        If a field breaks its rule.
    """

    steps: int = 2500
    batch_size: int = 384
    learning_rate: float = 3e-3
    """The highest of AdamW, after a warm-up; it then falls linearly to 0."""
    warmup: int = 40
    decay: float = 0.8
    """Weight of each level's loss over that of the level before."""
    gradient_clip: float = 1.0
    seed: int = 0
    checkpoint_seconds: float = 60.0

    def __post_init__(self):
        for name in ("steps", "batch_size", "warmup"):
            if getattr(self, name) < 1:
                raise TercelError(f"{name} must be 1 or more, not {getattr(self, name)}")
        for name in ("learning_rate", "decay"):
            if not 0 < getattr(self, name) <= 1:
                raise TercelError(
                    f"{name} must be above 0 and at most 1, not {getattr(self, name)}"
                )

    def factor(self, step: int) -> float:
        """Learning rate of an update over the highest."""
        return min(1.0, (step + 1) / self.warmup) * (1 - step / self.steps)


class HeadTrainer:
    """One training, which resumes from its checkpoint.

    Batches are a pure function of (seed, step), so an interrupted run ends with the weights of an
    uninterrupted one.

    Parameters
    ----------
    model
    data
    config
    checkpoint
        File of the checkpoint.
    progress
        Show a progress bar.
    """

    def __init__(
        self,
        model: HeadModel,
        data: HeadData,
        config: HeadTraining,
        *,
        checkpoint: Path,
        progress: bool = True,
    ):
        self._model, self._data, self._config = model, data, config
        self._checkpoint = checkpoint
        self._progress = progress
        make_folder(checkpoint.parent)
        rest = [value for name, value in model.named_parameters() if name != "output"]
        self._optimiser = torch.optim.AdamW(
            [{"params": rest, "scale": 1.0}, {"params": [model.output], "scale": OUTPUT_RATE}],
            lr=config.learning_rate,
            betas=(0.9, 0.98),
            weight_decay=0.01,
        )
        weights = config.decay ** torch.arange(data.levels)
        self._level_weights = weights / weights.sum()
        self._step = 0

    def run(self) -> None:
        """Train to the end, from the checkpoint if there is one.

        Raises
        ------
        TercelError
            If the checkpoint is of another training, or the loss is not finite.
        KeyboardInterrupt
            After SIGINT or SIGTERM, once the checkpoint is written.
        """
        if self._checkpoint.exists():
            self._resume()
        else:
            self._model.start(
                self._data.batch(seed=self._config.seed, step=self._config.steps, size=START_BATCH)
            )
        saved = time.monotonic()
        with Interruption() as asked, Progress(self._config.steps, shown=self._progress) as bar:
            while self._step < self._config.steps:
                bar.update(self._step + 1, self._update())
                due = time.monotonic() - saved >= self._config.checkpoint_seconds
                if asked.asked or due:
                    self._save()
                    saved = time.monotonic()
                if asked.asked:
                    raise KeyboardInterrupt
        self._save()

    def _update(self) -> float:
        config, model = self._config, self._model
        batch = self._data.batch(seed=config.seed, step=self._step, size=config.batch_size)
        loss = (model.losses(batch) * self._level_weights).sum()
        if not math.isfinite(loss.item()):
            raise TercelError(
                f"the loss is {loss.item()} at step {self._step}; use a lower learning rate"
            )
        self._optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), config.gradient_clip)
        for group in self._optimiser.param_groups:
            group["lr"] = config.learning_rate * group["scale"] * config.factor(self._step)
        self._optimiser.step()
        self._step += 1
        return loss.item()

    def _facts(self) -> dict[str, object]:
        facts = asdict(self._config)
        del facts["checkpoint_seconds"]
        facts["kind"] = type(self._model).__name__
        facts["positions"] = self._data.positions
        facts["text"] = self._data.text_digest
        facts["shapes"] = {
            name: list(value.shape) for name, value in self._model.named_parameters()
        }
        return facts

    def _save(self) -> None:
        state = {
            "facts": self._facts(),
            "step": self._step,
            "model": self._model.state_dict(),
            "optimiser": self._optimiser.state_dict(),
        }
        save_checkpoint(self._checkpoint, state)

    def _resume(self) -> None:
        state = load_checkpoint(self._checkpoint)
        facts = self._facts()
        before = state.get("facts", {})
        if changed := [name for name in facts if before.get(name) != facts[name]]:
            raise TercelError(
                f"{self._checkpoint} is from a training with another {', '.join(changed)}; "
                "use the same values, or delete it"
            )
        self._model.load_state_dict(state["model"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._step = state["step"]
