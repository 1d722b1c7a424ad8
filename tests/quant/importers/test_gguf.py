import re
from math import prod

import gguf
import numpy as np
import pytest
import torch
from gguf_file import write_gguf
from safetensors.torch import load_file
from tokenizers.pre_tokenizers import ByteLevel

from tercel.errors import TercelError
from tercel.image import Image
from tercel_quant.convert import convert
from tercel_quant.importers import Ternary, open_checkpoint
from tercel_quant.importers.gguf_config import read_config
from tercel_quant.importers.gguf_header import read_header
from tercel_quant.inspection import checkpoint_facts

NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "model.layers.": "blk.",
}
HEADS = {"attn_q": 4, "attn_k": 2}
KEYS = {
    "block_count": 2,
    "embedding_length": 64,
    "feed_forward_length": 160,
    "attention.head_count": 4,
    "attention.head_count_kv": 2,
    "context_length": 64,
    "vocab_size": 320,
    "rope.freq_base": 10000.0,
    "rope.dimension_count": 16,
    "attention.layer_norm_rms_epsilon": 1e-5,
}


def to_llama_cpp(name: str, weight: np.ndarray) -> tuple[str, np.ndarray]:
    """A tensor as llama.cpp's converter writes it: rows of Q and K in pairs."""
    for theirs, ours in NAMES.items():
        name = name.replace(theirs, ours)
    part = name.split(".")[-2]
    if part in HEADS:
        halves = weight.reshape(HEADS[part], 2, -1, weight.shape[1])
        weight = np.ascontiguousarray(halves.swapaxes(1, 2).reshape(weight.shape))
    return name, weight


