"""The known fields of a ``config.json``: read, refused unless off, or harmless."""

from dataclasses import replace

from tercel_quant.importers.fields import (
    Choice,
    Field,
    FieldTable,
    Fixed,
    Flag,
    Listed,
    Nested,
    Number,
    OneOrMore,
    Text,
)
from tercel_quant.importers.sizes import (
    CONTEXT,
    EPSILON,
    LAYERS,
    ROPE_BASE,
    TOKEN,
    VOCABULARY,
    WIDTH,
)

__all__ = ["CONFIG", "MINICPM"]

REMEDY = "if it does not, delete it from the file"

UNQUANTISED = ("lm_head", "embed_tokens", "model.embed_tokens", "norm", "model.norm")
"""Modules that are never ternary in tercel."""

BIASES = Field(Fixed((False,), "biases are"))
PARTIAL = Field(Fixed((1,), "RoPE on a part of a head is"))
EXPERTS = Field(Fixed((0, 1), "mixtures of experts are"))

ROPE = FieldTable(
    fields={
        "rope_type": Field(Text()),
        "type": Field(Text()),
        "rope_theta": Field(ROPE_BASE),
        "factor": Field(Number(0, 1e6)),
        "low_freq_factor": Field(Number(0, 1e6)),
        "high_freq_factor": Field(Number(0, 1e6)),
        "original_max_position_embeddings": Field(CONTEXT),
        "long_factor": Field(Listed(Number(0, 1e6))),
        "short_factor": Field(Listed(Number(0, 1e6))),
        "attention_factor": Field(Number(0, 1e6)),
        "partial_rotary_factor": PARTIAL,
    },
    remedy=REMEDY,
    # Parameters of scalings that are refused.
    harmless=frozenset(
        {
            "beta_fast",
            "beta_slow",
            "finetuned",
            "mscale",
            "mscale_all_dim",
            "truncate",
        }
    ),
)

QUANTISATION = FieldTable(
    fields={
        "quant_method": Field(Choice({"bitnet": "bitnet"}), required=True),
        "linear_class": Field(Text(), "bitlinear"),
        "quantization_mode": Field(Text(), "offline"),
        "use_rms_norm": Field(Fixed((False,), "a norm inside every linear is")),
        "modules_to_not_convert": Field(Listed(Choice({name: name for name in UNQUANTISED}))),
    },
    remedy=REMEDY,
    harmless=frozenset({"rms_norm_eps"}),
)

