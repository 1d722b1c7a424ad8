import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save_file

from tercel.errors import TercelError
from tercel.files import whole_file
from tercel.image import Image, TapeLayout, default_layout, segments
from tercel.image.container import Stream, read_header, write_container
from tercel.numerics import rope_table

LAYOUTS = [
    TapeLayout(),
    TapeLayout(code="index5", tables=3, ports=1, port_bytes=8, block_rows=10),
    TapeLayout(tables=2, ports=3, port_bytes=4, block_rows=7),
]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.to_json())
@pytest.mark.parametrize("tied", [False, True])
def test_tensors_are_read_back(build, odd_config, tied_config, layout, tied):
    config = tied_config if tied else odd_config
    path, given = build(config, layout)
    image = Image.open(path)
    assert (image.path, image.config, image.layout) == (path, config, layout)
    assert image.segments == segments(config, layout)
    assert image.tokenizer is None
    for name, trits in given.trits.items():
        found = image.ternary(name)
        assert found.dtype == np.int8
        assert np.array_equal(found, trits)
        assert image.weight_scale(name) == given.scale[name]
    for name, gain in given.gains.items():
        assert np.array_equal(image.gain(name), gain)
    for name in ("embedding", "head"):
        source = "embedding" if tied else name
        for ids in (None, [36, 0, 17, 17], np.arange(3, 20)):
            values, scales = image.rows(name, ids)
            picked = slice(None) if ids is None else ids
            assert np.array_equal(values, given.values[source][picked])
            assert np.array_equal(scales, given.row_scales[source][picked])
            assert (values.dtype, scales.dtype) == (np.int8, np.float32)
    expected = rope_table(config.context, config.head_size, config.rope_base)
    for found, table in zip(image.rope(), expected, strict=True):
        assert np.array_equal(found, table)


SCALED_LAYOUTS = [
    None,
    TapeLayout(tables=53, ports=3, port_bytes=4, block_rows=7),
    TapeLayout(tables=26, ports=1, port_bytes=8, block_rows=10),
]


@pytest.mark.parametrize("layout", SCALED_LAYOUTS, ids=str)
def test_scaled_matrices_are_read_back(build, scaled_config, layout):
    path, given = build(scaled_config, layout)
    image = Image.open(path)
    assert image.config == scaled_config
    assert image.segments == segments(scaled_config, image.layout)
    for name, trits in given.trits.items():
        assert np.array_equal(image.ternary(name), trits)
        assert np.array_equal(image.row_scales(name), given.scale[name])
        integers = trits.astype(np.float32)
        if scaled_config.granularity == "group" and name != "shortlist":
            groups = given.multipliers[name]
            assert np.array_equal(image.multipliers(name), groups)
            integers *= np.repeat(groups, 128, axis=1)[:, : trits.shape[1]]
        else:
            with pytest.raises(TercelError, match="has no multipliers: its granularity is not gr"):
                image.multipliers(name)
        assert np.array_equal(image.weights(name), integers * given.scale[name][:, None])
        with pytest.raises(TercelError, match=f"{name} has a scale for each row, not one"):
            image.weight_scale(name)
    with pytest.raises(TercelError, match=r"layers\.0\.q has a scale for each row, not one"):
        image.scales("layers.0.qkv")
    scales = [given.scale[f"layers.0.{name}"] for name in "qkv"]
    assert np.array_equal(image.row_scales("layers.0.qkv"), np.concatenate(scales))
    for name, gain in given.gains.items():
        assert np.array_equal(image.gain(name), gain)


def test_a_shortlist_stands_beside_matrices_of_one_scale(build, odd_config):
    config = dataclasses.replace(odd_config, vocab_size=530, shortlist=32)
    path, given = build(config)
    image = Image.open(path)
    assert (image.config.shortlist, image.layout) == (32, default_layout(config))
    assert np.array_equal(image.ternary("shortlist"), given.trits["shortlist"])
    assert np.array_equal(image.row_scales("shortlist"), given.scale["shortlist"])
    assert len(set(given.scale["shortlist"].tolist())) > 500
    assert image.weight_scale("layers.0.q") == given.scale["layers.0.q"]
    with pytest.raises(TercelError, match="shortlist has a scale for each row, not one"):
        image.weight_scale("shortlist")
    with pytest.raises(TercelError, match="shortlist has no multipliers"):
        image.multipliers("shortlist")
    small = TapeLayout(tables=25)
    with pytest.raises(TercelError, match="a model with a shortlist needs a layout with the code"):
        build(config, small)