def write(path, tensors, *, kind=gguf.GGMLQuantizationType.F32, architecture="llama", **keys):
    """A GGUF file of float32 tensors, matrices quantised to ``kind``."""
    writer = gguf.GGUFWriter(path, architecture)
    for key, value in (KEYS | {key.replace("__", "."): v for key, v in keys.items()}).items():
        if isinstance(value, str):
            writer.add_string(f"{architecture}.{key}", value)
        elif isinstance(value, float):
            writer.add_float32(f"{architecture}.{key}", value)
        elif value is not None:
            writer.add_uint32(f"{architecture}.{key}", value)
    for name, weight in tensors.items():
        if weight.ndim == 2 and kind != gguf.GGMLQuantizationType.F32:
            writer.add_tensor(name, gguf.quantize(weight, kind), raw_dtype=kind)
        else:
            writer.add_tensor(name, weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture
def pair(llama, tmp_path):
    """The same Llama as a folder and as llama.cpp's tensors."""
    folder, _ = llama()
    tensors = load_file(folder / "model.safetensors")
    return open_checkpoint(folder), dict(to_llama_cpp(n, t.numpy()) for n, t in tensors.items())


def test_every_kind_of_end_token_counts():
    keys = {f"llama.{key}": value for key, value in KEYS.items()}
    keys |= {"general.architecture": "llama", "tokenizer.ggml.eot_token_id": 9}
    keys |= {"tokenizer.ggml.eos_token_id": 7, "tokenizer.ggml.eom_token_id": 8}
    assert read_config(keys, name="m", tied_head=True).model.eos_tokens == (7, 9, 8)
    del keys["tokenizer.ggml.eos_token_id"]
    keys["tokenizer.ggml.eom_token_id"] = 9
    assert read_config(keys, name="m", tied_head=True).model.eos_tokens == (9,)


def canonical(config):
    return [f"layers.{layer}.{part}" for layer in range(config.layers) for part in config.linears()]


@pytest.mark.parametrize(
    ("kind", "step"), [("F32", 0.0), ("F16", 2**-11), ("BF16", 2**-8), ("Q8_0", 1 / 127)]
)
def test_matrices_equal_those_of_the_folder(pair, tmp_path, kind, step):
    folder, tensors = pair
    path = write(tmp_path / "m.gguf", tensors, kind=gguf.GGMLQuantizationType[kind])
    file = open_checkpoint(path)
    assert vars(file.config) | {"name": "", "bos_token": 1, "eos_tokens": (2,)} == vars(
        folder.config
    ) | {"name": ""}
    assert file.config.name == "m"
    assert not file.trained_ternary
    for name in canonical(file.config):
        ours, theirs = file.matrix(name), folder.matrix(name)
        assert (ours - theirs).abs().max() <= step * theirs.abs().max()
    assert torch.equal(file.floats("layers.1.mlp_norm"), folder.floats("layers.1.mlp_norm"))
    assert (file.floats("embedding") - folder.floats("embedding")).abs().max() <= step


def test_description_counts_the_types(pair, tmp_path):
    path = write(tmp_path / "m.gguf", pair[1], kind=gguf.GGMLQuantizationType.Q8_0)
    assert open_checkpoint(path).description == "GGUF llama, tensors: 5 F32, 15 Q8_0"


def test_untied_head_is_read(pair, tmp_path):
    head = np.random.default_rng(0).normal(size=(320, 64)).astype(np.float32)
    file = open_checkpoint(write(tmp_path / "m.gguf", pair[1] | {"output.weight": head}))
    assert not file.config.tied_head
    assert np.array_equal(file.floats("head").numpy(), head)


@pytest.fixture
def ternary_tensors():
    """A bitnet model of one layer, all widths 256, weights 0 and +-1/2 (exact in float16)."""
    random = np.random.default_rng(0)
    tensors = {"token_embd.weight": random.integers(-1, 2, (320, 256)).astype(np.float32) / 2}
    tensors["output_norm.weight"] = np.ones(256, np.float32)
    for part in ("attn_norm", "ffn_norm", "attn_sub_norm", "ffn_sub_norm"):
        tensors[f"blk.0.{part}.weight"] = np.ones(256, np.float32)
    for part, rows in (
        ("attn_q", 256),
        ("attn_k", 128),
        ("attn_v", 128),
        ("attn_output", 256),
        ("ffn_gate", 256),
        ("ffn_up", 256),
        ("ffn_down", 256),
    ):
        tensors[f"blk.0.{part}.weight"] = random.integers(-1, 2, (rows, 256)).astype(np.float32) / 2
    return tensors


WIDE = {"block_count": 1, "embedding_length": 256, "feed_forward_length": 256}


@pytest.mark.parametrize("kind", ["TQ1_0", "TQ2_0", "F16"])
def test_ternary_types_are_read_as_trits(ternary_tensors, tmp_path, kind):
    path = write(
        tmp_path / "m.gguf",
        ternary_tensors,
        kind=gguf.GGMLQuantizationType[kind],
        architecture="bitnet",
        **WIDE,
        rope__dimension_count=64,
        rope__scaling__type="linear",
        rope__scaling__factor=1.0,
    )
    file = open_checkpoint(path)
    assert file.trained_ternary
    facts = checkpoint_facts(path)
    assert list(facts["weights"]) == ["ternary with one scale per matrix"]
    assert (facts["layout"], facts["conversion"]) == (file.description, "imported as it is")
    assert file.config.sub_norms
    for name, source in (("q", "attn_q"), ("down", "ffn_down")):
        ternary = file.matrix(f"layers.0.{name}")
        assert isinstance(ternary, Ternary)
        assert ternary.scale == 0.5
        # bitnet's RoPE is rotate-half in llama.cpp, so its rows stay where they are.
        expected = 2 * ternary_tensors[f"blk.0.{source}.weight"]
        assert np.array_equal(ternary.trits.numpy(), expected)


def with_float_matrices(tensors, change):
    """Every matrix of the layer through ``change``."""
    return {name: change(w) if "blk" in name and w.ndim == 2 else w for name, w in tensors.items()}


def bitnet_file(tmp_path, tensors, kind="F32"):
    return write(
        tmp_path / "m.gguf",
        tensors,
        kind=gguf.GGMLQuantizationType[kind],
        architecture="bitnet",
        **WIDE,
        rope__dimension_count=64,
    )


def test_blocks_with_scales_of_their_own_are_kept_or_reduced(ternary_tensors, tmp_path):
    """TQ2_0 has a scale for each 256 weights, here one for a row: 10 % apart."""
    scales = np.random.default_rng(1).uniform(0.5, 0.55, (256, 1)).astype(np.float16)
    tensors = with_float_matrices(
        ternary_tensors, lambda weight: weight * 2 * scales[: len(weight)].astype(np.float32)
    )
    path = bitnet_file(tmp_path, tensors, "TQ2_0")
    assert convert(path, tmp_path / "m.tercel").config.granularity == "row"
    found = Image.open(tmp_path / "m.tercel").row_scales("layers.0.up")
    assert np.array_equal(found, scales[: len(found), 0])
    conversion = convert(path, tmp_path / "m.tercel", requantize=True)
    assert 0.01 < max(conversion.requantised.values()) < 0.05
    scale = Image.open(tmp_path / "m.tercel").weight_scale("layers.0.up")
    assert scale == pytest.approx(0.525, rel=0.01)


def test_floats_of_a_bitnet_file_are_no_masters(ternary_tensors, tmp_path, text):
    random = np.random.default_rng(1)
    tensors = with_float_matrices(
        ternary_tensors, lambda weight: random.normal(size=weight.shape).astype(np.float32)
    )
    path = bitnet_file(tmp_path, tensors)
    with pytest.raises(TercelError, match="was not trained ternary; choose a method"):
        convert(path, tmp_path / "m.tercel")
    with pytest.raises(TercelError, match="the method 'calibrated' takes no models with norms be"):
        convert(path, tmp_path / "m.tercel", method="calibrated", calibration_text=text)
    assert convert(path, tmp_path / "m.tercel", method="absmean").method == "absmean"


@pytest.mark.parametrize("scale", [[0.25], 0.25])
def test_scale_tensors_multiply(ternary_tensors, tmp_path, scale):
    ternary_tensors["blk.0.attn_v.scale"] = np.array(scale, np.float32)
    path = write(
        tmp_path / "m.gguf",
        ternary_tensors,
        architecture="bitnet",
        **WIDE,
        rope__dimension_count=64,
    )
    assert open_checkpoint(path).matrix("layers.0.v").scale == 0.125


@pytest.mark.parametrize(
    ("keys", "rule"),
    [
        ({"block_count": None}, "the field llama.block_count is missing"),
        (
            {
                "rope__scaling__type": "yarn",
                "rope__scaling__factor": 4.0,
                "rope__scaling__yarn_log_multiplier": 0.1,
            },
            "llama.rope.scaling asks for the RoPE scaling type 'yarn' with the factor 4, but only",
        ),
        (
            {"rope__frequency_shift": 3},
            "llama.rope.frequency_shift (3) is not known, and may change what the model computes; "
            "if it does not, leave it out: `gguf-new-metadata --remove-metadata "
            "llama.rope.frequency_shift IN OUT`",
        ),
        ({"attention__sliding_window": 64}, "llama.attention.sliding_window is 64, but sliding"),
        ({"hidden_activation": "gelu"}, "llama.hidden_activation must be one of silu, swish"),
        ({"attention__head_count": 0}, "llama.attention.head_count must be an integer in 1..1048"),
        ({"context_length": "long"}, "llama.context_length must be an integer in 1..2147483647"),
        ({"rope__dimension_count": 8}, "rope.dimension_count must be the head size 16, not 8"),
        (
            {"attention__value_length": 32},
            "attention.value_length must be the head size 16, not 32",
        ),
        ({"expert_count": 4}, "llama.expert_count is 4, but mixtures of experts are not supported"),
    ],
)
def test_metadata_refused(pair, tmp_path, keys, rule):
    path = write(tmp_path / "m.gguf", pair[1], **keys)
    with pytest.raises(TercelError, match=re.escape(rule)):
        open_checkpoint(path)


def test_architecture_refused(pair, tmp_path):
    path = write(tmp_path / "m.gguf", pair[1], architecture="gemma")
    with pytest.raises(
        TercelError,
        match=r"general.architecture must be one of llama, .*, bitnet-25, not 'gemma'",
    ):
        open_checkpoint(path)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("rope_freqs.weight", r"rope_freqs.weight must have the shape \(8,\), not \(64,\)"),
        ("blk.0.attn_q.bias", "biases are not supported"),
        (
            "blk.0.attn_q_norm.weight",
            "norms of queries and keys outside of Qwen3 are not supported",
        ),
    ],
)
def test_tensors_refused(pair, tmp_path, name, rule):
    path = write(tmp_path / "m.gguf", pair[1] | {name: np.ones(64, np.float32)})
    with pytest.raises(TercelError, match=rule):
        open_checkpoint(path)


