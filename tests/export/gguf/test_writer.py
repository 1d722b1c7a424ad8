import dataclasses

import gguf
import numpy as np
import pytest
from gguf import GGUFReader
from hindrances import full_disk, names
from random_exports import write_image

from tercel.config import PRESETS
from tercel.errors import TercelError
from tercel.image import ChatFormat, Image, SamplingFilters
from tercel_export.gguf.names import source_name
from tercel_export.gguf.writer import write_gguf
from tercel_quant.convert import convert

WIDE = dataclasses.replace(
    PRESETS["tiny"],
    layers=1,
    hidden_size=256,
    ffn_size=512,
    heads=4,
    kv_heads=2,
    head_size=64,
    eos_tokens=(0, 7),
)
"""A model of whole blocks of every type."""
KINDS = {
    "llama": {"tied_head": False, "rope_base": 500000.0},
    "bitnet": {"sub_norms": True, "norm_epsilon": 1e-6},
    "bitnet-b1.58": {"sub_norms": True, "activation": "relu2", "tied_head": False},
}


def half(value):
    return np.float32(np.float16(value))


@pytest.fixture(scope="module", params=KINDS)
def wide(request, tmp_path_factory):
    """A model of each architecture; its scales are float16 numbers, of ``bitnet`` those of the rows
    alone."""
    path = tmp_path_factory.mktemp("wide") / "model.tercel"
    config = dataclasses.replace(WIDE, **KINDS[request.param])
    bitnet = request.param == "bitnet"
    image = write_image(
        path,
        config,
        scale=lambda value: value if bitnet and np.ndim(value) == 0 else half(value),
        sampling=SamplingFilters(temperature=0.7, top_k=20, top_p=0.9, min_p=0.1),
    )
    return request.param, image


def test_an_image_with_float16_scales_comes_back_bit_for_bit(wide, tmp_path):
    name, image = wide
    tensor_type = "TQ2_0" if name == "llama" else "TQ1_0"
    lines = list(write_gguf(image, tmp_path / "model.gguf", tensor_type=tensor_type))
    assert lines == [] or (name == "bitnet-b1.58" and "bitnet.cpp" in lines[0])
    found = convert(tmp_path / "model.gguf", tmp_path / "again", name=image.config.name)
    assert f"GGUF {name}, tensors: " in found.source
    assert f"7 {tensor_type}" in found.source
    assert (tmp_path / "again").read_bytes() == image.path.read_bytes()


def test_with_its_tokenizer_given_an_image_with_a_template_comes_back(small, tmp_path):
    """The tokenizer itself is made anew from its vocabulary, with other words for the same."""
    image = write_image(
        tmp_path / "model.tercel",
        dataclasses.replace(PRESETS["tiny"], layers=1, vocab_size=4096, eos_tokens=(0, 9)),
        scale=half,
        tokenizer=small.tokenizer,
        chat=ChatFormat(template="{{ m }}", special_tokens={"eos_token": "<|endoftext|>"}),
    )
    list(write_gguf(image, tmp_path / "model.gguf"))
    given = tmp_path / "tokenizer.json"
    given.write_bytes(small.tokenizer)
    convert(tmp_path / "model.gguf", tmp_path / "again", name="tiny", tokenizer=given)
    assert (tmp_path / "again").read_bytes() == image.path.read_bytes()


