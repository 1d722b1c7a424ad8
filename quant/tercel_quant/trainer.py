"""The training loop: updates, loss log, checkpoints, resumption."""

import json
import math
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from tercel.errors import TercelError
from tercel_quant.checkpoint import load_checkpoint, save_checkpoint, save_weights, write_whole
from tercel_quant.data import TokenFile
from tercel_quant.model import Transformer
from tercel_quant.optimiser import Optimisers
from tercel_quant.progress import Progress
from tercel_quant.training_config import TrainingConfig

__all__ = ["Trainer", "next_token_loss"]

Objective = Callable[[Transformer, Tensor], Tensor]
"""Maps (model, int64 windows of shape (batch, length + 1)) to a scalar loss."""


def next_token_loss(model: Transformer, windows: Tensor) -> Tensor:
    """Mean cross-entropy in nats of every token but the first."""
    logits = model(windows[:, :-1])
    return functional.cross_entropy(logits.flatten(0, 1).float(), windows[:, 1:].flatten())


class Trainer:
    """One run in one folder, which continues where its last checkpoint left it.

    Batches are a pure function of (seed, step) and the checkpoint holds weights and optimiser
    state, so an interrupted run ends with the weights of an uninterrupted one.

    Parameters
    ----------
    model : Transformer
        Trained in place.
    config : TrainingConfig
    data : TokenFile
    folder : Path
        Gets ``checkpoint.pt``, ``log.jsonl`` and, at the end, ``weights.safetensors``.
    objective : callable
        Loss of a batch.
    progress : bool
        Show a progress bar on the terminal.

    Raises
    ------
    TercelError
        If a window is longer than the model's context.
    """

    def __init__(
        self,
        *,
        model: Transformer,
        config: TrainingConfig,
        data: TokenFile,
        folder: Path,
        objective: Objective = next_token_loss,
        progress: bool = True,
    ):
        longest = max(config.length, config.long_length or 0)
        if longest > model.config.context:
            raise TercelError(
                f"windows of {longest} tokens exceed the model's context of "
                f"{model.config.context}; make length smaller"
            )
        self.model, self.config, self.data = model, config, data
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.optimisers = Optimisers(model, config)
        self.step = 0
        """Updates done."""
        self._objective = torch.compile(objective, dynamic=False) if config.compile else objective
        self._progress = progress
        self._stop = False

    @property
    def checkpoint(self) -> Path:
        """Path of the checkpoint from which the run continues."""
        return self.folder / "checkpoint.pt"

    def branch_from(self, checkpoint: Path) -> None:
        """Take weights, optimiser state and step from another run, the trunk."""
        self._restore(load_checkpoint(checkpoint))

    def run(self) -> float:
        """Train until ``config.steps``, from the checkpoint if there is one.

        Returns
        -------
        float
            Loss of the last update's batch.

        Raises
        ------
        TercelError
            If the loss is no longer finite, or the checkpoint is from another config.
        KeyboardInterrupt
            After a checkpoint, if the process got SIGINT or SIGTERM.
        """
        if self.checkpoint.exists():
            self._resume()
        lines = self._kept_lines()
        write_whole(self.folder / "log.jsonl", "".join(lines).encode())
        loss = json.loads(lines[-1])["loss"] if lines else math.nan
        with _Signals(self), Progress(self.config.steps, shown=self._progress) as bar:
            with open(self.folder / "log.jsonl", "a", buffering=1) as log:
                loss = self._train(loss, log, bar)
        save_weights(
            self.folder / "weights.safetensors", self.model.config, self.model.state_dict()
        )
        return loss

    def interrupt(self) -> None:
        """Ask the running loop to write a checkpoint and end after the current update."""
        self._stop = True

    def _train(self, loss: float, log, bar: Progress) -> float:
        saved = logged = time.monotonic()
        first = self.step
        while self.step < self.config.steps:
            factor = self.config.schedule.factor(self.step)
            loss = self._update(factor)
            self.step += 1
            now = time.monotonic()
            bar.update(self.step, loss)
            if self.step % self.config.log_every == 0 or self.step == self.config.steps:
                speed = (self.step - first) * self.config.step_tokens / (now - logged)
                log.write(json.dumps(self._record(loss, factor, speed)) + "\n")
                first, logged = self.step, now
                bar.speed(speed)
            if self._stop or now - saved >= self.config.checkpoint_seconds:
                self.save()
                saved = time.monotonic()
            if self._stop:
                raise KeyboardInterrupt
        self.save()
        return loss

    def _update(self, factor: float) -> float:
        batch_size, length = self.config.window(self.step)
        windows = self.data.batch(
            seed=self.config.seed, step=self.step, batch_size=batch_size, length=length
        )
        with torch.autocast("cpu", torch.bfloat16, enabled=self.config.autocast):
            loss = self._objective(self.model, windows)
        value = loss.item()
        if not math.isfinite(value):
            raise TercelError(
                f"the loss is {value} at step {self.step}; resume from {self.checkpoint} with a "
                "lower learning rate"
            )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.gradient_clip)
        self.optimisers.step(factor)
        return value

    def _record(self, loss: float, factor: float, speed: float) -> dict[str, float]:
        return {
            "step": self.step,
            "tokens": self.step * self.config.step_tokens,
            "loss": loss,
            "lr": self.config.learning_rate * factor,
            "tokens_per_second": round(speed, 1),
        }

    def save(self) -> None:
        """Write the checkpoint now."""
        state = {
            "config": self.config.to_dict(),
            "step": self.step,
            "model": self.model.state_dict(),
            "optimisers": self.optimisers.state_dict(),
        }
        save_checkpoint(self.checkpoint, state)

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
        self.model.load_state_dict(state["model"])
        self.optimisers.load_state_dict(state["optimisers"])
        self.step = state["step"]

    def _kept_lines(self) -> list[str]:
        """Lines of the loss log up to the checkpoint; later ones will be written again."""
        path = self.folder / "log.jsonl"
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        whole = [line for line in lines if line.endswith("\n")]
        return [line for line in whole if json.loads(line)["step"] <= self.step]


class _Signals:
    """While entered, SIGINT and SIGTERM ask the trainer to stop in good order."""

    def __init__(self, trainer: Trainer):
        self._trainer = trainer
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, lambda *_: self._trainer.interrupt())

    def __exit__(self, *_) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
