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


LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}


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
        (
            '{"eos_token_id": [[2]]}',
            "generation_config.json: eos_token_id[0] must be an integer in 0..",
        ),
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
            "BitNetForCausalLM, Qwen3ForCausalLM, MiniCPMForCausalLM, not 'GPT2LMHeadModel'",
        ),
        (
            {"architectures": ["Qwen3MoeForCausalLM"], "num_experts": 8, "use_qk_norm": True},
            "not 'Qwen3MoeForCausalLM', which has mixtures of experts, norms of queries and keys",
        ),
        ({"architectures": "absent"}, "not None"),
        ({"attention_bias": True}, "attention_bias is True, but biases are not supported"),
        ({"mlp_bias": True}, "mlp_bias is True, but biases are not supported"),
        (
            {"rope_scaling": {"type": "yarn", "factor": 2.0}},
            "rope_scaling asks for the RoPE scaling type 'yarn' with the factor 2, but only "
            "linear, llama3 and longrope are supported",
        ),
        (
            {"rope_parameters": {"rope_type": "llama3", "factor": 8.0}},
            "rope_parameters.low_freq_factor is missing, which the type 'llama3' needs",
        ),
        (
            {"rope_scaling": {"type": "linear"}},
            "rope_scaling.factor is missing, which the type 'linear' needs",
        ),
        (
            {"rope_scaling": {"type": "linear", "factor": 2}, "rope_parameters": LLAMA3},
            "rope_parameters and rope_scaling scale RoPE differently; delete one of them",
        ),
        (
            {"rope_parameters": LLAMA3 | {"low_freq_factor": 4}},
            "rope_parameters.high_freq_factor must be above low_freq_factor 4, not 4",
        ),
        (
            {"attention_bias": True, "num_experts": 8, "use_hadamard": True},
            "attention_bias is True, but biases are not supported; num_experts is 8, but mixtures "
            "of experts are not supported; use_hadamard is True, but Hadamard rotations are not",
        ),
        (
            {"partial_rotary_factor": 0.5},
            "partial_rotary_factor is 0.5, but RoPE on a part of a head is not supported",
        ),
        ({"hidden_act": "gelu"}, "hidden_act must be one of silu, swish, relu2, not 'gelu'"),
        (
            {"rope_theta_scale": 2.0},
            "rope_theta_scale (2.0) is not known, and may change what the model computes; if it "
            "does not, delete it from the file",
        ),
        (
            {"rope_parameters": {"mrope_section": [1]}},
            "rope_parameters.mrope_section (a list of 1)",
        ),
        ({"scale_emb": 12}, "scale_emb is 12, but scaled embeddings are not supported"),
        ({"rope_parameters": [1]}, "rope_parameters must be an object, not a list of 1"),
        ({"quantization_config": "bitnet"}, "quantization_config must be an object, not 'bitnet'"),
        ({"num_attention_heads": 0}, "num_attention_heads must be an integer in 1..1048576, not 0"),
        (
            {"num_attention_heads": 3, "head_dim": None},
            "num_attention_heads must divide hidden_size, but 3 does not divide 64",
        ),
        (
            {"max_position_embeddings": 1e12},
            "max_position_embeddings must be an integer in 1..2147483647, not 1000000000000.0",
        ),
        ({"tie_word_embeddings": "no"}, "tie_word_embeddings must be true or false, not 'no'"),
        ({"rms_norm_eps": float("nan")}, "rms_norm_eps must be a number above 0 and at most 1"),
        (
            {
                "quantization_config": {
                    "quant_method": "bitnet",
                    "modules_to_not_convert": ["lm_head", "q_proj"],
                }
            },
            "modules_to_not_convert[1] must be one of lm_head, embed_tokens,",
        ),
        ({"num_hidden_layers": "absent"}, "config.json: the field num_hidden_layers is missing"),
        ({"weight_bits": 2}, "weight_bits is 2, but other widths of weights are not supported"),
        ({"input_bits": 4}, "input_bits is 4, but other widths of activations are not supported"),
        (
            {"quantization_config": {"quant_method": "sherry"}},
            "quantization_config.quant_method is 'sherry', but sparse formats (3:4) are not supp",
        ),
        (
            {"layer_types": ["full_attention", "linear_attention"]},
            "layer_types[1] is 'linear_attention', but layers of linear attention are not supp",
        ),
        (
            {"quantization_config": {"quant_method": "gptq"}},
            "quantization_config.quant_method must be one of bitnet, not 'gptq'",
        ),
        (
            {"quantization_config": {"quant_method": "bitnet", "use_rms_norm": True}},
            "quantization_config.use_rms_norm is True, but a norm inside every linear is not",
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


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"architectures": ["HunYuanDenseV1ForCausalLM"]}, "norms of queries and keys"),
        ({"attention_bias": True}, "biases"),
        ({"num_local_experts": 8}, "mixtures of experts"),
        ({"layer_types": ["linear_attention"]}, "layers of linear attention"),
        ({"sliding_window": 4096}, "sliding windows"),
        (
            {"quantization_config": {"quant_method": "bitnet", "use_rms_norm": True}},
            "a norm inside every linear",
        ),
        ({"rope_scaling": {"type": "yarn", "factor": 4.0}}, "RoPE scaling type 'yarn'"),
        ({"quantization_config": {"quant_method": "bitnet", "hadamard": True}}, "Hadamard rot"),
        ({"quantization_config": {"quant_method": "sherry"}}, "sparse formats (3:4)"),
    ],
)
def test_what_the_architecture_lacks_is_named_without_any_tensor(llama, fields, part):
    folder, _ = llama()
    edit_config(folder, **fields)
    (folder / "model.safetensors").unlink()
    with refusal(folder, part):
        open_checkpoint(folder)


