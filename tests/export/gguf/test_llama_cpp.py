"""llama.cpp reads the files and computes the same models, in its own arithmetic."""

import dataclasses

import numpy as np
import pytest
from llama_cpp import LlamaCpp
from random_exports import write_image
from text_samples import text_samples

from tercel.config import PRESETS
from tercel.device.emulator import EmulatorDevice
from tercel.runtime import TextTokenizer
from tercel_export.gguf.writer import write_gguf

PROMPT = "The people of the United States"
SUB_NORMS = dataclasses.replace(
    PRESETS["tiny"],
    layers=2,
    hidden_size=256,
    ffn_size=512,
    heads=4,
    kv_heads=2,
    head_size=64,
    vocab_size=4096,
    sub_norms=True,
)


def device_text(image, prompt, count):
    """The device's next tokens by the highest logit."""
    device = EmulatorDevice(image, nodes=len(prompt))
    text, fresh = list(prompt), list(prompt)
    for _ in range(count):
        nodes = len(fresh)
        result = device.run_pass(fresh, parents=range(-1, nodes - 1), base=len(text) - nodes)
        device.commit(list(range(nodes)))
        fresh = [int(result.argmax[-1])]
        text += fresh
    return text[len(prompt) :]


@pytest.fixture(scope="module", params=["TQ1_0", "TQ2_0"])
def llama(request, small, tmp_path_factory):
    path = tmp_path_factory.mktemp("llama") / "small.gguf"
    list(write_gguf(small, path, tensor_type=request.param))
    return LlamaCpp(path)


def test_it_writes_the_text_of_the_device(small, llama):
    prompt = TextTokenizer.of_image(small).encode(PROMPT)
    assert llama.greedy(prompt, 40) == device_text(small, prompt, 40)


def test_its_tokens_are_the_images(small, llama):
    tokenizer = TextTokenizer.of_image(small)
    for text in text_samples(200, seed=3, special=("<|endoftext|>",)):
        assert llama.tokenize(text) == tokenizer.encode(text), text


def test_it_computes_sub_norms(small, tmp_path):
    """Logits of a random model are close together, so its argmax is a sharp test of each part."""
    image = write_image(tmp_path / "model.tercel", SUB_NORMS, tokenizer=small.tokenizer)
    list(write_gguf(image, tmp_path / "model.gguf"))
    llama = LlamaCpp(tmp_path / "model.gguf")
    prompts = np.random.default_rng(1).integers(1, 4096, (12, 6)).tolist()
    same = [llama.greedy(prompt, 1) == device_text(image, prompt, 1) for prompt in prompts]
    assert sum(same) >= 8


def test_it_refuses_squared_relu_instead_of_computing_something_else(small, tmp_path):
    config = dataclasses.replace(SUB_NORMS, activation="relu2")
    image = write_image(tmp_path / "model.tercel", config, tokenizer=small.tokenizer)
    list(write_gguf(image, tmp_path / "model.gguf"))
    with pytest.raises(RuntimeError, match="Failed to init"):
        LlamaCpp(tmp_path / "model.gguf")
