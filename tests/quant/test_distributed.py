"""Two CPU processes under torchrun train as one does."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from tercel.errors import TercelError
from tercel_quant import train
from tercel_quant.distributed import World
from tercel_quant.loss_log import read_losses
from tercel_quant.training_state import load_weights

OPTIONS = {
    "model": "tiny",
    "precision": "float",
    "optimiser": "adamw",
    "batch-size": "4",
    "length": "16",
    "warmup": "2",
    "log-every": "1",
    "checkpoint-seconds": "0",
}


def arguments(folder, output, **options):
    merged = {**OPTIONS, **{name.replace("_", "-"): value for name, value in options.items()}}
    pairs = [part for name, value in merged.items() for part in (f"--{name}", value)]
    return [
        *("--tokens", str(folder / "tokens.u16"), "--output", str(folder / output)),
        *pairs,
        "--no-autocast",
    ]


def torchrun(*parts):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", "-m", "tercel_quant.train", *parts]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def folder(tmp_path):
    tokens = np.random.default_rng(0).integers(96, size=3000).astype("<u2")
    tokens.tofile(tmp_path / "tokens.u16")
    return tmp_path


def test_two_processes_give_the_curve_and_weights_of_one(folder):
    assert train.main(arguments(folder, "one", steps="6")) == 0
    torchrun(*arguments(folder, "two", steps="6"))
    one, two = (read_losses(folder / name / "log.jsonl") for name in ("one", "two"))
    assert len(one) == len(two) == 6
    for first, second in zip(one, two, strict=True):
        assert second["loss"] == pytest.approx(first["loss"], rel=1e-5)
    one, two = (
        load_weights(folder / name / "weights.safetensors").state_dict() for name in ("one", "two")
    )
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, rtol=1e-3, atol=1e-4)


def test_one_process_reads_the_checkpoint_of_two(folder):
    quantised = {"precision": "ternary", "optimiser": "muon"}
    torchrun(*arguments(folder, "two", steps="2", **quantised))
    (folder / "one").mkdir()
    checkpoint = (folder / "two" / "checkpoint.pt").read_bytes()
    (folder / "one" / "checkpoint.pt").write_bytes(checkpoint)
    assert train.main(arguments(folder, "one", steps="2", **quantised)) == 0
    one, two = (
        load_weights(folder / name / "weights.safetensors").state_dict() for name in ("one", "two")
    )
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_a_batch_must_be_shared_evenly():
    world = World()
    world.size = 3
    with pytest.raises(TercelError, match="a multiple of the 3 processes, not 4 windows"):
        world.share(torch.zeros(4, 8))


def test_a_world_of_one_agrees_with_itself():
    assert World().agree(torch.tensor(2.5), True, False) == (2.5, [True, False])