@pytest.mark.parametrize("layout", SCALED_LAYOUTS, ids=str)
def test_float_rows_are_those_of_any_head(build, scaled_config, layout):
    image = Image.open(build(scaled_config, layout)[0])
    for name in ("embedding", "head"):
        if scaled_config.ternary_head:
            expected = image.weights(name if not scaled_config.tied_head else "embedding")
            with pytest.raises(TercelError, match=f"the {name} of .* has no int8 rows"):
                image.rows(name)
        else:
            values, scales = image.rows(name)
            expected = values * scales[:, None]
        assert np.array_equal(image.float_rows(name), expected)
        ids = [36, 0, 17, 17, 35]
        assert np.array_equal(image.float_rows(name, ids), expected[ids])
        assert image.float_rows(name, []).shape == (0, scaled_config.hidden_size)
        with pytest.raises(TercelError, match=rf"rows of {name} are 0\.\.36, but 37\.\.37 are"):
            image.float_rows(name, [37])
    with pytest.raises(TercelError, match="rows are of head or embedding, not of 'norm'"):
        image.float_rows("norm")


def test_a_model_of_one_scale_has_it_for_every_row(build, odd_config):
    path, given = build(odd_config)
    image = Image.open(path)
    scales = image.row_scales("layers.0.gate_up")
    assert (scales[0::2] == given.scale["layers.0.gate"]).all()
    assert (scales[1::2] == given.scale["layers.0.up"]).all()
    assert (image.row_scales("layers.0.k") == given.scale["layers.0.k"]).all()
    weights = given.trits["layers.0.k"] * given.scale["layers.0.k"]
    assert np.array_equal(image.weights("layers.0.k"), weights)


@pytest.mark.parametrize(
    ("where", "byte", "message"),
    [
        ("code", 0xFF, "codes of base3 are below 243, but one is 255"),
        ("filling", 0x80, "bits after its last multiplier are not zero"),
    ],
)
def test_corrupt_groups_are_refused_by_name(build, groups_config, where, byte, message):
    path, _ = build(groups_config)
    image = Image.open(path)
    segment = image.segment("layers.1.down")
    form = segment.form(image.layout)
    # After the row scales: the first row-chunk of row 0, three groups and 30 bits of multipliers.
    last = form.row_chunks.sizes[0] - 1
    at = image.layout.padded(4 * segment.rows) + (0 if where == "code" else last)
    word, inside = divmod(at, image.layout.word_bytes)
    port, lane = divmod(inside, image.layout.port_bytes)
    data = bytearray(path.read_bytes())
    (tape,) = (entry.offset for name, entry in read_header(path).tensors.items() if name == "tape")
    size = image.tape.shape[1]
    data[tape + port * size + (segment.first_word + word) * image.layout.port_bytes + lane] |= byte
    path.write_bytes(data)
    image = Image.open(path, verify=False)
    with pytest.raises(TercelError, match=rf"groups.tercel: layers\.1\.down: .*{message}"):
        image.weights("layers.1.down")


def test_segments_are_read_in_their_row_order(build, odd_config):
    path, given = build(odd_config)
    image = Image.open(path)
    parts = [given.trits[f"layers.1.{name}"] for name in "qkv"]
    assert np.array_equal(image.ternary("layers.1.qkv"), np.concatenate(parts))
    pairs = np.stack([given.trits["layers.1.gate"], given.trits["layers.1.up"]], axis=1)
    assert np.array_equal(image.ternary("layers.1.gate_up"), pairs.reshape(74, 23))
    scales = [given.scale[f"layers.1.{name}"] for name in "qkv"]
    assert image.scales("layers.1.qkv").tolist() == scales


def test_names_that_are_not_there_are_quoted(build, tied_config):
    image = Image.open(build(tied_config)[0])
    for call, name, what in (
        (image.ternary, "layers.1.q", "ternary tensor"),
        (image.ternary, "head", "ternary tensor"),
        (image.weight_scale, "norm", "ternary tensor"),
        (image.gain, "layers.0.mlp_sub_norm", "vector tensor"),
        (image.scales, "layers.0.q", "segment"),
        (image.segment, "tape", "segment"),
    ):
        with pytest.raises(TercelError, match=f"the image of tied has no {what} '{name}'"):
            call(name)
    with pytest.raises(TercelError, match="rows are of head or embedding, not of 'norm'"):
        image.rows("norm")
    for ids in ([37], [-1]):
        with pytest.raises(TercelError, match=r"rows of head are 0\.\.36, but"):
            image.rows("head", ids)


def test_scales_are_of_ternary_segments(build, tied_config):
    image = Image.open(build(tied_config)[0])
    with pytest.raises(TercelError, match="head has no weight scales"):
        image.scales("head")


@dataclass(frozen=True, repr=False)
class Small:
    """A small file and its bytes, wrapped so that a failure does not print them."""

    path: Path
    good: bytes


@pytest.fixture
def small(build, tied_config):
    path, _ = build(tied_config)
    return Small(path, path.read_bytes())


def flipped(data, bit):
    damaged = bytearray(data)
    damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_one_flipped_bit_anywhere_is_refused(small, data):
    path, good = small.path, small.good
    header = 8 + int.from_bytes(good[:8], "little")
    byte = data.draw(st.integers(0, header - 1) | st.integers(0, len(good) - 1))
    path.write_bytes(flipped(good, 8 * byte + data.draw(st.integers(0, 7))))
    with pytest.raises(TercelError, match=r"tied\.tercel"):
        Image.open(path)
    path.write_bytes(good)
    Image.open(path)


