"""GGUF files in every ternary type give the image of the folder that they were made of.

The folders are compared with transformers elsewhere.
"""

import numpy as np
import pytest
import torch
from gguf_file import write_gguf
from gguf_packers import base_three, i2s, signs, two_bit
from safetensors.torch import load_file, save_file

from tercel.errors import TercelError
from tercel_export.gguf.names import source_name
from tercel_quant.convert import convert
from tercel_quant.importers import Ternary, open_checkpoint
from tercel_quant.importers.names import canonical_shapes

pytestmark = pytest.mark.filterwarnings("ignore:.*script_method:DeprecationWarning")


def per_group(pack, group):
    """Pack a matrix of one scale as a type with a scale for each group."""

    def packed(trits, scale):
        return pack(trits, np.full((trits.shape[0], trits.shape[1] // group), scale))

    return packed


TYPES = {
    "I2_S": (36, lambda trits, scale: i2s(trits, "x86", scale)),
    "Q1_0": (41, per_group(signs, 128)),
    "Q2_0-64": (42, per_group(two_bit, 64)),
    "Q2_0-128": (42, per_group(two_bit, 128)),
    "PQ2_0": (142, per_group(two_bit, 128)),
    "PTQ1_0": (143, per_group(base_three, 128)),
}


def to_gguf(path, checkpoint, kind, pack, architecture="llama", *, copied=False, equal=True):
    """The file of a ternary checkpoint; Q and K of a llama in llama.cpp's order of rows."""
    config = checkpoint.config
    tensors = {}
    for name, shape in canonical_shapes(config).items():
        part, source = name.rpartition(".")[2], source_name(name)
        if part not in config.linears():
            values = checkpoint.floats(name).numpy().astype("<f4")
            tensors[source] = (0, shape, values.tobytes())
            continue
        matrix = checkpoint.matrix(name)
        assert isinstance(matrix, Ternary)
        trits = matrix.trits.numpy()
        if architecture == "llama" and part in ("q", "k"):
            halves = trits.reshape(-1, 2, config.head_size // 2, shape[1])
            trits = np.ascontiguousarray(halves.swapaxes(1, 2).reshape(shape))
        tensors[source] = (kind, shape, pack(trits, matrix.scale))
    if copied:
        number, shape, data = tensors["token_embd.weight"]
        tensors["output.weight"] = (number, shape, data if equal else bytes(4) + data[4:])
    keys = {
        "block_count": config.layers,
        "embedding_length": config.hidden_size,
        "feed_forward_length": config.ffn_size,
        "context_length": config.context,
        "vocab_size": config.vocab_size,
        "attention.head_count": config.heads,
        "attention.head_count_kv": config.kv_heads,
        "attention.key_length": config.head_size,
        "rope.freq_base": config.rope_base,
        "attention.layer_norm_rms_epsilon": config.norm_epsilon,
    }
    metadata = {"general.architecture": architecture, "tokenizer.ggml.bos_token_id": 1}
    metadata |= {f"{architecture}.{key}": value for key, value in keys.items()}
    return write_gguf(path, metadata | {"tokenizer.ggml.eos_token_id": 2}, tensors)


def images(folder, path, tmp_path, **options) -> list[bytes]:
    found = []
    for source, further in ((folder, {}), (path, options)):
        target = tmp_path / f"{source.name}.tercel"
        convert(source, target, name="m", **further)
        found.append(target.read_bytes())
    return found


@pytest.fixture
def ternary_llama(llama):
    """A llama whose widths are multiples of 128, with one scale in each matrix."""

    def make(*, zeros: bool):
        folder, _ = llama(hidden_size=128, intermediate_size=256, num_hidden_layers=1, head_dim=32)
        (folder / "tokenizer.json").unlink()
        tensors = load_file(folder / "model.safetensors")
        for name, tensor in tensors.items():
            if "_proj" in name:
                signs_ = torch.where(tensor == 0, 1.0, tensor.sign())
                tensors[name] = 0.375 * signs_ * (tensor.abs() > 0.05 if zeros else 1)
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        return folder

    return make


@pytest.mark.parametrize("name", TYPES)
def test_every_ternary_type_gives_the_image_of_the_folder(ternary_llama, tmp_path, name):
    kind, pack = TYPES[name]
    folder = ternary_llama(zeros=name != "Q1_0")
    path = to_gguf(tmp_path / "m.gguf", open_checkpoint(folder), kind, pack)
    options = {"i2s_layout": "x86"} if name == "I2_S" else {}
    ours, theirs = images(folder, path, tmp_path, **options)
    assert ours == theirs


def test_head_that_is_a_copy_of_the_embedding_is_tied(ternary_llama, tmp_path):
    """Some I2_S files of bitnet-b1.58-2B-4T store both."""
    checkpoint = open_checkpoint(ternary_llama(zeros=True))
    for equal in (True, False):
        path = to_gguf(tmp_path / "m.gguf", checkpoint, *TYPES["PQ2_0"], copied=True, equal=equal)
        assert open_checkpoint(path).config.tied_head == equal


@pytest.mark.parametrize("linear_class", ["autobitlinear", "bitlinear"])
def test_bitnet_cpp_gives_the_image_of_the_folder(bitnet, tmp_path, linear_class):
    """The layout of microsoft/bitnet-b1.58-2B-4T-gguf: I2_S, its own architecture, tied."""
    folder = bitnet(linear_class, "offline")
    checkpoint = open_checkpoint(folder)
    path = to_gguf(tmp_path / "m.gguf", checkpoint, *TYPES["I2_S"], "bitnet-b1.58")
    ours, theirs = images(folder, path, tmp_path, i2s_layout="x86")
    assert ours == theirs


@pytest.mark.parametrize(("kind", "group"), [(42, 64), (42, 128), (142, 128)])
def test_scales_of_groups_are_recognised(ternary_llama, tmp_path, kind, group):
    random = np.random.default_rng(0)

    def pack(trits, scale):
        scales = scale * random.uniform(0.8, 1.2, (trits.shape[0], trits.shape[1] // group))
        return two_bit(trits, scales)

    folder = ternary_llama(zeros=True)
    path = to_gguf(tmp_path / "m.gguf", open_checkpoint(folder), kind, pack)
    if group == 128:
        assert convert(path, tmp_path / "m.tercel").config.granularity == "group"
    else:
        rule = "ternary with one scale per group of 64 columns .* groups of 64 beside each other"
        with pytest.raises(TercelError, match=f"layers.0.q is {rule}"):
            convert(path, tmp_path / "m.tercel")
        nearest = {"granularity": "group", "requantize": True}
        found = convert(path, tmp_path / "m.tercel", **nearest)
        assert all(0.01 < loss < 0.15 for loss in found.requantised.values())
    found = convert(path, tmp_path / "m.tercel", requantize=True)
    assert all(0.05 < loss < 0.2 for loss in found.requantised.values())