def test_nan_is_named(pair, tmp_path):
    pair[1]["blk.1.ffn_up.weight"][0, 0] = np.nan
    with pytest.raises(TercelError, match=r"blk.1.ffn_up.weight holds 1 values that are not"):
        open_checkpoint(write(tmp_path / "m.gguf", pair[1])).matrix("layers.1.up")


def test_damaged_file_refused(pair, tmp_path):
    path = write(tmp_path / "m.gguf", pair[1])
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(
        TercelError,
        match=r"lie before the next tensor or the end of the file, which is damaged or cut short",
    ):
        open_checkpoint(path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(TercelError, match=r"m.gguf is no readable GGUF file: it ends within its"):
        open_checkpoint(path)


@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        (36, "blk.0.attn_q.weight of the type I2_S takes 1056 bytes, but 16384 lie before the"),
        (38, "blk.0.attn_q.weight has the type 38 (TL1), which is not read; convert the file to"),
        (999, "blk.0.attn_q.weight has the type 999, which is not read"),
        (15, "blk.0.attn_q.weight has the type 15 (Q8_K), which cannot be dequantised"),
        (35, "blk.0.attn_q.weight of the type TQ2_0 must have rows of a multiple of 256 weights"),
    ],
)
def test_types_that_cannot_be_read_are_named(pair, tmp_path, kind, rule):
    path = write(tmp_path / "m.gguf", pair[1])
    content = bytearray(path.read_bytes())
    # The type of a tensor follows its name, its number of dimensions and two extents.
    place = content.index(b"blk.0.attn_q.weight") + len(b"blk.0.attn_q.weight") + 4 + 16
    content[place : place + 4] = kind.to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(TercelError, match=re.escape(rule)):
        open_checkpoint(path)


