"""onnxruntime-genai generates the device's text."""

import dataclasses

import pytest

from tercel.device.emulator import EmulatorDevice
from tercel.runtime import TextTokenizer
from tercel_export.onnx.genai_config import genai_config
from tercel_export.onnx.integer import IntegerForm
from tercel_export.onnx.writer import write_onnx

PROMPT = "The Congress of the United States"
TOKENS = 16


def test_it_writes_the_same_text_as_the_device(small, tmp_path):
    genai = pytest.importorskip("onnxruntime_genai")
    list(write_onnx(small, tmp_path / "model", IntegerForm))
    model = genai.Model(str(tmp_path / "model"))
    prompt = TextTokenizer.of_image(small).encode(PROMPT)
    assert genai.Tokenizer(model).encode(PROMPT).tolist() == prompt
    parameters = genai.GeneratorParams(model)
    parameters.set_search_options(max_length=len(prompt) + TOKENS)
    generator = genai.Generator(model, parameters)
    generator.append_tokens(prompt)
    while not generator.is_done():
        generator.generate_next_token()
    assert list(generator.get_sequence(0)) == _greedy(small, prompt)


def _greedy(image, prompt):
    device = EmulatorDevice(image, nodes=len(prompt))
    text, fresh = list(prompt), prompt
    for _ in range(TOKENS):
        nodes = len(fresh)
        result = device.run_pass(fresh, parents=range(-1, nodes - 1), base=len(text) - nodes)
        device.commit(list(range(nodes)))
        fresh = [int(result.argmax[-1])]
        text += fresh
    return text


@pytest.mark.parametrize(
    ("bos", "ends", "expected"),
    [(None, (), (95, 95)), (None, (3,), (3, 3)), (1, (2, 3), (1, [2, 3]))],
)
def test_begin_and_end_tokens(image, bos, ends, expected):
    config = dataclasses.replace(image.config, vocab_size=96, bos_token=bos, eos_tokens=ends)
    model = genai_config(config, "model.onnx")["model"]
    assert (model["bos_token_id"], model["eos_token_id"]) == expected
