"""The training command: options reach the run, errors are one line, runs continue."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models

from tercel.config import PRESETS
from tercel_quant import train
from tercel_quant.loss_log import read_losses
from tercel_quant.training_state import load_weights


@pytest.fixture
def folder(tmp_path):
    tokens = np.random.default_rng(0).integers(96, size=3000).astype("<u2")
    tokens.tofile(tmp_path / "tokens.u16")
    return tmp_path


def command(folder, output, *options):
    return [
        *("--tokens", str(folder / "tokens.u16"), "--output", str(folder / output)),
        *("--model", "tiny", "--batch-size", "4", "--length", "16", "--warmup", "1"),
        *("--log-every", "1", *options),
    ]


def test_two_steps_need_no_warmup_of_their_own(folder):
    options = command(folder, "run", "--steps", "2")
    place = options.index("--warmup")
    assert train.main(options[:place] + options[place + 2 :]) == 0
    assert [record["step"] for record in read_losses(folder / "run" / "log.jsonl")] == [1, 2]


def test_distils_with_a_number_loss_from_a_trained_teacher(folder):
    assert train.main(command(folder, "teacher", "--steps", "3", "--precision", "float")) == 0
    weights = folder / "teacher" / "weights.safetensors"
    vocabulary = {f"t{token}": token for token in range(86)} | {str(n): 86 + n for n in range(10)}
    Tokenizer(models.WordLevel(vocabulary, unk_token="t0")).save(str(folder / "tokenizer.json"))
    options = ["--steps", "2", "--start", str(weights), "--teacher", str(weights)]
    options += ["--number-tokenizer", str(folder / "tokenizer.json")]
    assert train.main(command(folder, "student", *options)) == 0
    assert [record["step"] for record in read_losses(folder / "student" / "log.jsonl")] == [1, 2]
    assert load_weights(folder / "student" / "weights.safetensors").config == PRESETS["tiny"]


@pytest.mark.parametrize("granularity", ["row", "group"])
def test_granularity_is_trained_and_kept(folder, granularity):
    """Also from weights of another, such as those of a full-precision twin."""
    assert train.main(command(folder, "twin", "--steps", "1", "--precision", "float")) == 0
    start = ["--start", str(folder / "twin" / "weights.safetensors")]
    options = ["--steps", "2", "--granularity", granularity]
    assert train.main(command(folder, "run", *options, *start)) == 0
    model = load_weights(folder / "run" / "weights.safetensors")
    assert model.config == replace(PRESETS["tiny"], granularity=granularity)
    assert model.layers[0].get_submodule("q").granularity == granularity


def test_finished_run_stays_as_it_is(folder):
    assert train.main(command(folder, "run", "--steps", "2")) == 0
    before = load_weights(folder / "run" / "weights.safetensors").state_dict()
    assert train.main(command(folder, "run", "--steps", "2")) == 0
    after = load_weights(folder / "run" / "weights.safetensors").state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    assert len(read_losses(folder / "run" / "log.jsonl")) == 2


def test_model_may_be_a_file(folder):
    config = json.loads(PRESETS["tiny"].to_json()) | {"name": "mine", "layers": 1}
    (folder / "mine.json").write_text(json.dumps(config))
    options = ["--steps", "1", "--model", str(folder / "mine.json")]
    assert train.main(command(folder, "run", *options)) == 0
    assert load_weights(folder / "run" / "weights.safetensors").config.name == "mine"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--steps", "1", "--model", "huge"], "error: --model must be one of tiny, small, 0.7b, "),
        (["--steps", "1", "--precision", "int4"], "error: precision must be one of float, ternary"),
        (["--steps", "1", "--teacher", "absent"], "error: there is no weight file absent; "),
    ],
)
def test_errors_are_one_line(folder, capsys, options, message):
    assert train.main(command(folder, "run", *options)) == 2
    errors = capsys.readouterr().err
    assert errors.startswith(message)
    assert errors.count("\n") == 1
