"""The transformer: agreement with Hugging Face's Llama, causality, names, ternary tensors."""

import dataclasses

import pytest
import torch
import transformers

from tercel.config import PRESETS, ModelConfig
from tercel_quant.model import Transformer, ternary_tensors

TINY = PRESETS["tiny"]
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


def test_ternary_model_equals_float_model_with_its_weights_up_to_activations():
    ternary = make(TINY, "ternary")
    plain = make(TINY)
    with torch.no_grad():
        for name, trits, scale in ternary_tensors(ternary):
            plain.get_submodule(name).weight.copy_(trits * scale)
    tokens = tokens_of(TINY)
    difference = ternary.reference_logits(tokens) - plain.reference_logits(tokens)
    assert 0 < difference.std() < 0.05 * plain.reference_logits(tokens).std()


def test_ternary_tensors_come_in_tape_order():
    model = make(TINY, "ternary")
    found = list(ternary_tensors(model))
    assert [name for name, _, _ in found[:8]] == [
        *(f"layers.0.{name}" for name in ("q", "k", "v", "o", "gate", "up", "down")),
        "layers.1.q",
    ]
    assert len(found) == 7 * TINY.layers
    assert sum(trits.numel() for _, trits, _ in found) == TINY.ternary_weights
    for _, trits, scale in found:
        assert trits.dtype == torch.int8
        assert set(trits.unique().tolist()) == {-1, 0, 1}
        assert scale.dtype == torch.float32
        assert scale.shape == ()
        assert scale > 0


def test_initialisation_is_a_function_of_the_seed():
    first, second = (make(TINY).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