@pytest.mark.parametrize("text", ["{", "[]"])
def test_config_that_is_no_object_refused(llama, text):
    folder, _ = llama()
    (folder / "config.json").write_text(text)
    with pytest.raises(TercelError, match=r"not valid JSON|must hold a JSON object, not list"):
        open_checkpoint(folder)


def test_config_of_published_models_is_known(llama):
    """Fields that transformers 4 and 5 and the makers of SmolLM2, TriLM and Falcon3 write."""
    folder, _ = llama()
    edit_config(
        folder,
        _attn_implementation_autoset=True,
        activation="swiglu",
        attention_dropout=0.0,
        do_sample=False,
        is_llama_config=True,
        pretraining_tp=1,
        rope_interleaved=False,
        rope_scaling=None,
        rope_theta=1000042,
        sliding_window=None,
        temperature=1.0,
        torch_dtype="bfloat16",
        unsloth_fixed=True,
        **{"transformers.js_config": {"dtype": "q4"}},
    )
    assert open_checkpoint(folder).config.layers == 2


@pytest.mark.parametrize("field", ["rope_scaling", "rope_parameters"])
def test_linear_scaling_by_one_is_none(llama, field):
    folder, _ = llama()
    edit_config(folder, **{field: {"type": "linear", "factor": 1.0}})
    assert open_checkpoint(folder).config.context == 64


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
        ("model.layers.0.self_attn.q_norm.weight", "norms of queries and keys outside of Qwen3"),
        ("model.layers.0.mlp.experts.3.up_proj.weight", "mixtures of experts are not supported"),
        ("model.layers.0.extra.weight", "has 1 tensors that its config does not call for: model."),
    ],
)
def test_extra_tensors_refused(llama, name, rule):
    folder, _ = llama()
    edit_tensors(folder, lambda tensors: tensors.update({name: torch.ones(64)}))
    with refusal(folder, rule):
        open_checkpoint(folder)


def test_second_copy_of_a_tied_head_must_be_a_copy(llama, tmp_path):
    folder, _ = llama()

    def copy(tensors):
        tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()

    edit_tensors(folder, copy)
    convert(folder, tmp_path / "m.tercel", method="absmean")
    assert Image.open(tmp_path / "m.tercel").config.tied_head

    def change(tensors):
        tensors["lm_head.weight"][300, 5] += 1

    edit_tensors(folder, change)
    with refusal(folder, "config.json ties the head to the embedding, but lm_head.weight is not a"):
        convert(folder, tmp_path / "m.tercel", method="absmean")


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
        open_checkpoint(folder).floats("norm")


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


def test_scale_without_dimensions_is_read(bitnet):
    folder = bitnet("bitlinear", "offline")
    expected = open_checkpoint(folder).matrix("layers.0.q").scale

    def reshape(tensors):
        for name in tensors:
            if name.endswith("_scale"):
                tensors[name] = tensors[name].reshape(())

    edit_tensors(folder, reshape)
    assert open_checkpoint(folder).matrix("layers.0.q").scale == expected


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


def test_folder_without_weights_refused(llama):
    folder, _ = llama()
    (folder / "model.safetensors").unlink()
    with refusal(folder, "holds none of model.safetensors, pytorch_model.bin and their indices"):
        open_checkpoint(folder)


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json"])
def test_pointer_of_git_lfs_is_told(llama, name):
    folder, _ = llama()
    (folder / name).write_text(POINTER)
    with refusal(folder, f"{name} is a Git LFS pointer, not the file itself; fetch it with `git"):
        open_checkpoint(folder).tokenizer()


@pytest.mark.parametrize("name", ["vocab.json", "tekken.json"])
def test_tokenizer_of_another_kind_is_told(llama, name):
    folder, _ = llama()
    (folder / "tokenizer.json").rename(folder / name)
    with refusal(folder, f"brings {name} but no tokenizer.json"):
        open_checkpoint(folder).tokenizer()


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_folder_in_place_of_a_file_refused(llama, name):
    folder, _ = llama()
    (folder / name).unlink()
    (folder / name).mkdir()
    with pytest.raises(TercelError, match=f"{name} (cannot be read|is no readable)"):
        open_checkpoint(folder).tokenizer()