def test_a_flipped_bit_of_the_tape_is_called_damage(small):
    path, good = small.path, small.good
    path.write_bytes(flipped(good, 8 * len(good) - 1))
    with pytest.raises(TercelError, match="is damaged: its checksum does not match its bytes"):
        Image.open(path)
    Image.open(path, verify=False)


def test_an_unverified_corrupt_code_is_found_in_use(small):
    path, good = small.path, small.good
    header = 8 + int.from_bytes(good[:8], "little")
    first = segments(Image.open(path, verify=False).config, TapeLayout())[1].first_word
    damaged = bytearray(good)
    damaged[header + first * 16] = 255
    path.write_bytes(damaged)
    with pytest.raises(TercelError, match=r"tied\.tercel: layers\.0\.qkv: a weight code is"):
        Image.open(path, verify=False).ternary("layers.0.q")


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize("left", [0, 7, 8, 500, -1])
def test_a_truncated_file_is_refused(small, left, verify):
    path, good = small.path, small.good
    path.write_bytes(good[:left])
    with pytest.raises(TercelError, match="is damaged or cut short"):
        Image.open(path, verify=verify)


def test_a_longer_file_is_refused(small):
    path, good = small.path, small.good
    path.write_bytes(good + b"\0")
    with pytest.raises(TercelError, match="is damaged or cut short"):
        Image.open(path, verify=False)


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "x.tercel"
    path.write_text("a text, not a model " * 10)
    with pytest.raises(TercelError, match=r"x\.tercel is not a safetensors file"):
        Image.open(path)


@pytest.mark.parametrize(
    ("metadata", "found"), [(None, "no format"), ({"format": "pt"}, "the format 'pt'")]
)
def test_foreign_safetensors_are_refused(tmp_path, metadata, found):
    path = tmp_path / "x.safetensors"
    save_file({"weight": np.zeros(3, np.float32)}, path, metadata=metadata)
    with pytest.raises(TercelError, match=f"not a tercel image: its metadata has {found}, not"):
        Image.open(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(TercelError, match=r"cannot read .*none\.tercel: No such file"):
        Image.open(tmp_path / "none.tercel")


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(TercelError, match="cannot read"):
        Image.open(tmp_path)


@pytest.fixture
def rewritten(build, tied_config):
    """Rewrite an image, sealed again, with other metadata or tensors."""

    def rewritten(metadata, tensors=None):
        path, _ = build(tied_config)
        with safe_open(path, framework="numpy") as file:
            changed = {**file.metadata(), **metadata}
            own = {"tape": file.get_tensor("tape")}
        del changed["checksum"]
        own |= tensors or {}
        streams = {name: Stream(shape=a.shape, blocks=[a]) for name, a in own.items()}
        changed = {key: value for key, value in changed.items() if value is not None}
        with whole_file(path) as file:
            write_container(file, changed, streams)
        return path

    return rewritten


def test_a_newer_version_is_refused(rewritten):
    path = rewritten({"version": "4"})
    message = "is an image of version '4', but this tercel reads the versions 2 and 3; update"
    with pytest.raises(TercelError, match=message):
        Image.open(path)


def test_the_version_must_be_that_of_the_config(rewritten):
    path = rewritten({"version": "3"})
    with pytest.raises(TercelError, match="image of version 3, but its config is one of version 2"):
        Image.open(path)


def test_a_segment_table_must_follow_from_the_config(rewritten):
    path = rewritten({"segments": "[]"})
    with pytest.raises(TercelError, match="segment table that its config and layout do not give"):
        Image.open(path)


@pytest.mark.parametrize("key", ["config", "layout", "segments"])
def test_missing_metadata_is_named(rewritten, key):
    path = rewritten({key: None})
    with pytest.raises(TercelError, match=f"lacks the metadata '{key}'"):
        Image.open(path)


def test_an_unknown_config_field_is_named(rewritten, tied_config):
    config = json.dumps(json.loads(tied_config.to_json()) | {"experts": 8})
    with pytest.raises(TercelError, match="unknown fields: experts"):
        Image.open(rewritten({"config": config}))


def test_the_tape_must_have_its_shape(rewritten):
    path = rewritten({}, {"tape": np.zeros((4, 16), np.uint8)})
    with pytest.raises(TercelError, match=r"must have the shape \(4, \d+\), not \(4, 16\)"):
        Image.open(path)


def test_other_tensors_are_refused(rewritten):
    path = rewritten({}, {"extra": np.zeros(8, np.uint8)})
    with pytest.raises(TercelError, match="tape and, if any, tokenizer, not extra, tape"):
        Image.open(path)


def test_a_tokenizer_is_read_back(rewritten):
    image = Image.open(rewritten({}, {"tokenizer": np.arange(40, 50, dtype=np.uint8)}))
    assert image.tokenizer == bytes(range(40, 50))


def test_a_tokenizer_is_one_run_of_bytes(rewritten):
    path = rewritten({}, {"tokenizer": np.zeros((2, 4), np.uint8)})
    with pytest.raises(TercelError, match="must be one run of bytes"):
        Image.open(path)
