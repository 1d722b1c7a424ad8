import pytest

from tercel_quant.importers.unsupported import part_of_field, unsupported_parts


@pytest.mark.parametrize(
    ("architecture", "fields", "parts"),
    [
        ("MiniCPM3ForCausalLM", {"sliding_window": None}, ["latent attention"]),
        (
            "Qwen3_5ForConditionalGeneration",
            {"text_config": {"linear_conv_kernel_dim": 4, "layer_types": ["linear_attention"]}},
            ["layers of linear attention"],
        ),
        (
            "Qwen2ForCausalLM",
            {"sliding_window": 4096, "use_sliding_window": False},
            ["biases"],
        ),
        ("MistralForCausalLM", {"sliding_window": 4096}, ["sliding windows"]),
        ("HunYuanDenseV1ForCausalLM", {}, ["norms of queries and keys"]),
        (
            "OtherForCausalLM",
            {"scale_emb": 12, "scale_depth": 1.4},
            ["scaled embeddings", "scaled residuals"],
        ),
        ("HGRNBitForCausalLM", {}, ["recurrent layers"]),
        (
            "NewForCausalLM",
            {"num_local_experts": 8, "use_hadamard": True, "sparsity": "3:4", "quant": "sherry"},
            ["mixtures of experts", "Hadamard rotations", "sparse formats (3:4)"],
        ),
        ("GPT2LMHeadModel", {"n_layer": 2, "num_experts": 1, "attention_bias": False}, []),
    ],
)
def test_parts_of_a_model_are_named(architecture, fields, parts):
    assert unsupported_parts(architecture, fields) == parts


def test_a_field_that_is_off_turns_nothing_on():
    for value in (None, False, 0, [], 1):
        assert part_of_field("num_experts", value) is None
    assert part_of_field("use_experts", True) == "mixtures of experts"