@pytest.mark.parametrize("activation", ["relu2", "relu_sqr"])
def test_activation_is_read(ternary_tensors, tmp_path, activation):
    path = write(
        tmp_path / "m.gguf",
        ternary_tensors,
        architecture="bitnet",
        **WIDE,
        rope__dimension_count=64,
        hidden_activation=activation,
    )
    assert open_checkpoint(path).config.activation == "relu2"


@pytest.mark.parametrize("part", [1, 2])
def test_parts_of_a_split_model_are_told(pair, tmp_path, part):
    path = tmp_path / f"m-0000{part}-of-00002.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_uint16("split.no", part - 1)
    writer.add_uint16("split.count", 2)
    writer.add_int32("split.tensors.count", len(pair[1]))
    writer.add_tensor("output_norm.weight", pair[1]["output_norm.weight"])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(TercelError, match=r"is one of 2 parts of a split model; join them with"):
        open_checkpoint(path)


def test_pointer_of_git_lfs_is_told(tmp_path):
    (tmp_path / "m.gguf").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1\n")
    with pytest.raises(TercelError, match=r"m.gguf is a Git LFS pointer, not the file itself"):
        open_checkpoint(tmp_path / "m.gguf")


def test_heads_of_other_sizes_are_padded_as_those_of_a_folder(llama, tmp_path):
    """The 3B model of 1bitLLM has heads of 100."""
    folder, _ = llama(hidden_size=80, head_dim=20)
    tensors = load_file(folder / "model.safetensors")
    path = write(
        tmp_path / "m.gguf",
        dict(to_llama_cpp(n, t.numpy()) for n, t in tensors.items()),
        embedding_length=80,
        rope__dimension_count=20,
    )
    images = []
    for source in (folder, path):
        target = tmp_path / f"{source.name}.tercel"
        convert(source, target, method="absmean", name="m")
        images.append(Image.open(target))
    ours, theirs = images
    assert ours.config.head_size == 32
    assert ours.config.rope_factors == theirs.config.rope_factors
    for name in canonical(ours.config):
        assert np.array_equal(ours.ternary(name), theirs.ternary(name))
        assert ours.weight_scale(name) == theirs.weight_scale(name)
    assert np.array_equal(ours.rows("embedding")[0], theirs.rows("embedding")[0])


