"""The training loop: updates, loss log, checkpoints, resumption."""

import contextlib
import math
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tercel.errors import TercelError
from tercel.files import make_folder
from tercel_quant.data import TokenFile
from tercel_quant.distributed import World
from tercel_quant.interruption import Interruption
from tercel_quant.loss_log import LossLog
from tercel_quant.model import Transformer
from tercel_quant.objective import Objective
from tercel_quant.optimiser import Optimisers
from tercel_quant.progress import Progress
from tercel_quant.training_config import TrainingConfig
from tercel_quant.training_state import (
    RESULTS,
    WEIGHTS,
    load_checkpoint,
    save_checkpoint,
    save_weights,
)

__all__ = ["FILES", "Trainer"]

CHECKPOINT, LOG = "checkpoint.pt", "log.jsonl"
FILES = (CHECKPOINT, LOG, *RESULTS)
"""Names of the files that a run writes to its folder."""


class Trainer:
    """One run in one folder, which resumes from its last checkpoint.

    Batches are a pure function of (seed, step) and the checkpoint has weights and optimiser state,
    so an interrupted run ends with the weights of an uninterrupted one.

    Parameters
    ----------
    model : Transformer
        The model, trained in place.
    config : TrainingConfig
    data : TokenFile
    folder : Path
        Folder for ``checkpoint.pt``, ``log.jsonl`` and, at the end, ``weights.safetensors`` with
        ``config.json``.
    objective : Objective
        Loss of a batch; cross-entropy by default.
    world : World or None
        The processes that train together; ``None`` is this process alone.
    progress : bool
        Show a progress bar on the terminal.

    Raises
    ------
    TercelError
        If a window is longer than the model's context, or the teacher does not fit.
    """

    def __init__(
        self,
        *,
        model: Transformer,
        config: TrainingConfig,
        data: TokenFile,
        folder: Path,
        objective: Objective | None = None,
        world: World | None = None,
        progress: bool = True,
    ):
        longest = max(config.length, config.long_length or 0)
        if longest > model.config.context:
            raise TercelError(
                f"windows of {longest} tokens exceed the model's context of "
                f"{model.config.context}; make length smaller"
            )
        objective = objective or Objective()
        if objective.distillation is not None:
            objective.distillation.check(model)
        self.model, self.config, self.data = model, config, data
        self.folder = Path(folder)
        make_folder(self.folder)
        self.world = world or World()
        self.world.place(model)
        objective.to(self.world.device)
        self.optimisers = Optimisers(model, config)
        self.step = 0
        """Number of updates done."""
        compiled = config.compile
        self._loss = torch.compile(objective.loss, dynamic=False) if compiled else objective.loss
        self._progress = progress and self.world.leads

    @property
    def checkpoint(self) -> Path:
        """Path of the checkpoint from which the run resumes."""
        return self.folder / CHECKPOINT

    @property
    def log(self) -> Path:
        """Path of the loss curve; see :func:`tercel_quant.loss_log.read_losses`."""
        return self.folder / LOG

    def branch_from(self, checkpoint: Path) -> None:
        """Load weights, optimiser state and step of another run, the trunk."""
        self._restore(load_checkpoint(checkpoint))

    def run(self) -> None:
        """Train until ``config.steps``, from the checkpoint if there is one.

        Raises
        ------
        TercelError
            If the loss is not finite, or the checkpoint belongs to another config.
        KeyboardInterrupt
            If a process received SIGINT or SIGTERM, after a checkpoint.
        """
        if self.checkpoint.exists():
            self._resume()
        with contextlib.ExitStack() as stack:
            asked = stack.enter_context(Interruption())
            bar = stack.enter_context(Progress(self.config.steps, shown=self._progress))
            log = None
            if self.world.leads:
                log = stack.enter_context(LossLog(self.log, step=self.step))
            self._train(asked, bar, log)
        state = self.world.state(self.model, self.optimisers.parts)
        if self.world.leads:
            path = self.folder / WEIGHTS
            save_weights(path, self.model.config, state["model"], precision=self.config.precision)

    def _train(self, interruption: Interruption, bar: Progress, log: LossLog | None) -> None:
        saved = logged = time.monotonic()
        first = self.step
        while self.step < self.config.steps:
            factor = self.config.schedule.factor(self.step)
            due = time.monotonic() - saved >= self.config.checkpoint_seconds
            loss, (stop, due) = self.world.agree(self._backward(), interruption.asked, due)
            if not math.isfinite(loss):
                raise TercelError(
                    f"the loss is {loss} at step {self.step}; resume from {self.checkpoint} with "
                    "a lower learning rate"
                )
            self.optimisers.step(factor)
            self.step += 1
            bar.update(self.step, loss)
            if log and (self.step % self.config.log_every == 0 or self.step == self.config.steps):
                now = time.monotonic()
                speed = (self.step - first) * self.config.step_tokens / (now - logged)
                first, logged = self.step, now
                bar.speed(speed)
                log.write(
                    step=self.step,
                    tokens=self.step * self.config.step_tokens,
                    loss=loss,
                    lr=self.config.learning_rate * factor,
                    tokens_per_second=round(speed, 1),
                )
            if stop or due:
                self.save()
                saved = time.monotonic()
            if stop:
                raise KeyboardInterrupt
        self.save()

    def _backward(self) -> Tensor:
        """Compute and clip the gradients of the next batch; return this process's loss."""
        batch_size, length = self.config.window(self.step)
        windows = self.data.batch(
            seed=self.config.seed, step=self.step, batch_size=batch_size, length=length
        )
        device = self.world.device.type
        with torch.autocast(device, torch.bfloat16, enabled=self.config.autocast):
            loss = self._loss(self.model, self.world.share(windows))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.gradient_clip)
        return loss

    def save(self) -> None:
        """Write the checkpoint now; with several processes, all must call it."""
        state = self.world.state(self.model, self.optimisers.parts)
        if self.world.leads:
            plain = {"config": self.config.to_dict(), "step": self.step}
            save_checkpoint(self.checkpoint, plain | state)

    def _resume(self) -> None:
        state = load_checkpoint(self.checkpoint)
        before, now = state["config"], self.config.to_dict()
        free = ("compile", "checkpoint_seconds", "log_every")
        if changed := [name for name in now if name not in free and before.get(name) != now[name]]:
            raise TercelError(
                f"{self.checkpoint} is from a run with another {', '.join(changed)}; "
                "use the same values, or another folder"
            )
        self._restore(state)

    def _restore(self, state: dict[str, Any]) -> None:
        self.world.restore(self.model, self.optimisers.parts, state)
        self.step = state["step"]
