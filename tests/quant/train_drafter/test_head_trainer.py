"""Training of heads: the loss falls, and an interrupted run ends as an uninterrupted one."""

import os
import signal
from dataclasses import replace

import pytest
import torch

from tercel.errors import TercelError
from tercel_quant.train_drafter.head_trainer import HeadTrainer, HeadTraining
from tercel_quant.train_drafter.hydra import Hydra

CONFIG = HeadTraining(steps=30, batch_size=32, warmup=3)


@pytest.fixture
def make(image, data, tmp_path):
    def make(config=CONFIG, name="a.pt", width=16, seed=0):
        torch.manual_seed(seed)
        model = Hydra(image, data, width=width, inner=(16, 8))
        path = tmp_path / name
        return model, HeadTrainer(model, data, config, checkpoint=path, progress=False)

    return make


def test_the_loss_on_held_out_text_falls(make, data):
    model, trainer = make()
    held = data.held_out(200)
    model.start(data.batch(seed=0, step=0, size=1000))
    before = model.losses(held).mean().item()
    trainer.run()
    assert model.losses(held).mean().item() < before - 0.1


def test_an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one(make, monkeypatch):
    whole, trainer = make(name="whole.pt")
    trainer.run()
    _, trainer = make(name="cut.pt")
    update = trainer._update

    def interrupted():
        if trainer._step == 11:
            os.kill(os.getpid(), signal.SIGINT)
        return update()

    monkeypatch.setattr(trainer, "_update", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trainer.run()
    resumed, trainer = make(name="cut.pt", seed=5)
    trainer.run()
    for name, value in resumed.state_dict().items():
        assert torch.equal(value, whole.state_dict()[name]), name


def test_a_finished_run_does_nothing_more(make):
    first, trainer = make()
    trainer.run()
    again, trainer = make(seed=5)
    trainer.run()
    assert torch.equal(again.output, first.output)


@pytest.mark.parametrize(
    ("change", "name"),
    [({"config": replace(CONFIG, seed=4)}, "seed"), ({"width": 8}, "shapes")],
)
def test_a_checkpoint_of_another_training_is_refused(make, change, name):
    _, trainer = make()
    trainer.run()
    _, trainer = make(**change)
    with pytest.raises(TercelError, match=f"another {name}"):
        trainer.run()


def test_a_checkpoint_of_another_text_is_refused(make, data, monkeypatch):
    _, trainer = make()
    trainer.run()
    monkeypatch.setattr(data, "_tokens", data._tokens.flip(1))
    _, trainer = make()
    with pytest.raises(TercelError, match="another text"):
        trainer.run()


def test_a_loss_that_is_not_finite_ends_the_run(make):
    model, trainer = make()
    with torch.no_grad():
        model.output.fill_(float("nan"))
    with pytest.raises(TercelError, match="at step 0"):
        trainer.run()


@pytest.mark.parametrize(
    "changes",
    [{"steps": 0}, {"batch_size": 0}, {"warmup": 0}, {"learning_rate": 0.0}, {"decay": 2}],
)
def test_a_config_checks_itself(changes):
    with pytest.raises(TercelError, match=next(iter(changes))):
        replace(CONFIG, **changes)


def test_the_rate_warms_up_and_falls_to_0():
    factors = [CONFIG.factor(step) for step in range(30)]
    assert factors[:3] == pytest.approx([1 / 3, 2 / 3 * 29 / 30, 28 / 30])
    assert factors[-1] == pytest.approx(1 / 30)
