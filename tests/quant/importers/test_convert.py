import json
import re

import numpy as np
import pytest
import torch
from hindrances import full_disk
from safetensors.torch import load_file, save_file

from tercel.errors import TercelError
from tercel.image import LAYOUTS, Image
from tercel.numerics import quantise_rows
from tercel.program.accelerator_spec import LIMITS
from tercel.runtime import TextTokenizer
from tercel_hw.top import ACCELERATORS
from tercel_quant import convert as conversion
from tercel_quant.convert import DEFAULT_CONTEXT, MOST_CONTEXT, convert
from tercel_quant.evaluate import evaluate
from tercel_quant.importers import open_checkpoint
from tercel_quant.reference import hidden_states
from tercel_quant.text import text_windows
from tercel_quant.weights import CheckpointWeights, ImageWeights

pytestmark = pytest.mark.filterwarnings("ignore:.*script_method:DeprecationWarning")


def refusal(rule):
    return pytest.raises(TercelError, match=re.escape(rule))


def test_absmean_image_holds_the_checkpoint(llama, tmp_path):
    folder, model = llama(tied=False)
    lines = []
    conversion = convert(
        folder,
        tmp_path / "m.tercel",
        method="absmean",
        layout=LAYOUTS["kv260-index5"],
        name="renamed",
        report=lines.append,
    )
    image = Image.open(tmp_path / "m.tercel")
    assert image.layout == LAYOUTS["kv260-index5"]
    assert image.config.name == "renamed"
    assert image.tokenizer == (folder / "tokenizer.json").read_bytes()
    assert conversion.config == image.config
    assert conversion.method == "absmean"
    assert conversion.image_bytes == (tmp_path / "m.tercel").stat().st_size
    assert conversion.all_zero == ()
    assert lines[-1] == "layer 2 of 2"
    weight = model.state_dict()["model.layers.1.mlp.up_proj.weight"]
    scale = weight.abs().mean()
    assert image.weight_scale("layers.1.up") == pytest.approx(float(scale))
    expected = (weight / scale).round().clamp(-1, 1).numpy()
    assert np.array_equal(image.ternary("layers.1.up"), expected)
    for name in ("embed_tokens", "lm_head"):
        rows = model.state_dict()[f"{'model.' * (name != 'lm_head')}{name}.weight"].numpy()
        ours = image.rows("embedding" if name == "embed_tokens" else "head")
        assert all(np.array_equal(a, b) for a, b in zip(ours, quantise_rows(rows), strict=True))
    gain = model.state_dict()["model.layers.0.post_attention_layernorm.weight"].numpy()
    assert np.array_equal(image.gain("layers.0.mlp_norm"), gain)


def test_calibrated_image_is_nearer_to_the_original(llama, tmp_path):
    folder, _ = llama()
    random = np.random.default_rng(3)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz  "))
    calibration = "".join(random.choice(letters, 20_000))
    tokenizer = TextTokenizer((folder / "tokenizer.json").read_bytes())
    tokens = text_windows("".join(random.choice(letters, 1000)), tokenizer, context=32)
    original = hidden_states(CheckpointWeights(open_checkpoint(folder)), tokens)
    errors = {}
    for method, text in (("absmean", None), ("calibrated", calibration)):
        convert(folder, tmp_path / "m.tercel", method=method, calibration_text=text)
        stream = hidden_states(ImageWeights(Image.open(tmp_path / "m.tercel")), tokens)
        errors[method] = float((stream - original).square().mean() / original.square().mean())
    assert errors["calibrated"] < 0.7 * errors["absmean"]


def test_default_context_is_what_devices_hold(llama, tmp_path):
    """Without the limit, a million positions gave a RoPE table of a million rows."""
    assert max(config.positions for config in ACCELERATORS.values()) == DEFAULT_CONTEXT
    assert LIMITS["positions"][1] == MOST_CONTEXT
    folder, _ = llama(max_position_embeddings=1_000_000)
    lines = []
    conversion = convert(folder, tmp_path / "m.tercel", method="absmean", report=lines.append)
    assert conversion.config.context == Image.open(tmp_path / "m.tercel").config.context == 4096
    told = "context: 4096 of the checkpoint's 1000000 positions; --context N changes it"
    assert told in lines
    assert conversion.image_bytes < 2e6


def test_context_of_a_checkpoint_is_kept_where_devices_hold_it(llama, tmp_path):
    folder, _ = llama()
    lines = []
    convert(folder, tmp_path / "m.tercel", method="absmean", report=lines.append)
    assert Image.open(tmp_path / "m.tercel").config.context == 64
    assert "context: 64 of the checkpoint's 64 positions" in lines


