import json
import re

import pytest
import torch
from safetensors.torch import load_file, save_file

from tercel.errors import TercelError
from tercel.image import Image
from tercel_quant.convert import convert
from tercel_quant.importers import Ternary, open_checkpoint

pytestmark = pytest.mark.filterwarnings("ignore:.*script_method:DeprecationWarning")


def edit_config(folder, **fields):
    config = json.loads((folder / "config.json").read_text()) | fields
    config = {name: value for name, value in config.items() if value != "absent"}
    (folder / "config.json").write_text(json.dumps(config))


def edit_tensors(folder, change):
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def refusal(folder, rule):
    return pytest.raises(TercelError, match=re.escape(rule))


def test_config_is_taken_over(llama):
    folder, _ = llama()
    checkpoint = open_checkpoint(folder)
    config = checkpoint.config
    assert config.name == "llama"
    assert (config.layers, config.hidden_size, config.ffn_size) == (2, 64, 160)
    assert (config.heads, config.kv_heads, config.head_size) == (4, 2, 16)
    assert (config.bos_token, config.eos_tokens, config.context) == (1, (2,), 64)
    assert not checkpoint.trained_ternary
    assert checkpoint.description == "Hugging Face LlamaForCausalLM, float weights"
    assert checkpoint.tokenizer() == (folder / "tokenizer.json").read_bytes()


@pytest.mark.parametrize(
    ("ours", "generation", "ends"),
    [
        ([7, 9, 7], "absent", (7, 9)),
        (None, "absent", ()),
        (7, None, (7,)),
        (7, 9, (7, 9)),
        ([7, 9], [8, 9, 5], (7, 9, 8, 5)),
        ("absent", [8, 5], (8, 5)),
        ([], [], ()),
    ],
)
def test_all_end_tokens_count(llama, tmp_path, ours, generation, ends):
    folder, _ = llama()
    edit_config(folder, eos_token_id=ours, bos_token_id=[])
    if generation != "absent":
        fields = {"eos_token_id": generation, "max_length": 20}
        (folder / "generation_config.json").write_text(json.dumps(fields))
    config = open_checkpoint(folder).config
    assert (config.bos_token, config.eos_tokens) == (None, ends)
    convert(folder, tmp_path / "m.tercel", method="absmean")
    assert Image.open(tmp_path / "m.tercel").config.eos_tokens == ends


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ("{", "generation_config.json is not valid JSON"),
        ("[2]", "generation_config.json must hold a JSON object, not list"),
        ('{"eos_token_id": [2, 320]}', "eos_tokens must be a tuple of token ids below vocab_size"),
        ('{"eos_token_id": [[2]]}', "eos_tokens must be a tuple of token ids below vocab_size"),
    ],
)
def test_a_bad_generation_config_is_refused(llama, content, rule):
    folder, _ = llama()
    (folder / "generation_config.json").write_text(content)
    with refusal(folder, rule):
        open_checkpoint(folder)


