import os
import signal

import pytest

from tercel_quant.train_drafter import training_run
from tercel_quant.train_drafter.training_run import run_steps


class Counting:
    """A training that counts, and sends a signal to itself in one step."""

    def __init__(self, step=0, interrupted_at=None):
        self.step, self.saved = step, []
        self._interrupted_at = interrupted_at

    def advance(self):
        self.step += 1
        if self.step == self._interrupted_at:
            os.kill(os.getpid(), signal.SIGINT)
        return [1.0, 2.0]

    def save(self):
        self.saved.append(self.step)


def test_a_training_continues_to_its_last_step():
    training = Counting(step=2)
    run_steps(training, 5, progress=False)
    assert training.step == 5
    assert training.saved == [5]


def test_checkpoints_are_written_when_due(monkeypatch):
    monkeypatch.setattr(training_run, "CHECKPOINT_SECONDS", 0.0)
    training = Counting()
    run_steps(training, 3, progress=False)
    assert training.saved == [1, 2, 3, 3]


def test_an_interrupt_ends_the_training_after_a_checkpoint():
    training = Counting(interrupted_at=3)
    with pytest.raises(KeyboardInterrupt):
        run_steps(training, 9, progress=False)
    assert training.saved == [3]