def test_linear_scaling_is_read(pair, tmp_path):
    keys = {"rope__scaling__type": "linear", "rope__scaling__factor": 2.0}
    file = open_checkpoint(write(tmp_path / "m.gguf", pair[1], **keys))
    assert file.config.rope_factors == (2.0,) * 8


def test_frequencies_of_llama_3_are_a_tensor(pair, tmp_path):
    factors = np.array([1, 1, 1, 1.5, 4, 8, 8, 8], np.float32)
    tensors = pair[1] | {"rope_freqs.weight": factors}
    file = open_checkpoint(write(tmp_path / "m.gguf", tensors))
    assert file.config.rope_factors == tuple(factors.tolist())
    keys = {"rope__scaling__type": "linear", "rope__scaling__factor": 2.0}
    with pytest.raises(TercelError, match=r"rope_freqs.weight and the metadata both scale RoPE"):
        open_checkpoint(write(tmp_path / "m.gguf", tensors, **keys))


@pytest.mark.parametrize("kind", ["F16", "Q8_0"])
def test_rows_are_read_in_blocks(pair, tmp_path, monkeypatch, kind):
    monkeypatch.setattr("tercel_quant.importers.gguf.BLOCK_ROWS", 100)
    path = write(tmp_path / "m.gguf", pair[1], kind=gguf.GGMLQuantizationType[kind])
    file = open_checkpoint(path)
    blocks = list(file.row_blocks("embedding"))
    assert [len(block) for block in blocks] == [100, 100, 100, 20]
    assert torch.equal(torch.cat(blocks), file.floats("embedding"))


@pytest.mark.parametrize(("count", "refused"), [(319, False), (320, False), (321, True)])
def test_tokenizer_larger_than_the_embedding_is_refused(pair, tmp_path, count, refused):
    """A smaller one leaves rows of the embedding without a text, as in many models."""
    path = write(tmp_path / "m.gguf", pair[1])
    header = read_header(path)
    tokens = ["ab", *(f"<{index}>" for index in range(count - 257)), *sorted(ByteLevel.alphabet())]
    keys = {"model": "gpt2", "pre": "gpt-2", "tokens": tokens, "merges": ["a b"]}
    metadata = header.metadata | {f"tokenizer.ggml.{key}": v for key, v in keys.items()}
    tensors = {
        name: (entry.kind, entry.shape, path.read_bytes()[entry.offset :][: 4 * prod(entry.shape)])
        for name, entry in header.tensors.items()
    }
    write_gguf(path, metadata, tensors)
    if refused:
        with pytest.raises(TercelError, match=r"the tokenizer has the id 320 .* vocab_size is 320"):
            convert(path, tmp_path / "m.tercel", method="absmean")
        assert not (tmp_path / "m.tercel").exists()
    else:
        convert(path, tmp_path / "m.tercel", method="absmean")