def test_old_rope_field_is_read(llama):
    folder, _ = llama()
    edit_config(folder, rope_parameters="absent", rope_theta=3e4)
    assert open_checkpoint(folder).config.rope_base == 3e4


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        (
            {"architectures": ["GPT2LMHeadModel"]},
            "the architecture must be one of LlamaForCausalLM, BitnetForCausalLM, "
            "BitNetForCausalLM, not 'GPT2LMHeadModel'",
        ),
        ({"architectures": "absent"}, "not None"),
        ({"attention_bias": True}, "attention_bias is set, but biases are not supported"),
        ({"mlp_bias": True}, "mlp_bias is set, but biases are not supported"),
        (
            {"rope_scaling": {"type": "linear", "factor": 2.0}},
            "rope_scaling asks for the RoPE scaling type 'linear'",
        ),
        (
            {"rope_parameters": {"rope_type": "llama3", "factor": 8.0}},
            "rope_parameters asks for the RoPE scaling type 'llama3'",
        ),
        ({"partial_rotary_factor": 0.5}, "partial_rotary_factor must be 1, not 0.5"),
        ({"hidden_act": "gelu"}, "activation must be one of silu, relu2, not 'gelu'"),
        ({"num_hidden_layers": "absent"}, "lacks the field num_hidden_layers"),
        ({"weight_bits": 2}, "weight_bits must be 1, not 2"),
        ({"input_bits": 4}, "input_bits must be 8, not 4"),
        (
            {"quantization_config": {"quant_method": "gptq"}},
            "quant_method must be 'bitnet' or absent, not 'gptq'",
        ),
        (
            {"quantization_config": {"quant_method": "bitnet", "use_rms_norm": True}},
            "use_rms_norm is set, but a norm inside every linear is not supported",
        ),
        (
            {"quantization_config": {"quant_method": "bitnet", "quantization_mode": "online"}},
            "the linear_class 'bitlinear' in the quantization_mode 'online' is not known",
        ),
    ],
)
def test_config_refused(llama, fields, rule):
    folder, _ = llama()
    edit_config(folder, **fields)
    with refusal(folder, rule):
        open_checkpoint(folder)


@pytest.mark.parametrize("text", ["{", "[]"])
def test_config_that_is_no_object_refused(llama, text):
    folder, _ = llama()
    (folder / "config.json").write_text(text)
    with pytest.raises(TercelError, match=r"not valid JSON|must hold a JSON object, not list"):
        open_checkpoint(folder)


def test_missing_tensors_refused(llama):
    folder, _ = llama()
    name = "model.layers.1.mlp.down_proj.weight"
    edit_tensors(folder, lambda tensors: tensors.pop(name))
    with refusal(folder, f"the checkpoint lacks 1 tensors: {name}"):
        open_checkpoint(folder)


def test_many_missing_tensors_are_counted(llama):
    folder, _ = llama()
    edit_tensors(folder, lambda tensors: [tensors.pop(name) for name in list(tensors)[1:]])
    with refusal(folder, " and 14 more"):
        open_checkpoint(folder)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("model.layers.0.self_attn.q_proj.bias", "biases are not supported"),
        ("model.layers.0.self_attn.q_norm.weight", "norms of queries and keys are not supported"),
        ("model.layers.0.mlp.experts.3.up_proj.weight", "mixtures of experts are not supported"),
        ("model.layers.0.extra.weight", "has 1 tensors that its config does not call for: model."),
    ],
)
def test_extra_tensors_refused(llama, name, rule):
    folder, _ = llama()
    edit_tensors(folder, lambda tensors: tensors.update({name: torch.ones(64)}))
    with refusal(folder, rule):
        open_checkpoint(folder)


def test_second_copy_of_a_tied_head_is_ignored(llama):
    folder, _ = llama()
    edit_tensors(folder, lambda tensors: tensors.update({"lm_head.weight": torch.ones(320, 64)}))
    assert open_checkpoint(folder).config.tied_head


