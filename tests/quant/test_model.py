"""The transformer: agreement with Hugging Face's Llama, causality, names, ternary weights."""

import dataclasses

import pytest
import torch
import transformers

from tercel.config import PRESETS, ModelConfig
from tercel.errors import TercelError
from tercel_export.huggingface.names import LINEARS, NORMS, QK_NORMS
from tercel_quant.model import Transformer

TINY = PRESETS["tiny"]
TOP = {"embedding": "embed_tokens", "norm": "norm"}
NAMES = LINEARS | NORMS | QK_NORMS
VARIANTS = {
    "grouped": TINY,
    "multi-head": dataclasses.replace(TINY, kv_heads=4),
    "wide-heads": dataclasses.replace(TINY, head_size=32),
    "untied": dataclasses.replace(TINY, tied_head=False),
    "bitnet": dataclasses.replace(TINY, sub_norms=True, activation="relu2"),
}


def make(config: ModelConfig, precision: str = "float") -> Transformer:
    model = Transformer(config, precision=precision)
    model.initialise(seed=1)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.uniform_(0.5, 1.5, generator=generator)
    return model


def tokens_of(config: ModelConfig, length: int = 20) -> torch.Tensor:
    return torch.randint(config.vocab_size, (2, length), generator=torch.Generator().manual_seed(3))


def llama_of(model: Transformer) -> transformers.LlamaForCausalLM:
    config = model.config
    llama = transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=config.vocab_size,
            hidden_size=config.hidden_size,
            intermediate_size=config.ffn_size,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            num_key_value_heads=config.kv_heads,
            head_dim=config.head_size,
            max_position_embeddings=config.context,
            rms_norm_eps=config.norm_epsilon,
            tie_word_embeddings=config.tied_head,
            rope_parameters={"rope_type": "default", "rope_theta": config.rope_base},
        )
    )
    names = {
        "embedding": "model.embed_tokens",
        "norm": "model.norm",
        "head": "lm_head",
        "attention_norm": "input_layernorm",
        "mlp_norm": "post_attention_layernorm",
        **{name: f"self_attn.{name}_proj" for name in "qkvo"},
        **{name: f"mlp.{name}_proj" for name in ("gate", "up", "down")},
    }
    state = {}
    for key, tensor in model.state_dict().items():
        *prefix, name, _ = key.split(".")
        state[".".join([*(["model", *prefix] if prefix else []), names[name], "weight"])] = tensor
    if config.tied_head:
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    llama.load_state_dict(state)
    return llama


@pytest.mark.parametrize("variant", ["grouped", "multi-head", "wide-heads", "untied"])
def test_float_model_equals_llama(variant):
    model = make(VARIANTS[variant])
    tokens = tokens_of(model.config)
    with torch.no_grad():
        expected = llama_of(model)(tokens).logits
    torch.testing.assert_close(model.reference_logits(tokens), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("precision", ["float", "ternary"])
def test_later_tokens_do_not_change_earlier_logits(variant, precision):
    model = make(VARIANTS[variant], precision)
    tokens = tokens_of(model.config)
    whole = model.reference_logits(tokens)
    assert whole.shape == (2, 20, model.config.vocab_size)
    assert whole.dtype == torch.float32
    start = model.reference_logits(tokens[:, :7])
    torch.testing.assert_close(whole[:, :7], start, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_parameters_have_canonical_names_and_gradients(variant):
    model = make(VARIANTS[variant], "ternary")
    config = model.config
    expected = {"embedding.weight", "norm.weight"} | (
        set() if config.tied_head else {"head.weight"}
    )
    for index in range(config.layers):
        for name in (*config.linears(), *config.norms()):
            expected.add(f"layers.{index}.{name}.weight")
    assert set(model.state_dict()) == expected
    model(tokens_of(config)).square().mean().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("granularity", ["tensor", "row", "group"])
def test_ternary_model_equals_float_model_with_its_weights_up_to_activations(granularity):
    ternary = make(dataclasses.replace(TINY, granularity=granularity), "ternary")
    plain = make(TINY)
    with torch.no_grad():
        for layer in range(TINY.layers):
            for name in TINY.linears():
                linear = ternary.layers[layer].get_submodule(name)
                integers, scale = linear.integers()
                plain.layers[layer].get_submodule(name).weight.copy_(integers * scale[:, None])
    tokens = tokens_of(TINY)
    difference = ternary.reference_logits(tokens) - plain.reference_logits(tokens)
    assert 0 < difference.std() < 0.05 * plain.reference_logits(tokens).std()


def test_norms_of_queries_and_keys_are_those_of_qwen3():
    config = dataclasses.replace(TINY, qk_norm=True)
    model = make(config)
    qwen = transformers.Qwen3ForCausalLM(
        transformers.Qwen3Config(
            vocab_size=config.vocab_size,
            hidden_size=config.hidden_size,
            intermediate_size=config.ffn_size,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            num_key_value_heads=config.kv_heads,
            head_dim=config.head_size,
            rms_norm_eps=config.norm_epsilon,
            tie_word_embeddings=True,
            attn_implementation="eager",
        )
    )
    state = model.state_dict()
    own = {f"model.{TOP[name]}.weight": state[f"{name}.weight"] for name in TOP}
    for layer in range(config.layers):
        for ours, theirs in NAMES.items():
            own[f"model.layers.{layer}.{theirs}.weight"] = state[f"layers.{layer}.{ours}.weight"]
    missing, unexpected = qwen.load_state_dict(own, strict=False)
    assert (set(missing) <= {"lm_head.weight"}, unexpected) == (True, [])
    tokens = tokens_of(config)
    with torch.no_grad():
        theirs = qwen(tokens).logits
    torch.testing.assert_close(model.reference_logits(tokens), theirs, atol=2e-5, rtol=1e-4)


def test_a_ternary_head_is_not_trained():
    config = dataclasses.replace(TINY, granularity="group", ternary_head=True)
    with pytest.raises(TercelError, match="ternary_head must be false to train a model"):
        Transformer(config)


def test_initialisation_is_a_function_of_the_seed():
    first, second = (make(TINY).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
