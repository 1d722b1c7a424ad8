"""onnxruntime-genai generates the device's text."""

import dataclasses
from types import SimpleNamespace

import pytest

from tercel.device.emulator import EmulatorDevice
from tercel.image import SamplingFilters
from tercel.runtime import TextTokenizer
from tercel_export.onnx.genai_config import genai_config

PROMPT = "The Congress of the United States"
TOKENS = 16


def test_it_writes_the_same_text_as_the_device(small, exported):
    genai = pytest.importorskip("onnxruntime_genai")
    model = genai.Model(str(exported(small, "onnx")))
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
    [(None, (), (52, 52)), (None, (3,), (3, 3)), (1, (2, 3), (1, [2, 3]))],
)
def test_begin_and_end_tokens(one_layer, bos, ends, expected):
    config = dataclasses.replace(one_layer.config, bos_token=bos, eos_tokens=ends)
    model = genai_config(SimpleNamespace(config=config, sampling=None), "model.onnx")["model"]
    assert (model["bos_token_id"], model["eos_token_id"]) == expected


def test_recommended_sampling_is_the_default(one_layer):
    sampling = SamplingFilters(temperature=0.6, top_k=40, top_p=0.9)
    image = SimpleNamespace(config=one_layer.config, sampling=sampling)
    search = genai_config(image, "model.onnx")["search"]
    assert search["do_sample"] is True
    assert (search["temperature"], search["top_k"], search["top_p"]) == (0.6, 40, 0.9)
