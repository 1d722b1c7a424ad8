"""A random model with the vocabulary of bytes, and a short text that it wrote."""

from dataclasses import replace

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from tercel.config import PRESETS
from tercel.image import Image, random_image
from tercel.speculation.drafter_file import load_drafter
from tercel_quant.train_drafter.head_data import HeadData
from tercel_quant.train_drafter.head_file import write_heads
from tercel_quant.train_drafter.own_text import OwnTextConfig, write_own_text

OWN_TEXT = OwnTextConfig(tokens=2 * 8 * 40, sequences=8, prompt=8, length=40, top=16, seed=1)


@pytest.fixture(scope="session")
def image(tmp_path_factory):
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {character: i for i, character in enumerate(alphabet)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    path = tmp_path_factory.mktemp("model") / "tiny.tercel"
    config = replace(PRESETS["tiny"], vocab_size=256)
    random_image(path, config, seed=3, tokenizer=tokenizer.to_str().encode())
    return Image.open(path)


@pytest.fixture(scope="session")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("ternary weights are played like a tape, again and again. " * 40)
    return path


@pytest.fixture(scope="session")
def parts(image, text, tmp_path_factory):
    """Files of the model's own text."""
    return write_own_text(image, [text], tmp_path_factory.mktemp("own"), OWN_TEXT)


@pytest.fixture(scope="session")
def data(image, parts):
    return HeadData(parts, image.config, rows=64, candidates=16, levels=3, prompt=8)


@pytest.fixture
def write_file(image, data, tmp_path):
    """Writes a model's file and opens its drafter."""

    def write(kind, drafter, model, calibration):
        path = tmp_path / f"x.{kind}.drafter"
        write_heads(
            path,
            kind=kind,
            image=image,
            model=model,
            data=data,
            calibration=calibration,
            settings={"steps": 1},
        )
        return drafter(load_drafter(path, kind=kind, image=image).tensors, image)

    return write
