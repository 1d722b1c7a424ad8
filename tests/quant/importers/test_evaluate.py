import dataclasses
import math
import re

import pytest
import torch

from tercel.device.emulator import EmulatorDevice
from tercel.errors import TercelError
from tercel.image import Image, ImageBuilder, copy_tensors, fill_random
from tercel.runtime import TextTokenizer
from tercel_quant.convert import convert
from tercel_quant.evaluate import device_losses, evaluate
from tercel_quant.importers import open_checkpoint
from tercel_quant.reference import token_losses
from tercel_quant.text import text_windows
from tercel_quant.weights import CheckpointWeights, ImageWeights

pytestmark = pytest.mark.filterwarnings("ignore:.*script_method:DeprecationWarning")


@pytest.fixture
def image(llama, tmp_path):
    folder, _ = llama()
    convert(folder, tmp_path / "m.tercel", method="absmean")
    return Image.open(tmp_path / "m.tercel")


@pytest.mark.parametrize("granularity", ["tensor", "group"])
def test_unquantised_is_the_loss_of_transformers(llama, tmp_path, text, granularity):
    """The same for images of other granularities."""
    folder, model = llama()
    convert(folder, tmp_path / "m.tercel", method="absmean", granularity=granularity)
    image = Image.open(tmp_path / "m.tercel")
    evaluation = evaluate(image, text, checkpoint=folder, arithmetics=("unquantised",), context=32)
    windows = text_windows(text, TextTokenizer.of_image(image), context=32)
    with torch.no_grad():
        loss = float(model(windows, labels=windows).loss)
    result = evaluation.results["unquantised"]
    assert result.tokens == windows.shape[0] * 31
    assert result.loss == pytest.approx(loss, rel=1e-4)
    assert result.perplexity == pytest.approx(math.exp(loss), rel=1e-3)


def test_a_shortlist_leaves_the_model_that_of_its_checkpoint(llama, image, text, tmp_path):
    config = dataclasses.replace(image.config, shortlist=32)
    builder = ImageBuilder(config=config, tokenizer=image.tokenizer)
    copy_tensors(image, builder)
    fill_random(builder, 1)
    builder.write(tmp_path / "listed.tercel")
    listed = Image.open(tmp_path / "listed.tercel")
    names = ("unquantised", "reference", "device")
    mine, theirs = (
        evaluate(each, text, checkpoint=llama()[0], arithmetics=names, context=32, tokens=64)
        for each in (listed, image)
    )
    assert mine.results == theirs.results


def test_device_arithmetic_is_near_the_reference(image, text):
    lines = []
    evaluation = evaluate(image, text, context=48, tokens=200, report=lines.append)
    assert list(evaluation.results) == ["reference", "device"]
    change = evaluation.device_change
    assert change is not None
    assert 0 < abs(change) < 0.03
    windows = text_windows(text, TextTokenizer.of_image(image), context=48, tokens=200)
    device = device_losses(EmulatorDevice(image, nodes=64), windows).double()
    difference = (device - token_losses(ImageWeights(image), windows)).flatten()
    assert evaluation.device_error == pytest.approx(float(difference.std()) / 188**0.5)
    assert re.fullmatch(r"device: perplexity \d+\.\d{4} over 188 tokens", lines[1])


def test_passes_of_few_nodes_give_the_same_losses(image, text):
    windows = text_windows(text, TextTokenizer.of_image(image), context=20, tokens=40)
    many = device_losses(EmulatorDevice(image, nodes=64), windows)
    few = device_losses(EmulatorDevice(image, nodes=3), windows)
    assert torch.equal(many, few)
    assert many.shape == (2, 19)


def test_bits_per_byte_count_the_predicted_text(image, text):
    evaluation = evaluate(image, text, arithmetics=("reference",), context=30, tokens=60)
    windows = text_windows(text, TextTokenizer.of_image(image), context=30, tokens=60)
    from tokenizers import Tokenizer

    decoder = Tokenizer.from_str(image.tokenizer.decode())
    predicted = sum(len(decoder.decode(window[1:].tolist()).encode()) for window in windows)
    assert evaluation.text_bytes == predicted
    loss = evaluation.results["reference"].loss
    bits = loss * 58 / math.log(2) / predicted
    assert evaluation.bits_per_byte("reference") == pytest.approx(bits)
    assert evaluation.device_change is None
    assert evaluation.device_error is None


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({"arithmetics": ("exact",)}, "arithmetics must be of unquantised, reference, device"),
        ({"context": 65}, "context must be in 2..64, not 65"),
        ({"context": 1}, "context must be in 2..64, not 1"),
        ({"arithmetics": ("unquantised",), "context": 9}, "unquantised perplexity needs the check"),
    ],
)
def test_arguments_refused(image, text, arguments, rule):
    with pytest.raises(TercelError, match=re.escape(rule)):
        evaluate(image, text, **arguments)


def test_the_default_window_fits_a_small_model(image, text):
    evaluation = evaluate(image, text, arithmetics=("reference",), tokens=64)
    assert (evaluation.context, evaluation.results["reference"].tokens) == (64, 63)


def test_image_without_tokenizer_refused(llama, tmp_path, text):
    folder, _ = llama()
    (folder / "tokenizer.json").unlink()
    convert(folder, tmp_path / "m.tercel", method="absmean")
    with pytest.raises(TercelError, match=r"m.tercel has no tokenizer; convert its checkpoint"):
        evaluate(Image.open(tmp_path / "m.tercel"), text)


def test_another_checkpoint_refused(image, llama, text):
    folder, _ = llama(intermediate_size=192)
    with pytest.raises(TercelError, match=r"is not what .* is made of: they differ in ffn_size"):
        evaluate(image, text, checkpoint=folder, arithmetics=("unquantised",), context=32)


def test_packed_checkpoint_has_no_unquantised_weights(bitnet):
    checkpoint = open_checkpoint(bitnet("bitlinear", "offline"))
    with pytest.raises(TercelError, match="the checkpoint has no unquantised weights: it holds"):
        token_losses(CheckpointWeights(checkpoint), torch.ones(1, 8, dtype=torch.int64))


def test_zero_gains_and_zero_activations_give_numbers(llama, tmp_path):
    """A dead residual branch has all-zero activations: neither path may divide by zero."""
    from safetensors.torch import load_file, save_file

    folder, _ = llama()
    tensors = load_file(folder / "model.safetensors")
    tensors["model.layers.0.input_layernorm.weight"].zero_()
    tensors["model.layers.0.mlp.gate_proj.weight"].zero_()
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    convert(folder, tmp_path / "m.tercel", method="absmean")
    image = Image.open(tmp_path / "m.tercel")
    windows = torch.arange(40).view(2, 20)
    reference = token_losses(ImageWeights(image), windows)
    device = device_losses(EmulatorDevice(image, nodes=20), windows)
    assert reference.isfinite().all()
    assert (reference - device).abs().mean() < 0.1
