"""The training loop: learning, resumption after kill -9 and Ctrl-C, branching, errors."""

import dataclasses
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from tercel.config import PRESETS
from tercel.errors import TercelError
from tercel_quant.data import TokenFile
from tercel_quant.loss_log import read_losses
from tercel_quant.model import Transformer
from tercel_quant.perplexity import measure_perplexity
from tercel_quant.trainer import Trainer
from tercel_quant.training_config import TrainingConfig
from tercel_quant.training_state import load_checkpoint, load_weights

MODEL = dataclasses.replace(PRESETS["tiny"], layers=1)
CONFIG = TrainingConfig(
    steps=12, warmup=2, decay=4, batch_size=4, length=16, log_every=1, checkpoint_seconds=0
)


@pytest.fixture(scope="module")
def tokens(tmp_path_factory):
    """Text with a rule: each token follows from the one before, with some noise."""
    rng = np.random.default_rng(0)
    steps = rng.choice([5, 7], p=[0.9, 0.1], size=20_000)
    path = tmp_path_factory.mktemp("data") / "tokens.u16"
    (np.cumsum(steps) % MODEL.vocab_size).astype("<u2").tofile(path)
    return TokenFile(path, vocab_size=MODEL.vocab_size)


def make(tokens, folder, config=CONFIG):
    model = Transformer(MODEL, precision=config.precision)
    model.initialise(seed=0)
    return Trainer(model=model, config=config, data=tokens, folder=folder, progress=False)


def losses(folder):
    return [(record["step"], record["loss"]) for record in read_losses(folder / "log.jsonl")]


def run_until(trainer, step):
    """Run a trainer and interrupt it once it has done ``step`` updates."""
    save = trainer.save

    def save_and_interrupt():
        save()
        if trainer.step == step:
            os.kill(os.getpid(), signal.SIGINT)

    trainer.save = save_and_interrupt
    with pytest.raises(KeyboardInterrupt):
        trainer.run()


@pytest.mark.parametrize("precision", ["float", "ternary"])
def test_learns_a_rule(tokens, tmp_path, precision):
    config = dataclasses.replace(CONFIG, steps=150, precision=precision, checkpoint_seconds=60)
    trainer = make(tokens, tmp_path, config)
    trainer.run()
    model = load_weights(tmp_path / "weights.safetensors", precision=precision)
    assert measure_perplexity(model, tokens.sequential(length=16, limit=50)).perplexity < 2.5


@pytest.mark.parametrize("optimiser", ["muon", "adamw"])
def test_same_seed_gives_the_same_run(tokens, tmp_path, optimiser):
    config = dataclasses.replace(CONFIG, optimiser=optimiser)
    for name in ("first", "second"):
        make(tokens, tmp_path / name, config).run()
    assert losses(tmp_path / "first") == losses(tmp_path / "second")
    first, second = (
        load_weights(tmp_path / name / "weights.safetensors").state_dict()
        for name in ("first", "second")
    )
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("optimiser", ["muon", "adamw"])
def test_interrupted_run_ends_as_an_uninterrupted_one(tokens, tmp_path, optimiser):
    config = dataclasses.replace(
        CONFIG, optimiser=optimiser, length=8, long_length=16, long_steps=4
    )
    make(tokens, tmp_path / "whole", config).run()
    run_until(make(tokens, tmp_path / "parts", config), 5)
    assert losses(tmp_path / "parts")[-1][0] == 6
    run_until(make(tokens, tmp_path / "parts", config), 9)
    make(tokens, tmp_path / "parts", config).run()
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")
    whole, parts = (
        load_checkpoint(tmp_path / name / "checkpoint.pt")["model"] for name in ("whole", "parts")
    )
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_killed_run_gives_the_same_loss_curve(tokens, tmp_path):
    config = dataclasses.replace(CONFIG, steps=60, checkpoint_seconds=0.2)
    arguments = [
        *("--tokens", str(tokens.path), "--output", str(tmp_path / "killed")),
        *("--model", str(tmp_path / "model.json")),
    ]
    (tmp_path / "model.json").write_text(MODEL.to_json())
    for field in dataclasses.fields(config):
        value, option = getattr(config, field.name), field.name.replace("_", "-")
        if isinstance(value, bool):
            arguments.append(f"--{option}" if value else f"--no-{option}")
        elif value is not None:
            arguments += [f"--{option}", str(value)]
    command = [sys.executable, "-m", "tercel_quant.train", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    log = tmp_path / "killed" / "log.jsonl"
    checkpoint = tmp_path / "killed" / "checkpoint.pt"
    deadline = time.monotonic() + 60
    while not checkpoint.exists() or len(read_losses(log)) < 10:
        assert time.monotonic() < deadline, "the run wrote no checkpoint in 60 s"
        assert process.poll() is None, "the run ended too early"
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert 0 < load_checkpoint(checkpoint)["step"] < config.steps
    make(tokens, tmp_path / "killed", config).run()
    make(tokens, tmp_path / "whole", config).run()
    assert losses(tmp_path / "killed") == losses(tmp_path / "whole")


def test_branches_continue_the_trunk(tokens, tmp_path):
    trunk = dataclasses.replace(CONFIG, precision="float", steps=6, decay=0)
    make(tokens, tmp_path / "trunk", trunk).run()
    for precision in ("float", "ternary"):
        branch = make(
            tokens, tmp_path / precision, dataclasses.replace(CONFIG, precision=precision)
        )
        branch.branch_from(tmp_path / "trunk" / "checkpoint.pt")
        branch.run()
    whole = make(tokens, tmp_path / "whole", dataclasses.replace(CONFIG, precision="float"))
    whole.run()
    curve = losses(tmp_path / "whole")
    assert losses(tmp_path / "trunk") == curve[:6]
    assert losses(tmp_path / "float") == curve[6:]
    assert [step for step, _ in losses(tmp_path / "ternary")] == list(range(7, 13))


def test_a_loss_that_is_not_finite_stops_the_run(tokens, tmp_path):
    trainer = make(tokens, tmp_path)
    with torch.no_grad():
        trainer.model.norm.weight[0] = torch.nan
    with pytest.raises(TercelError, match=r"the loss is nan at step 0; resume from .* lower learn"):
        trainer.run()
    assert not trainer.checkpoint.exists()


def test_refuses_to_resume_with_another_config(tokens, tmp_path):
    make(tokens, tmp_path).run()
    with pytest.raises(TercelError, match="is from a run with another warmup, seed; use"):
        make(tokens, tmp_path, dataclasses.replace(CONFIG, seed=1, warmup=3)).run()


def test_refuses_windows_beyond_the_context(tokens, tmp_path):
    with pytest.raises(TercelError, match="windows of 128 tokens exceed the model's context of 64"):
        make(tokens, tmp_path, dataclasses.replace(CONFIG, length=128))