def test_the_librarys_reader_finds_every_tensor(wide, tmp_path):
    name, image = wide
    list(write_gguf(image, tmp_path / "model.gguf"))
    tensors = {tensor.name: tensor for tensor in GGUFReader(tmp_path / "model.gguf").tensors}
    for part, shape in image.config.linears().items():
        tensor = tensors[source_name(f"layers.0.{part}")]
        assert tensor.tensor_type == gguf.GGMLQuantizationType.TQ1_0
        assert tuple(reversed(tensor.shape.tolist())) == shape
        values = gguf.dequantize(tensor.data, tensor.tensor_type)
        scale = image.weight_scale(f"layers.0.{part}")
        if name == "bitnet":
            own = tensors[f"{source_name(f'layers.0.{part}').removesuffix('weight')}scale"]
            assert own.data.tolist() == [scale]
            scale = np.float32(1)
        trits = image.ternary(f"layers.0.{part}")
        if name == "llama" and part in ("q", "k"):
            # Rows 2i and 2i + 1 of a head are its rows i and i + 32.
            assert np.array_equal(values[64 + 6], trits[64 + 3] * scale)
            assert np.array_equal(values[64 + 7], trits[64 + 3 + 32] * scale)
        else:
            assert np.array_equal(values, trits * scale)
    rows, scales = image.rows("embedding")
    embedding = tensors["token_embd.weight"]
    assert embedding.tensor_type == gguf.GGMLQuantizationType.Q8_0
    values = gguf.dequantize(embedding.data, embedding.tensor_type)
    assert np.array_equal(values, rows * scales[:, None])


def test_matrices_of_other_widths_are_q8_0_and_told(image, exported, tmp_path):
    if image.config.sub_norms:
        (advice, warning) = write_gguf(image, tmp_path / "model.gguf")
        assert advice.startswith("squared ReLU runs in Microsoft's bitnet.cpp")
    elif image.config.hidden_size == 64:
        (warning,) = write_gguf(image, tmp_path / "model.gguf")
        assert "warning: 14 matrices are Q8_0 (8.5 bits a weight)" in warning
    else:
        (warning,) = write_gguf(image, tmp_path / "model.gguf")
        assert "warning: 7 matrices are F32 (32 bits a weight)" in warning
    convert(tmp_path / "model.gguf", tmp_path / "again")
    again = Image.open(tmp_path / "again")
    for layer in range(image.config.layers):
        for part in image.config.linears():
            name = f"layers.{layer}.{part}"
            assert np.array_equal(again.ternary(name), image.ternary(name))
            assert again.weight_scale(name) == pytest.approx(image.weight_scale(name), rel=2**-11)
    for mine, theirs in zip(again.rows("embedding"), image.rows("embedding"), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=2**-11)


def test_scaled_rope_is_a_tensor(tmp_path):
    factors = (1.0, 1.0, 2.0, 2.5, 4.0, 8.0, 8.0, 8.0)
    config = dataclasses.replace(PRESETS["tiny"], layers=1, rope_factors=factors)
    image = write_image(tmp_path / "model.tercel", config, scale=half)
    list(write_gguf(image, tmp_path / "model.gguf"))
    convert(tmp_path / "model.gguf", tmp_path / "again", name="tiny")
    assert (tmp_path / "again").read_bytes() == image.path.read_bytes()


def test_an_unknown_type_is_refused(one_layer, tmp_path):
    with pytest.raises(TercelError, match="type must be one of TQ1_0, TQ2_0, not 'Q4_0'"):
        list(write_gguf(one_layer, tmp_path / "model.gguf", tensor_type="Q4_0"))


def test_a_full_disk_is_told_and_leaves_the_old_file(one_layer, tmp_path):
    output = tmp_path / "model.gguf"
    output.write_bytes(b"old")
    with full_disk(after=3_000), pytest.raises(TercelError, match=r"cannot write .*model.gguf"):
        list(write_gguf(one_layer, output))
    assert output.read_bytes() == b"old"
    assert names(tmp_path) == ["model.gguf"]


def test_the_image_is_no_output(one_layer):
    before = one_layer.path.read_bytes()
    with pytest.raises(TercelError, match="is the input"):
        list(write_gguf(one_layer, one_layer.path))
    assert one_layer.path.read_bytes() == before


def test_end_tokens_beyond_the_formats_three_are_told(tmp_path):
    config = dataclasses.replace(PRESETS["tiny"], layers=1, eos_tokens=(5, 6, 7, 8, 9))
    image = write_image(tmp_path / "model.tercel", config)
    lines = list(write_gguf(image, tmp_path / "model.gguf"))
    assert "warning: the format has 3 end tokens, so 8, 9 do not end a text" in lines
