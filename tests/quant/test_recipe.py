"""The shipped model's recipe, on a tiny model."""

import json
import math

import numpy as np
import pytest

from tercel.config import PRESETS, ModelConfig
from tercel_quant import recipe
from tercel_quant.data import TokenFile
from tercel_quant.loss_log import read_losses
from tercel_quant.perplexity import measure_perplexity
from tercel_quant.training_state import load_weights

OPTIONS = [
    *("--model", "tiny", "--trunk-steps", "20", "--steps", "30", "--decay", "5"),
    *("--long-steps", "2", "--long-length", "32", "--length", "16", "--batch-size", "4"),
    *("--warmup", "4", "--threads", "1", "--no-compile"),
]


@pytest.fixture
def folders(tmp_path):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    rng = np.random.default_rng(0)
    for name, size in (("train", 20_000), ("val", 2000)):
        tokens = np.cumsum(rng.choice([5, 7], size=size)) % 96
        tokens.astype("<u2").tofile(corpus / f"{name}.u16")
    (corpus / "val.txt").write_text("abc" * 2000)
    return ["--corpus", str(corpus), "--output", str(tmp_path / "out")]


def test_all_stages(folders, tmp_path):
    assert recipe.main([*folders, *OPTIONS]) == 0
    output = tmp_path / "out"
    assert ModelConfig.from_json((output / "config.json").read_text()) == PRESETS["tiny"]
    result = json.loads((output / "result.json").read_text())
    for precision in ("ternary", "float"):
        assert read_losses(output / precision / "log.jsonl")[-1]["step"] == 30
        found = result[precision]
        assert found["tokens"] == 1984
        assert found["training_tokens"] == 30 * 64
        assert found["loss"] < 4.5
        assert found["perplexity"] == pytest.approx(math.exp(found["loss"]))
        assert found["bits_per_byte"] == pytest.approx(found["loss"] / math.log(2) / 3)
        model = load_weights(output / f"{precision}.safetensors", precision=precision)
        windows = TokenFile(tmp_path / "corpus" / "val.u16", vocab_size=96)
        loss = measure_perplexity(model, windows.sequential(length=64)).loss
        assert loss == pytest.approx(found["loss"])


def test_a_folder_that_cannot_be_written_is_told_at_once(folders, tmp_path, capsys):
    (tmp_path / "out").touch()
    assert recipe.main([*folders, *OPTIONS]) == 2
    assert "out: Not a directory" in capsys.readouterr().err


def test_branches_need_the_trunk(folders, capsys):
    assert recipe.main([*folders, *OPTIONS, "--stage", "ternary"]) == 2
    assert "there is no checkpoint" in capsys.readouterr().err


def test_branches_differ_only_in_precision(tmp_path):
    plan = recipe.Recipe(corpus=tmp_path, output=tmp_path)
    float_branch, ternary_branch = (
        plan.training(precision, trunk=False).to_dict() for precision in ("float", "ternary")
    )
    assert float_branch | {"precision": "ternary"} == ternary_branch
