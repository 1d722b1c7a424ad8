"""Comparison with transformers: nothing differs in a right image, and faults are found where they
are."""

import json

import pytest
import torch
from published import PUBLISHED, Published
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from tercel.cli.app import app
from tercel.errors import TercelError
from tercel.image import Image
from tercel_quant.compare.comparison import compare
from tercel_quant.convert import convert

pytestmark = pytest.mark.filterwarnings("ignore:.*script_method:DeprecationWarning")

TOKENS = torch.randint(320, (2, 40), generator=torch.Generator().manual_seed(1))


@pytest.fixture
def made(tmp_path):
    """Make a published layout and its image."""

    def make(name: str) -> tuple[Published, Image]:
        published = PUBLISHED[name](tmp_path / "model")
        convert(published.folder, tmp_path / "m.tercel", method=published.method)
        return published, Image.open(tmp_path / "m.tercel")

    return make


@pytest.mark.parametrize(
    "name", ["Llama3-8B-1.58", "Falcon-E bfloat16", "bitnet 2B-4T packed", "bitnet 3B"]
)
def test_a_right_image_differs_by_rounding_alone(made, name):
    """Also if transformers runs it with float activations, or not under its own name."""
    published, image = made(name)
    found = compare(published.folder, image, TOKENS)
    assert found.first is None
    assert found.linears == {}
    names = [block.name for block in found.blocks]
    assert names[:3] == ["embedding", "layers.0.attention", "layers.0.mlp"]
    assert names[-1] == "head"
    assert len(names) == 6
    rounds = name != "Falcon-E bfloat16"
    for block in found.blocks[1:-1]:
        assert (block.rounded < block.unrounded) == rounds
        assert block.error < 1e-3
    reference, device = found.agreements["reference"], found.agreements["device"]
    assert reference.argmax >= 0.95
    assert device.argmax > 0.9
    assert abs(device.divergence) < 0.01
    assert device.perplexity == pytest.approx(found.oracle_perplexity, rel=0.05)


@pytest.mark.parametrize("name", ["Ternary Bonsai 1.7B", "TriLM", "BitCPM"])
def test_models_of_rows_and_groups_differ_by_rounding_alone(made, name):
    """Their own activations are floats; a MiniCPM runs as Granite."""
    published, image = made(name)
    found = compare(published.folder, image, TOKENS)
    assert found.first is None
    for block in found.blocks[1:-1]:
        assert block.unrounded < block.rounded < 0.03
        assert block.unrounded < (1e-6 if name == "TriLM" else 2e-3)
    reference, device = found.agreements["reference"], found.agreements["device"]
    assert reference.divergence < 0.01
    assert device.divergence < 0.01
    assert device.perplexity == pytest.approx(found.oracle_perplexity, rel=0.05)


def test_a_wrong_group_scale_is_found(made):
    published, image = made("BitCPM")
    name = "model.layers.1.self_attn.o_proj.weight"

    def change(tensors):
        tensors[name] = tensors[name] * torch.tensor([1.0, 1.25]).repeat_interleave(128)

    edit(published.folder, change)
    found = compare(published.folder, image, TOKENS)
    assert found.first is not None
    assert found.first.name == "layers.1.attention"
    assert [name for name, error in found.linears.items() if error > 0.02] == ["o"]


def edit(folder, change):
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def test_a_wrong_matrix_is_found(made):
    published, image = made("bitnet 2B-4T packed")
    name = "model.layers.1.mlp.up_proj.weight"
    edit(published.folder, lambda tensors: tensors.update({name: tensors[name].flip(1)}))
    found = compare(published.folder, image, TOKENS)
    assert found.first is not None
    assert found.first.name == "layers.1.mlp"
    wrong = [name for name, error in found.linears.items() if error > 0.02]
    assert wrong == ["up"]


def test_a_wrong_rope_is_found_in_attention_behind_right_linears(made):
    published, image = made("bitnet 2B-4T packed")
    path = published.folder / "config.json"
    path.write_text(path.read_text().replace("500000.0", "10000.0"))
    found = compare(published.folder, image, TOKENS)
    assert found.first is not None
    assert found.first.name == "layers.0.attention"
    assert max(found.linears.values()) < 1e-3


def test_a_wrong_embedding_is_found(made):
    published, image = made("bitnet 2B-4T packed")
    name = "model.embed_tokens.weight"
    edit(published.folder, lambda tensors: tensors.update({name: tensors[name].flip(0)}))
    found = compare(published.folder, image, TOKENS)
    assert found.first is not None
    assert found.first.name == "embedding"


def test_another_model_is_refused(made, tmp_path):
    _, image = made("Llama3-8B-1.58")
    other = PUBLISHED["bitnet 3B"](tmp_path / "other").folder
    with pytest.raises(TercelError, match=r"is not what .* is made of: it has 2 layers of"):
        compare(other, image, TOKENS)


def test_what_transformers_cannot_load_is_told(made, tmp_path):
    _, image = made("Llama3-8B-1.58")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.json").write_text(json.dumps({"model_type": "none"}))
    with pytest.raises(TercelError, match="transformers cannot load"):
        compare(tmp_path / "other", image, TOKENS)


def tercel(*arguments):
    return CliRunner().invoke(app, ["compare", *map(str, arguments)])


def test_the_command_tells_the_verdict_and_its_status(made):
    published, image = made("bitnet 2B-4T packed")
    result = tercel(published.folder, image.path, "--tokens", "40")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == "no block differs beyond rounding"
    assert "layers.1.mlp" in result.stdout
    name = "model.layers.0.self_attn.o_proj.weight_scale"
    edit(published.folder, lambda tensors: tensors.update({name: tensors[name] * 1.5}))
    result = tercel(published.folder, image.path, "--tokens", "40")
    assert result.exit_code == 1
    assert "first difference beyond rounding: layers.0.attention" in result.stdout
    assert "its linears that differ: o (" in result.stdout
    result = tercel(published.folder, image.path, "--tokens", "40", "--json")
    facts = json.loads(result.stdout)
    assert facts["first"] == "layers.0.attention"
    assert [each["differs"] for each in facts["blocks"]].count(True) == 1
    assert set(facts["agreements"]["device"]) == {"argmax", "divergence", "perplexity"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--tokens", "1"], "tokens must be at least 2, not 1"),
        (["--text", "none.txt"], "has no tokenizer, so it reads no text; leave out --text"),
    ],
)
def test_options_are_checked_before_anything_is_loaded(made, options, message):
    published, image = made("bitnet 2B-4T packed")
    result = tercel(published.folder, image.path, *options)
    assert result.exit_code == 2
    assert message in result.stderr