def test_context_is_chosen_up_to_the_checkpoints(llama, tmp_path, text):
    folder, _ = llama()
    sizes = []
    for context in (64, 17):
        convert(folder, tmp_path / "m.tercel", method="absmean", context=context)
        image = Image.open(tmp_path / "m.tercel")
        assert image.config.context == context
        sizes.append(image.footprint.fetched)
    assert sizes[0] > sizes[1]
    found = evaluate(image, text, checkpoint=folder, arithmetics=("unquantised",), context=16)
    assert found.results["unquantised"].tokens > 0
    for context in (0, -1, 65):
        with refusal(f"context must be in 1..64, not {context}: the checkpoint was made for 64"):
            convert(folder, tmp_path / "n.tercel", method="absmean", context=context)
    folder, _ = llama(max_position_embeddings=1_000_000)
    with refusal("context must be in 1..65535, not 65536"):
        convert(folder, tmp_path / "n.tercel", method="absmean", context=65536)


@pytest.fixture
def ternary_llama(llama):
    """Make a Llama of float weights that are trits with a scale for each block of a grid."""

    def make(grid_of, layers=(0, 1), **fields):
        folder, _ = llama(**fields)
        tensors = load_file(folder / "model.safetensors")
        generator = torch.Generator().manual_seed(0)
        for name, weight in tensors.items():
            if "_proj" not in name or int(name.split(".")[2]) not in layers:
                continue
            rows, columns = weight.shape
            grid = grid_of(rows, columns)
            scales = 0.1 * (1 + 0.1 * torch.rand(grid, generator=generator))
            full = scales.repeat_interleave(rows // grid[0], 0)
            tensors[name] = (
                weight.sign()
                * (weight.abs() > 0.05)
                * full.repeat_interleave(columns // grid[1], 1)
            )
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        return folder, tensors

    return make


def test_ternary_floats_are_imported_as_they_are(ternary_llama, tmp_path):
    folder, tensors = ternary_llama(lambda rows, columns: (1, 1))
    assert open_checkpoint(folder).trained_ternary
    assert convert(folder, tmp_path / "m.tercel").method == "imported"
    image = Image.open(tmp_path / "m.tercel")
    found = image.ternary("layers.1.up") * image.weight_scale("layers.1.up")
    assert np.array_equal(found, tensors["model.layers.1.mlp.up_proj.weight"].numpy())


GRIDS = {
    "one scale per row": lambda rows, columns: (rows, 1),
    "one scale per shard of 16 rows": lambda rows, columns: (rows // 16, 1),
    "one scale per group of 32 columns": lambda rows, columns: (rows, columns // 32),
}


@pytest.mark.parametrize("blocks", GRIDS)
@pytest.mark.parametrize("method", [None, "absmean"])
def test_several_scales_are_kept_or_refused_with_what_they_are(
    ternary_llama, tmp_path, blocks, method
):
    folder, tensors = ternary_llama(GRIDS[blocks])
    with refusal(f"layers.0.q is ternary with {blocks}"):
        convert(folder, tmp_path / "m.tercel", method=method, granularity="tensor")
    assert not (tmp_path / "m.tercel").exists()
    if "32 columns" in blocks:
        with refusal("groups of 32 beside each other have different scales; --granularity group"):
            convert(folder, tmp_path / "m.tercel", method=method)
        return
    assert convert(folder, tmp_path / "m.tercel", method=method).config.granularity == "row"
    weight = tensors["model.layers.1.mlp.down_proj.weight"].numpy()
    assert np.array_equal(Image.open(tmp_path / "m.tercel").weights("layers.1.down"), weight)


@pytest.mark.parametrize("granularity", GRIDS)
@pytest.mark.parametrize("method", [None, "absmean"])
def test_requantize_gives_one_scale_and_tells_the_loss(
    ternary_llama, tmp_path, granularity, method
):
    folder, tensors = ternary_llama(GRIDS[granularity])
    conversion = convert(folder, tmp_path / "m.tercel", method=method, requantize=True)
    assert conversion.method == (method or "requantised")
    assert len(conversion.requantised) == 2 * 7
    image = Image.open(tmp_path / "m.tercel")
    weight = tensors["model.layers.1.mlp.down_proj.weight"].double().numpy()
    assert np.array_equal(image.ternary("layers.1.down"), np.sign(weight))
    scale = image.weight_scale("layers.1.down")
    assert scale == pytest.approx(np.abs(weight[weight != 0]).mean())
    error = np.linalg.norm(image.ternary("layers.1.down") * scale - weight) / np.linalg.norm(weight)
    assert conversion.requantised["layers.1.down"] == pytest.approx(error, rel=1e-4)
    assert 0.01 < error < 0.05


def test_several_scales_in_a_later_layer_are_refused(ternary_llama, tmp_path, text):
    folder, _ = ternary_llama(GRIDS["one scale per row"], layers=(1,))
    for method in ("absmean", "calibrated"):
        chosen = {"method": method, "calibration_text": text if method == "calibrated" else None}
        with refusal("layers.1.q is ternary with one scale per row"):
            convert(folder, tmp_path / "m.tercel", **chosen)
        convert(folder, tmp_path / "m.tercel", **chosen, requantize=True)
        convert(folder, tmp_path / "m.tercel", **chosen, granularity="row")
        (tmp_path / "m.tercel").unlink()


def test_floats_in_a_later_layer_need_a_method(ternary_llama, tmp_path):
    folder, _ = ternary_llama(lambda rows, columns: (1, 1), layers=(0,))
    with refusal("layers.1.q is not ternary, although the first layer is; choose a method"):
        convert(folder, tmp_path / "m.tercel")
    assert convert(folder, tmp_path / "m.tercel", method="absmean").method == "absmean"


def test_masters_keep_the_rule_that_they_were_trained_with(bitnet, tmp_path):
    """Rounded as in transformers, even if all masters have one magnitude; told by a warning."""
    folder = bitnet("autobitlinear", "online")
    tensors = load_file(folder / "model.safetensors")
    name = "model.layers.0.mlp.up_proj.weight"
    tensors[name] = tensors[name].sign() * (tensors[name].abs() > 0.05) * 0.25
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    lines = []
    convert(folder, tmp_path / "m.tercel", report=lines.append)
    scale = Image.open(tmp_path / "m.tercel").weight_scale("layers.0.up")
    assert scale == pytest.approx(float(tensors[name].abs().mean()))
    assert [line for line in lines if line.startswith("warning: the checkpoint declares")] == [
        "warning: the checkpoint declares float masters, but 1 matrices are ternary already, the "
        "first is layers.0.up (one scale); they are rounded as masters, as transformers does, "
        "which changes their scales"
    ]


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("model.embed_tokens.weight", "embedding"),
        ("model.norm.weight", "norm"),
        ("model.layers.1.input_layernorm.weight", "layers.1.attention_norm"),
        ("lm_head.weight", "head"),
    ],
)
def test_any_all_zero_tensor_is_reported(llama, tmp_path, source, name):
    folder, _ = llama(tied=False)
    tensors = load_file(folder / "model.safetensors")
    tensors[source].zero_()
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    assert convert(folder, tmp_path / "m.tercel", method="absmean").all_zero == (name,)


def test_all_zero_matrix_is_reported_and_stays_zero(llama, tmp_path):
    folder, _ = llama()
    tensors = load_file(folder / "model.safetensors")
    tensors["model.layers.0.mlp.down_proj.weight"].zero_()
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    conversion = convert(folder, tmp_path / "m.tercel", method="absmean")
    assert conversion.all_zero == ("layers.0.down",)
    assert Image.open(tmp_path / "m.tercel").weight_scale("layers.0.down") == 0


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (
            {},
            "this checkpoint (Hugging Face LlamaForCausalLM, float weights) was not trained "
            "ternary; choose a method: absmean, calibrated",
        ),
        ({"method": "magic"}, "method must be one of absmean, calibrated, not 'magic'"),
        ({"method": "calibrated"}, "the method 'calibrated' needs a calibration text"),
        (
            {"method": "absmean", "calibration_text": "a"},
            "the method 'calibrated' needs a calibration text, and no other method takes one",
        ),
        (
            {"method": "calibrated", "calibration_text": "the"},
            "the text has 1 tokens, which do not fill one window of 64",
        ),
        ({"method": "absmean", "tokenizer": "none.json"}, "the tokenizer none.json cannot be read"),
    ],
)
def test_arguments_refused(llama, tmp_path, arguments, rule):
    folder, _ = llama()
    with refusal(rule):
        convert(folder, tmp_path / "m.tercel", **arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["llama"]


def test_a_huge_file_is_no_tokenizer(llama, tmp_path):
    """A sparse one: nothing of it is read."""
    folder, _ = llama()
    huge = tmp_path / "huge.json"
    with huge.open("wb") as file:
        file.truncate((1 << 28) + 1)
    with refusal("huge.json has 268435457 bytes, but at most 268435456 are read"):
        convert(folder, tmp_path / "m.tercel", method="absmean", tokenizer=huge)


def test_model_trained_ternary_takes_no_method(bitnet, tmp_path):
    with refusal("was trained ternary and is imported as it is; leave out the method 'absmean'"):
        convert(bitnet("bitlinear", "offline"), tmp_path / "m.tercel", method="absmean")


def test_calibration_needs_a_tokenizer(llama, tmp_path, text):
    folder, _ = llama()
    (folder / "tokenizer.json").unlink()
    with refusal("has no tokenizer, which calibration needs; give a tokenizer.json"):
        convert(folder, tmp_path / "m.tercel", method="calibrated", calibration_text=text)


def test_missing_tokenizer_is_told(bitnet, tmp_path):
    lines = []
    convert(bitnet("bitlinear", "offline"), tmp_path / "m.tercel", report=lines.append)
    (warning,) = [line for line in lines if line.startswith("warning: ")]
    assert "brings no tokenizer, so the image cannot read or write text" in warning


def test_given_tokenizer_replaces_the_own(llama, tmp_path, tokenizer):
    folder, _ = llama()
    own = json.loads(tokenizer.to_str())
    own["added_tokens"][0]["special"] = False
    (tmp_path / "other.json").write_text(json.dumps(own))
    convert(folder, tmp_path / "m.tercel", method="absmean", tokenizer=tmp_path / "other.json")
    image = Image.open(tmp_path / "m.tercel")
    assert image.tokenizer == (tmp_path / "other.json").read_bytes()


def test_tokenizer_without_decoder_refused(llama, tmp_path, tokenizer):
    folder, _ = llama()
    fields = json.loads(tokenizer.to_str()) | {"decoder": None}
    (folder / "tokenizer.json").write_text(json.dumps(fields))
    with refusal("the tokenizer's decoder must be ByteLevel, ByteFallback or Metaspace, not None"):
        convert(folder, tmp_path / "m.tercel", method="absmean")
    assert not (tmp_path / "m.tercel").exists()


def test_tokenizer_beyond_the_vocabulary_refused(llama, tmp_path, tokenizer):
    folder, _ = llama(vocab_size=299)
    with refusal("the tokenizer has the id 299"):
        convert(folder, tmp_path / "m.tercel", method="absmean")


def test_failure_leaves_an_older_image_alone(llama, tmp_path):
    folder, _ = llama()
    tensors = load_file(folder / "model.safetensors")
    tensors["model.norm.weight"][0] = float("nan")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "m.tercel").write_bytes(b"older")
    with refusal("model.norm.weight holds 1 values that are not finite"):
        convert(folder, tmp_path / "m.tercel", method="absmean")
    assert (tmp_path / "m.tercel").read_bytes() == b"older"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["llama", "m.tercel"]


