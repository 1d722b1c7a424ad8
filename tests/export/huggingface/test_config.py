from transformers import AutoConfig

from tercel_export.huggingface.config import huggingface_config


def test_transformers_reads_every_size(image, exported):
    found = AutoConfig.from_pretrained(exported(image, "huggingface"))
    config = image.config
    assert found.model_type == ("bitnet" if config.sub_norms else "llama")
    assert (found.hidden_size, found.intermediate_size) == (config.hidden_size, config.ffn_size)
    assert (found.num_attention_heads, found.num_key_value_heads) == (
        config.heads,
        config.kv_heads,
    )
    assert found.head_dim == config.head_size
    assert found.rope_parameters["rope_theta"] == config.rope_base
    assert found.tie_word_embeddings is config.tied_head


def test_one_end_token_is_a_number_and_several_are_a_list(small, images):
    assert huggingface_config(small.config)["eos_token_id"] == 0
    several = images["relu2-untied-sub-norms"].config
    assert huggingface_config(several)["eos_token_id"] == [2, 3]
