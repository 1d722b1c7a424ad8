"""Round trips: an image, exported and imported again, is the same file."""

import dataclasses

import pytest

from tercel.config import PRESETS
from tercel.errors import TercelError
from tercel.image import ChatFormat, Image, SamplingFilters, random_image
from tercel.runtime import find_model
from tercel_export.formats import find_format
from tercel_quant.convert import convert
from tercel_quant.importers import open_checkpoint

SMALL = find_model("small")
FORMS = ("onnx", "onnx-nbits", "onnx-dq")
CONFIG = dataclasses.replace(
    PRESETS["tiny"],
    vocab_size=4096,
    activation="relu2",
    sub_norms=True,
    tied_head=False,
    bos_token=7,
    eos_tokens=(0, 5),
)


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """An image with all that a file may have."""
    path = tmp_path_factory.mktemp("image") / "model.tercel"
    random_image(
        path,
        CONFIG,
        seed=4,
        tokenizer=Image.open(SMALL).tokenizer,
        chat=ChatFormat(template="{{ messages }}", special_tokens={"eos_token": "<|endoftext|>"}),
        sampling=SamplingFilters(temperature=0.7, top_k=0, top_p=0.9),
    )
    return Image.open(path)


def export(image, form, output):
    return list(find_format(form)(image, output))


@pytest.mark.parametrize("form", FORMS)
def test_the_image_comes_back_bit_for_bit(image, form, tmp_path):
    export(image, form, tmp_path / "model")
    for source in (tmp_path / "model", tmp_path / "model/model.onnx"):
        found = convert(source, tmp_path / "again.tercel")
        assert found.method == "imported"
        assert (tmp_path / "again.tercel").read_bytes() == image.path.read_bytes()


def test_the_shipped_model_comes_back(tmp_path):
    export(Image.open(SMALL), "onnx-nbits", tmp_path / "model")
    convert(tmp_path / "model", tmp_path / "again.tercel")
    assert (tmp_path / "again.tercel").read_bytes() == SMALL.read_bytes()


def test_the_reader_says_what_it_reads(image, tmp_path):
    export(image, "onnx-dq", tmp_path / "model")
    checkpoint = open_checkpoint(tmp_path / "model/model.onnx")
    assert checkpoint.description == "ONNX of `tercel export`, form onnx-dq"
    assert checkpoint.floats("embedding").shape == (4096, 64)


def test_a_method_is_refused(image, tmp_path):
    export(image, "onnx", tmp_path / "model")
    with pytest.raises(TercelError, match=r"trained ternary and is imported as it is"):
        convert(tmp_path / "model", tmp_path / "again.tercel", method="absmean")


def test_an_output_among_the_inputs_is_refused(image, tmp_path):
    export(image, "onnx", tmp_path / "model")
    for name in ("model.onnx", "model.onnx.data", "tokenizer.json", "generation_config.json"):
        before = (tmp_path / "model" / name).read_bytes()
        for source in (tmp_path / "model", tmp_path / "model/model.onnx"):
            with pytest.raises(TercelError, match="is the input"):
                convert(source, tmp_path / "model" / name)
        assert (tmp_path / "model" / name).read_bytes() == before
