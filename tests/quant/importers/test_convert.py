import json
import re

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from tercel.errors import TercelError
from tercel.image import LAYOUTS, Image
from tercel.numerics import quantise_rows
from tercel.runtime import TextTokenizer
from tercel_quant.convert import convert
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


def test_model_trained_ternary_takes_no_method(bitnet, tmp_path):
    with refusal("was trained ternary and is imported as it is; leave out the method 'absmean'"):
        convert(bitnet("bitlinear", "offline"), tmp_path / "m.tercel", method="absmean")


def test_calibration_needs_a_tokenizer(llama, tmp_path, text):
    folder, _ = llama()
    (folder / "tokenizer.json").unlink()
    with refusal("has no tokenizer, which calibration needs; give a tokenizer.json"):
        convert(folder, tmp_path / "m.tercel", method="calibrated", calibration_text=text)


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
