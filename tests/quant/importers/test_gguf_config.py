import pytest

from tercel.errors import TercelError
from tercel_quant.importers.gguf_config import read_config


def metadata(architecture: str = "llama", **others):
    keys = {
        "block_count": 30,
        "embedding_length": 2560,
        "feed_forward_length": 6912,
        "context_length": 4096,
        "vocab_size": 128256,
        "attention.head_count": 20,
        "attention.head_count_kv": 5,
        "attention.layer_norm_rms_epsilon": 1e-5,
        "rope.dimension_count": 128,
        "rope.freq_base": 500000.0,
    }
    found = {f"{architecture}.{key}": value for key, value in keys.items()}
    return found | {"general.architecture": architecture} | others


def model(keys):
    return read_config(keys, name="m", tied_head=True).model


@pytest.mark.parametrize("architecture", ["bitnet-b1.58", "bitnet-25"])
def test_files_of_bitnet_cpp(architecture):
    """The metadata of microsoft/bitnet-b1.58-2B-4T-gguf, which does not name its activation."""
    found = model(metadata(architecture))
    assert (found.activation, found.sub_norms, found.head_size) == ("relu2", True, 128)
    assert (found.heads, found.kv_heads, found.rope_base) == (20, 5, 500000.0)


def test_activation_that_llama_cpp_gets_wrong_is_not_guessed():
    """llama.cpp's converter writes the 2B-4T model without its activation, and runs SiLU."""
    keys = metadata("bitnet", **{"tokenizer.ggml.model": "gpt2"})
    with pytest.raises(TercelError, match=r"bitnet.hidden_activation is missing: .* with relu2;"):
        model(keys)
    assert model(keys | {"bitnet.hidden_activation": "relu2"}).activation == "relu2"
    assert model(metadata("bitnet", **{"tokenizer.ggml.model": "llama"})).activation == "silu"


def test_rotations_are_refused_by_name():
    """Ternary Bonsai 2 stores weights in a rotated basis, under the architecture's usual keys."""
    keys = metadata(**{"prism.hadamard.block_size": 1024})
    with pytest.raises(TercelError, match=r"prism.hadamard.block_size: Hadamard rotations are not"):
        model(keys)


def test_keys_outside_of_the_architecture():
    harmless = {"general.name": "x", "tokenizer.chat_template": "", "split.count": 1}
    harmless |= {"quantize.imatrix.file": "x", "mradermacher.quantize_version": "2"}
    model(metadata(**harmless))
    with pytest.raises(TercelError, match=r"sparse.pattern \('3:4'\) is not known, and may change"):
        model(metadata(**{"sparse.pattern": "3:4"}))


def test_end_tokens_are_all_that_are_named_or_known_by_their_text():
    """generation_config.json of Llama 3 has three; a GGUF file names one of each kind."""
    prefix = "tokenizer.ggml."
    keys = {"tokens": ["a", "<|end_of_text|>", "<|eot_id|>", "<|eom_id|>", "</s>", "<|eot_id|>b"]}
    keys |= {"token_type": [1, 3, 3, 3, 1, 3], "eos_token_id": 2}
    assert model(metadata(**{prefix + k: v for k, v in keys.items()})).eos_tokens == (2, 1, 3)
    keys |= {"eos_token_ids": [0, 2], "eog_token_ids": [5, 0]}
    assert model(metadata(**{prefix + k: v for k, v in keys.items()})).eos_tokens == (2, 0, 5, 1, 3)
    with pytest.raises(TercelError, match=r"tokenizer.ggml.eos_token_ids\[0\] must be an integer"):
        model(metadata(**{"tokenizer.ggml.eos_token_ids": ["</s>"]}))