CONFIG = FieldTable(
    fields={
        "architectures": Field(Listed(Text()), []),
        "num_hidden_layers": Field(LAYERS, required=True),
        "hidden_size": Field(WIDTH, required=True),
        "intermediate_size": Field(WIDTH, required=True),
        "num_attention_heads": Field(WIDTH, required=True),
        "num_key_value_heads": Field(WIDTH),
        "head_dim": Field(WIDTH),
        "vocab_size": Field(VOCABULARY, required=True),
        "max_position_embeddings": Field(CONTEXT, required=True),
        "rms_norm_eps": Field(EPSILON, required=True),
        "hidden_act": Field(
            Choice({"silu": "silu", "swish": "silu", "relu2": "relu2"}), required=True
        ),
        "tie_word_embeddings": Field(Flag(), False),
        "bos_token_id": Field(OneOrMore(TOKEN)),
        "eos_token_id": Field(OneOrMore(TOKEN)),
        "rope_theta": Field(ROPE_BASE),
        "rope_scaling": Field(Nested(ROPE), {}),
        "rope_parameters": Field(Nested(ROPE), {}),
        "quantization_config": Field(Nested(QUANTISATION)),
        "weight_bits": Field(Fixed((1,), "other widths of weights are")),
        "input_bits": Field(Fixed((8,), "other widths of activations are")),
        "activation": Field(Fixed(("silu", "swiglu"), "other activations are")),
        "attention_bias": BIASES,
        "mlp_bias": BIASES,
        "partial_rotary_factor": PARTIAL,
        "rope_interleaved": Field(Fixed((False,), "RoPE on neighbouring elements is")),
        "is_causal": Field(Fixed((True,), "attention to later tokens is")),
        "is_encoder_decoder": Field(Fixed((False,), "encoders are")),
        "add_cross_attention": Field(Fixed((False,), "encoders are")),
        "sliding_window": Field(Fixed((0,), "sliding windows are")),
        "use_sliding_window": Field(Fixed((False,), "sliding windows are")),
        "layer_types": Field(Listed(Choice({"full_attention": "full_attention"}))),
        "use_qk_norm": Field(Fixed((False,), "norms of queries and keys are")),
        "num_experts": EXPERTS,
        "num_local_experts": EXPERTS,
        "n_routed_experts": EXPERTS,
        "attn_logit_softcapping": Field(Fixed((0,), "soft caps of scores are")),
        "final_logit_softcapping": Field(Fixed((0,), "soft caps of logits are")),
        "scale_emb": Field(Fixed((1,), "scaled embeddings are")),
        "embedding_multiplier": Field(Fixed((1,), "scaled embeddings are")),
        "residual_multiplier": Field(Fixed((1,), "scaled residuals are")),
        "logits_scaling": Field(Fixed((1,), "scaled logits are")),
        "logit_scale": Field(Fixed((1,), "scaled logits are")),
        "compression_config": Field(Fixed((), "compressed tensors are")),
        "pruned_heads": Field(Fixed(({},), "models without some heads are")),
    },
    remedy=REMEDY,
    # Fields of transformers itself, and generation fields that older versions wrote here.
    harmless_prefixes=("_", "unsloth", "transformers.js"),
    harmless=frozenset(
        {
            "attention_dropout",
            "attn_implementation",
            "auto_map",
            "bad_words_ids",
            "begin_suppress_tokens",
            "chunk_size_feed_forward",
            "cross_attention_hidden_size",
            "decoder_start_token_id",
            "diversity_penalty",
            "do_sample",
            "dtype",
            "early_stopping",
            "embd_pdrop",
            "encoder_no_repeat_ngram_size",
            "exponential_decay_length_penalty",
            "finetuning_task",
            "forced_bos_token_id",
            "forced_eos_token_id",
            "gradient_checkpointing",
            "hidden_dropout",
            "id2label",
            "initializer_range",
            "is_decoder",
            "is_llama_config",
            "label2id",
            "length_penalty",
            "license",
            "max_length",
            "max_sequence_length",
            "max_window_layers",
            "min_length",
            "mlp_dropout",
            "model_type",
            "no_repeat_ngram_size",
            "num_beam_groups",
            "num_beams",
            "num_return_sequences",
            "output_attentions",
            "output_hidden_states",
            "output_scores",
            "pad_token_id",
            "prefix",
            "pretraining_tp",
            "problem_type",
            "remove_invalid_values",
            "repetition_penalty",
            "resid_pdrop",
            "return_dict",
            "return_dict_in_generate",
            "sep_token_id",
            "suppress_tokens",
            "task_specific_params",
            "temperature",
            "tf_legacy_loss",
            "tokenizer_class",
            "top_k",
            "top_p",
            "torch_dtype",
            "torchscript",
            "transformers_version",
            "typical_p",
            "unk_token_id",
            "use_bfloat16",
            "use_cache",
        }
    ),
)

MINICPM = replace(
    CONFIG,
    fields={
        **CONFIG.fields,
        "scale_emb": Field(Number(0, 1e6), required=True),
        "scale_depth": Field(Number(0, 1e6), required=True),
        "dim_model_base": Field(WIDTH, required=True),
        "sparse_config": Field(Fixed((), "sparse attention is")),
    },
    # Of decoders that draft for the model.
    harmless=CONFIG.harmless | {"mup_denominator"},
)
"""The fields of MiniCPM, whose embedding, residuals and logits are scaled."""