def test_a_large_tape_is_built_on_the_disk_with_the_same_bytes(llama, tmp_path, monkeypatch):
    folder, _ = llama(tied=False)
    convert(folder, tmp_path / "memory.tercel", method="absmean")
    monkeypatch.setattr(conversion, "MOST_IN_MEMORY", 0)
    convert(folder, tmp_path / "disk.tercel", method="absmean")
    assert (tmp_path / "disk.tercel").read_bytes() == (tmp_path / "memory.tercel").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"llama", "memory.tercel", "disk.tercel"}


def test_a_full_disk_leaves_an_older_image_alone(llama, tmp_path, monkeypatch):
    folder, _ = llama()
    path = tmp_path / "m.tercel"
    path.write_bytes(b"older")
    with full_disk(after=4096), refusal(f"cannot write {path}"):
        convert(folder, path, method="absmean")
    monkeypatch.setattr(conversion, "MOST_IN_MEMORY", 0)
    with full_disk(after=4096), refusal("the tape cannot be kept on the disk of the output: File"):
        convert(folder, path, method="absmean")
    assert path.read_bytes() == b"older"
    assert {each.name for each in tmp_path.iterdir()} == {"llama", "m.tercel"}


def test_ids_without_a_text_are_counted(llama, tmp_path):
    folder, _ = llama()
    lines = []
    convert(folder, tmp_path / "m.tercel", method="absmean", report=lines.append)
    assert "tokenizer: 300 of the embedding's 320 ids have a text" in lines