def test_wrong_shape_refused(llama):
    folder, _ = llama()
    name = "model.layers.0.self_attn.k_proj.weight"
    edit_tensors(folder, lambda tensors: tensors.update({name: torch.ones(64, 64)}))
    with refusal(folder, f"{name} must have the shape (32, 64), not (64, 64)"):
        open_checkpoint(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_named(llama, value):
    folder, _ = llama()
    name = "model.layers.0.mlp.gate_proj.weight"

    def spoil(tensors):
        tensors[name][3, 5] = value

    edit_tensors(folder, spoil)
    with refusal(folder, f"{name} holds 1 values that are not finite, the first at [3, 5]"):
        open_checkpoint(folder).matrix("layers.0.gate")


def test_integers_in_place_of_floats_refused(llama):
    folder, _ = llama()
    edit_tensors(folder, lambda t: t.update({"model.norm.weight": torch.ones(64).int()}))
    with refusal(folder, "model.norm.weight must hold floats, not torch.int32"):
        open_checkpoint(folder).gain("norm")


def test_packed_trits_and_both_scale_conventions(bitnet):
    divided = open_checkpoint(bitnet("bitlinear", "offline")).matrix("layers.0.q")
    multiplied = open_checkpoint(bitnet("autobitlinear", "offline")).matrix("layers.0.q")
    masters = open_checkpoint(bitnet("autobitlinear", "online")).matrix("layers.0.q")
    assert isinstance(divided, Ternary)
    assert isinstance(multiplied, Ternary)
    assert isinstance(masters, torch.Tensor)
    mean = float(masters.abs().mean())
    assert torch.equal(divided.trits, (masters / mean).round().clamp(-1, 1).char())
    assert torch.equal(multiplied.trits, divided.trits)
    assert multiplied.scale == pytest.approx(mean, rel=1e-6)
    assert divided.scale == pytest.approx(mean, rel=1e-6)


PACKED = "model.layers.0.self_attn.q_proj.weight"


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (
            {PACKED: torch.full((16, 64), 255, dtype=torch.uint8)},
            f"{PACKED} holds the two-bit code 3, which is no trit",
        ),
        ({PACKED: torch.ones(16, 64)}, f"{PACKED} must be packed as uint8, not torch.float32"),
        ({f"{PACKED}_scale": torch.zeros(1)}, f"{PACKED}_scale must be positive, not 0.0"),
        (
            {f"{PACKED}_scale": torch.tensor([float("nan")])},
            f"{PACKED}_scale holds 1 values that are not finite",
        ),
    ],
)
def test_damaged_packing_refused(bitnet, change, rule):
    checkpoint = open_checkpoint(bitnet("bitlinear", "offline", change=change))
    with refusal(None, rule):
        checkpoint.matrix("layers.0.q")


def test_packed_rows_must_divide(bitnet):
    folder = bitnet("bitlinear", "offline")
    edit_config(folder, intermediate_size=162)
    with refusal(folder, "packed rows must be a multiple of 4, not 162"):
        open_checkpoint(folder)


def test_paths_refused(tmp_path):
    with refusal(None, f"{tmp_path / 'none'} does not exist"):
        open_checkpoint(tmp_path / "none")
    with refusal(None, f"{tmp_path} holds no config.json"):
        open_checkpoint(tmp_path)
    (tmp_path / "file").write_bytes(b"PK\3\4zip")
    with refusal(None, "is no GGUF file: it starts with b'PK\\x03\\x04'"):
        open_checkpoint(tmp_path / "file")


def test_folder_without_safetensors_refused(llama):
    folder, _ = llama()
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with refusal(folder, "PyTorch pickles are not read, save the model with safe_serialization"):
        open_checkpoint(folder)
    (folder / "pytorch_model.bin").unlink()
    with refusal(folder, "holds neither model.safetensors nor model.safetensors.index.json"):
        open_checkpoint(folder)


def test_damaged_safetensors_refused(llama):
    folder, _ = llama()
    (folder / "model.safetensors").write_bytes(b"\xff" * 100)
    with refusal(folder, "model.safetensors is no readable safetensors file"):
        open_checkpoint(folder)


def test_index_refused(llama):
    folder, _ = llama()
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "lost.safetensors"}}))
    with refusal(folder, "names files that are missing: lost.safetensors"):
        open_checkpoint(folder)
    index.write_text("[]")
    with refusal(folder, "is no index of safetensors files"):
        open_checkpoint(folder)


def test_tensor_in_two_shards_refused(llama):
    folder, _ = llama()
    (folder / "b.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "b.safetensors", "c": "model.safetensors"}}))
    with refusal(folder, "is in two files, b.safetensors and model.safetensors"):
        open_checkpoint(folder)
