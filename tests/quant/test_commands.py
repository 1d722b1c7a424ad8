"""The commands end to end: checkpoint to image, image to perplexity, tokens to weights."""

import json
import shutil

import numpy as np
import pytest
from broken_output import MESSAGE, status_of
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from typer.testing import CliRunner

from tercel.cli.app import app
from tercel.config import PRESETS
from tercel.image import LAYOUTS, Image, TapeLayout
from tercel.program import AcceleratorSpec
from tercel_quant.loss_log import read_losses

WIDTH, MLP, HEADS, HEAD_SIZE, VOCABULARY = 64, 96, 4, 16, 256
TEXT = "ternary weights are played like a tape, again and again. " * 20


def tercel(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def byte_tokenizer():
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {character: i for i, character in enumerate(alphabet)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A random Llama with float weights, as Hugging Face publishes it."""
    folder = tmp_path_factory.mktemp("llama")
    config = {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "hidden_size": WIDTH,
        "intermediate_size": MLP,
        "num_hidden_layers": 1,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "head_dim": HEAD_SIZE,
        "vocab_size": VOCABULARY,
        "max_position_embeddings": 128,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "tie_word_embeddings": True,
    }
    (folder / "config.json").write_text(json.dumps(config))
    byte_tokenizer().save(str(folder / "tokenizer.json"))
    rng = np.random.default_rng(0)
    shapes = {
        "self_attn.q_proj": (WIDTH, WIDTH),
        "self_attn.k_proj": (WIDTH, WIDTH),
        "self_attn.v_proj": (WIDTH, WIDTH),
        "self_attn.o_proj": (WIDTH, WIDTH),
        "mlp.gate_proj": (MLP, WIDTH),
        "mlp.up_proj": (MLP, WIDTH),
        "mlp.down_proj": (WIDTH, MLP),
    }
    tensors = {
        f"model.layers.0.{name}.weight": rng.normal(0, 0.1, shape).astype(np.float32)
        for name, shape in shapes.items()
    }
    ones = np.ones(WIDTH, np.float32)
    tensors |= {
        "model.embed_tokens.weight": rng.normal(0, 0.1, (VOCABULARY, WIDTH)).astype(np.float32),
        "model.layers.0.input_layernorm.weight": ones,
        "model.layers.0.post_attention_layernorm.weight": ones.copy(),
        "model.norm.weight": ones.copy(),
    }
    save_file(tensors, folder / "model.safetensors")
    return folder


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text(TEXT)
    return path


@pytest.fixture(scope="module")
def image(checkpoint, tmp_path_factory):
    path = tmp_path_factory.mktemp("image") / "model.tercel"
    assert tercel("quantize", checkpoint, "-o", path, "--method", "absmean").exit_code == 0
    return path


def test_quantize_makes_an_image_that_runs(checkpoint, tmp_path):
    path = tmp_path / "model.tercel"
    options = ("--method", "absmean", "--layout", "kv260-index5", "--name", "mine")
    options += ("--context", "100")
    result = tercel("quantize", checkpoint, "-o", path, *options)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith(f"{path}: mine, absmean, ")
    assert "layer 1 of 1" in result.stderr
    image = Image.open(path)
    assert (image.config.name, image.layout.code) == ("mine", "index5")
    assert image.config.context == 100
    assert "context: 100 of the checkpoint's 128 positions" in result.stderr
    assert tercel("run", path, "--prompt", "tape", "-n", "4").exit_code == 0


def test_the_layout_may_be_that_of_a_sidecar(checkpoint, tmp_path):
    layout = TapeLayout(tables=4, ports=2, port_bytes=8, block_rows=8)
    spec = AcceleratorSpec(
        layout=layout,
        nodes=2,
        positions=64,
        hidden=128,
        columns=256,
        head_size=48,
        sweeps=4,
        slices=16,
        top_k=8,
        rows=256,
        address_width=32,
    )
    sidecar, path = tmp_path / "tercel.json", tmp_path / "model.tercel"
    sidecar.write_text(
        json.dumps(
            {"format": "tercel accelerator", "version": 2, "spec": json.loads(spec.to_json())}
        )
    )
    result = tercel("quantize", checkpoint, "-o", path, "--method", "absmean", "--layout", sidecar)
    assert result.exit_code == 0, result.stderr
    assert Image.open(path).layout == layout
    before = sidecar.read_bytes()
    options = ("--method", "absmean", "--layout", sidecar)
    refused = tercel("quantize", checkpoint, "-o", sidecar, *options)
    assert refused.exit_code == 2
    assert sidecar.read_bytes() == before


def test_results_without_an_output_are_one_line(checkpoint, text, tmp_path, capsys):
    path = tmp_path / "model.tercel"
    quantize = ("quantize", checkpoint, "-o", path, "--method", "absmean")
    evaluate = ("eval", path, "--text", text, "--context", "16", "--tokens", "32")
    for command in (quantize, (*quantize, "--json"), evaluate, (*evaluate, "--json")):
        assert status_of(command, tmp_path) == 2
        progress, _, last = capsys.readouterr().err.removesuffix("\n").rpartition("\n")
        assert f"{last}\n" == MESSAGE
        assert "error" not in progress
        assert Image.open(path).config.name


def test_quantize_calibrates_to_a_text(checkpoint, text, tmp_path):
    path = tmp_path / "model.tercel"
    options = ("--method", "calibrated", "--calibration-text", text, "--json")
    result = tercel("quantize", checkpoint, "-o", path, *options)
    assert result.exit_code == 0, result.stderr
    facts = json.loads(result.stdout)
    assert facts["method"] == "calibrated"
    assert facts["output"] == str(path)
    assert facts["image_bytes"] == path.stat().st_size
    assert facts["bits_per_weight"] == Image.open(path).footprint.bits_per_weight
    assert facts["all_zero"] == []


def test_quantize_tells_what_one_scale_costs(checkpoint, tmp_path):
    source, path = tmp_path / "rows", tmp_path / "model.tercel"
    shutil.copytree(checkpoint, source)
    tensors = load_file(source / "model.safetensors")
    scales = np.linspace(1, 1.1, 160, dtype=np.float32)[:, None]
    for name, weight in tensors.items():
        if "_proj" in name:
            tensors[name] = np.sign(np.round(weight * 10)) * scales[: len(weight)]
    save_file(tensors, source / "model.safetensors")
    result = tercel("quantize", source, "-o", path, "--granularity", "tensor")
    assert result.exit_code == 2
    assert "layers.0.q is ternary with one scale per row (64 scales)" in result.stderr
    assert "--granularity tensor --requantize gives each part the one scale" in result.stderr
    result = tercel("quantize", source, "-o", path, "--json")
    assert result.exit_code == 0, result.stderr
    assert "granularity of the scales, as the weights have it: row" in result.stderr
    assert json.loads(result.stdout)["granularity"] == "row"
    result = tercel("quantize", source, "-o", path, "--requantize")
    assert result.exit_code == 0, result.stderr
    assert ": rows, requantised, " in result.stdout
    told = "warning: 7 matrices had more scales than the granularity 'tensor' holds; error of"
    assert told in result.stderr
    result = tercel("quantize", checkpoint, "-o", path, "--requantize", "--method", "absmean")
    assert "no matrix has too many scales, so --requantize changed nothing" in result.stderr
    options = ("--method", "absmean", "--granularity", "group", "--json")
    result = tercel("quantize", checkpoint, "-o", path, *options)
    assert result.exit_code == 0, result.stderr
    assert Image.open(path).layout == LAYOUTS["kv260-groups"]
    facts = json.loads(result.stdout)
    assert facts["bits_per_weight"] == Image.open(path).footprint.bits_per_weight


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "was not trained ternary; choose a method: absmean, calibrated"),
        (("--method", "best"), "method must be one of absmean, calibrated, not 'best'"),
        (("--context", "129", "--method", "absmean"), "context must be in 1..128, not 129"),
        (
            ("--layout", "moon"),
            "layout must be one of kv260, kv260-index5, kv260-groups, or a sidecar",
        ),
        (("--calibration-text", "absent.txt"), "the text absent.txt cannot be read"),
    ],
)
def test_quantize_refuses_in_one_line_and_writes_nothing(checkpoint, tmp_path, options, message):
    result = tercel("quantize", checkpoint, "--output", tmp_path / "model.tercel", *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_eval_compares_the_arithmetics(checkpoint, image, text):
    options = ("--text", text, "--context", "64", "--tokens", "256", "--json")
    names = ("unquantised", "reference", "device")
    chosen = [part for name in names for part in ("--arithmetic", name)]
    result = tercel("eval", image, *options, *chosen, "--checkpoint", checkpoint)
    assert result.exit_code == 0, result.stderr
    facts = json.loads(result.stdout)
    assert list(facts["results"]) == list(names)
    perplexity = {name: found["perplexity"] for name, found in facts["results"].items()}
    assert facts["device_change"] == perplexity["device"] / perplexity["reference"] - 1
    assert facts["results"]["device"]["tokens"] == 4 * 63
    assert all(name in result.stderr for name in names)


def test_eval_prints_a_table(image, text):
    result = tercel("eval", image, "--text", text, "--context", "64", "--tokens", "64")
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["arithmetic", "reference", "device", "device"]
    assert lines[-1].startswith("device over reference: ")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--text", "absent.txt"), "the text absent.txt cannot be read"),
        (("--arithmetic", "magic"), "arithmetics must be of unquantised, reference, device, not"),
        (("--context", "500"), "context must be in 2..128, not 500"),
        (("--arithmetic", "unquantised"), "needs the checkpoint that the image is made of"),
    ],
)
def test_eval_refuses_in_one_line(image, text, options, message):
    result = tercel("eval", image, "--text", text, *("--context", "64"), *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


def test_train_hands_its_options_to_the_trainer_and_its_weights_to_quantize(tmp_path):
    np.random.default_rng(0).integers(96, size=3000).astype("<u2").tofile(tmp_path / "tokens.u16")
    paths = ("--tokens", tmp_path / "tokens.u16", "--output", tmp_path / "run")
    sizes = ("--model", "tiny", "--batch-size", "2", "--length", "16", "--warmup", "1")
    result = tercel("train", *paths, *sizes, "--steps", "2", "--log-every", "1")
    assert result.exit_code == 0, result.output
    assert [record["step"] for record in read_losses(tmp_path / "run" / "log.jsonl")] == [1, 2]
    weights, image = tmp_path / "run" / "weights.safetensors", tmp_path / "trained.tercel"
    result = tercel("quantize", weights, "-o", image)
    assert result.exit_code == 0, result.stderr
    assert Image.open(image).config == PRESETS["tiny"]
    refused = tercel("train", *paths, *sizes, "--steps", "2", "--length", "0")
    assert refused.exit_code == 2
    assert "length must be a positive integer, not 0" in refused.output
    assert "--matrix-learning-rate" in tercel("train", "--help").output
