"""GGUF files of Qwen3 with groups give the image of the folder that they were made of.

The folders are compared with transformers in test_published.py.
"""

import shutil

import gguf
import numpy as np
import pytest
import torch
from gguf_file import write_gguf
from gguf_packers import base_three, two_bit
from published import bonsai
from safetensors.torch import load_file, save_file

from tercel.errors import TercelError
from tercel.image import Image
from tercel_export.gguf.names import source_name
from tercel_quant.convert import convert
from tercel_quant.importers import open_checkpoint
from tercel_quant.importers.names import canonical_shapes

pytestmark = pytest.mark.filterwarnings("ignore:.*script_method:DeprecationWarning")


def library(name: str, group: int):
    """A packer of the gguf library's type, whose float16 scales are those of the weights."""
    kind = gguf.GGMLQuantizationType[name]

    def pack(weight: np.ndarray) -> bytes:
        return gguf.quants.quantize(weight, kind).tobytes()

    return int(kind), group, pack


def own(number: int, packer):
    """A packer of a type with groups of 128, out of trits and their scales."""

    def pack(weight: np.ndarray) -> bytes:
        scales = np.abs(weight).reshape(len(weight), -1, 128).max(2)
        return packer(np.sign(weight).astype(np.int8), scales)

    return number, 128, pack


TYPES = {
    "Q2_0": own(42, two_bit),
    "PQ2_0": own(142, two_bit),
    "PTQ1_0": own(143, base_three),
    "TQ1_0": library("TQ1_0", 256),
    "TQ2_0": library("TQ2_0", 256),
    "F16": (1, 128, lambda weight: weight.astype("<f2").tobytes()),
}


def to_gguf(path, checkpoint, kind, pack, *, architecture="qwen3", **changes):
    config = checkpoint.config
    tensors = {}
    for name, shape in canonical_shapes(config).items():
        ternary = len(shape) == 2
        if name in ("embedding", "head"):
            values = checkpoint.floats(name).numpy()
        elif ternary:
            values = checkpoint.matrix(name).dequantise().numpy()
        else:
            values = checkpoint.floats(name).numpy().astype("<f4")
        data = pack(values) if ternary else values.tobytes()
        tensors[source_name(name)] = (kind if ternary else 0, shape, data)
    keys = {
        "block_count": config.layers,
        "embedding_length": config.hidden_size,
        "feed_forward_length": config.ffn_size,
        "context_length": config.context,
        "vocab_size": config.vocab_size,
        "attention.head_count": config.heads,
        "attention.head_count_kv": config.kv_heads,
        "attention.key_length": config.head_size,
        "attention.value_length": config.head_size,
        "rope.freq_base": config.rope_base,
        "attention.layer_norm_rms_epsilon": config.norm_epsilon,
    } | changes
    metadata = {"general.architecture": architecture, "tokenizer.ggml.bos_token_id": 1}
    metadata |= {f"{architecture}.{key}": value for key, value in keys.items()}
    return write_gguf(path, metadata | {"tokenizer.ggml.eos_token_id": 2}, tensors)


def made(folder, group):
    """A Bonsai whose MLP is a multiple of 256 and whose groups have ``group`` columns."""
    bonsai(folder, tied=True)
    config = folder / "config.json"
    config.write_text(
        config.read_text().replace('"intermediate_size": 384', '"intermediate_size": 512')
    )
    path = folder / "model.safetensors"
    tensors = load_file(path)
    generator = torch.Generator().manual_seed(9)
    for name, tensor in tensors.items():
        if tensor.dim() != 2:
            continue
        shape = list(tensor.shape)
        for axis, place in ((0, ("gate", "up")), (1, ("down",))):
            if any(f"{each}_proj" in name for each in place):
                shape[axis] = 512
        # Every group has a weight that is not 0, so that its scale can be told.
        trits = torch.randint(-1, 2, shape, generator=generator)
        trits[:, ::128] = 1
        scales = 0.05 + 0.1 * torch.rand(shape[0], shape[1] // group, generator=generator)
        tensors[name] = trits.half() * scales.half().repeat_interleave(group, 1)
    save_file(tensors, path, metadata={"format": "pt"})
    return folder


def converted(source, target):
    conversion = convert(source, target, name="m")
    assert conversion.method == "imported"
    assert conversion.multiplier_error is not None
    assert 0 < conversion.multiplier_error[1] < conversion.multiplier_error[0] < 2e-3
    return target.read_bytes()


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A folder and its image for each width of groups."""
    found = {}
    for group in (128, 256):
        place = tmp_path_factory.mktemp("bonsai")
        folder = made(place / "model", group)
        found[group] = folder, converted(folder, place / "m.tercel")
    return found


@pytest.mark.parametrize("name", TYPES)
def test_every_type_of_groups_gives_the_image_of_the_folder(folders, tmp_path, name):
    kind, group, pack = TYPES[name]
    folder, expected = folders[group]
    path = to_gguf(tmp_path / "m.gguf", open_checkpoint(folder), kind, pack)
    assert converted(path, tmp_path / "m.tercel") == expected
    config = Image.open(tmp_path / "m.tercel").config
    assert (config.granularity, config.ternary_head, config.qk_norm) == ("group", True, True)


def test_an_embedding_of_zeros_is_reported(folders, tmp_path):
    folder, _ = folders[128]
    shutil.copytree(folder, tmp_path / "zeros")
    path = tmp_path / "zeros" / "model.safetensors"
    tensors = load_file(path)
    tensors["model.embed_tokens.weight"] = torch.zeros(320, 256, dtype=torch.float16)
    save_file(tensors, path, metadata={"format": "pt"})
    assert convert(tmp_path / "zeros", tmp_path / "m.tercel").all_zero == ("embedding",)


def test_heads_that_need_padding_are_refused_with_norms(folders, tmp_path):
    kind, group, pack = TYPES["F16"]
    checkpoint = open_checkpoint(folders[group][0])
    sizes = {"attention.key_length": 24, "attention.value_length": 24}
    path = to_gguf(tmp_path / "m.gguf", checkpoint, kind, pack, **sizes)
    with pytest.raises(TercelError, match="heads of 24 elements with norms of queries and keys"):
        open_checkpoint(path)
