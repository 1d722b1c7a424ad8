import dataclasses

import numpy as np
import pytest
from tokenizers import Tokenizer, models

from tercel.errors import TercelError
from tercel.image import LAYOUTS, Image, ImageBuilder, fill_random


def tokenizer_bytes(size):
    vocabulary = {f"t{i}": i for i in range(size)}
    return Tokenizer(models.WordLevel(vocabulary, unk_token="t0")).to_str().encode()


@pytest.fixture
def builder(odd_config):
    return ImageBuilder(config=odd_config)


def trits(rows, columns):
    return np.ones((rows, columns), np.int8)


def test_order_does_not_matter(build, odd_config, tmp_path):
    path, given = build(odd_config)
    builder = ImageBuilder(config=odd_config)
    for name in reversed(given.values):
        builder.rows(name, given.values[name], given.row_scales[name])
    for name in reversed(given.gains):
        builder.gain(name, given.gains[name])
    for name in reversed(given.trits):
        builder.ternary(name, given.trits[name], float(given.scale[name]))
    builder.write(tmp_path / "again.tercel")
    assert (tmp_path / "again.tercel").read_bytes() == path.read_bytes()


def test_missing_tensors_are_listed(builder, tmp_path):
    assert builder.missing[:3] == ("layers.0.q", "layers.0.k", "layers.0.v")
    assert builder.missing[3] == "layers.0.attention_norm"
    with pytest.raises(TercelError, match=r"lacks 25 of its tensors: layers.0.q, .*, \.\.\.$"):
        builder.write(tmp_path / "x.tercel")
    assert not list(tmp_path.iterdir())


def test_the_last_missing_tensor_is_named(build, odd_config, tmp_path):
    _, given = build(odd_config)
    builder = ImageBuilder(config=odd_config)
    for name in given.trits:
        builder.ternary(name, given.trits[name], 1.0)
    for name in given.gains:
        builder.gain(name, given.gains[name])
    builder.rows("head", given.values["head"], given.row_scales["head"])
    assert builder.missing == ("embedding",)
    with pytest.raises(TercelError, match=r"lacks 1 of its tensors: embedding$"):
        builder.write(tmp_path / "x.tercel")


@pytest.mark.parametrize("name", ["layers.2.q", "layers.0.w", "layers.0.qkv", "rope", ""])
def test_unknown_tensors_are_refused(builder, name):
    with pytest.raises(TercelError, match=f"the model odd has no tensor '{name}'"):
        builder.ternary(name, trits(1, 1), 1.0)


def test_a_tied_head_is_not_given(tied_config):
    with pytest.raises(TercelError, match="the model tied has no tensor 'head'"):
        ImageBuilder(config=tied_config).rows("head", trits(37, 23), np.ones(37, np.float32))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("layers.0.attention_norm", r"is given with gain\(\), not with ternary\(\)"),
        ("embedding", r"is given with rows\(\), not with ternary\(\)"),
    ],
)
def test_the_wrong_method_is_named(builder, name, message):
    with pytest.raises(TercelError, match=f"{name} {message}"):
        builder.ternary(name, trits(1, 1), 1.0)


def test_every_tensor_is_given_once(builder):
    builder.ternary("layers.0.k", trits(16, 23), 1.0)
    with pytest.raises(TercelError, match=r"layers\.0\.k is already given"):
        builder.ternary("layers.0.k", trits(16, 23), 1.0)
    builder.gain("norm", np.ones(23, np.float32))
    with pytest.raises(TercelError, match="norm is already given"):
        builder.gain("norm", np.ones(23, np.float32))


@pytest.mark.parametrize(
    ("values", "scale", "message"),
    [
        (trits(23, 16), 1.0, r"must have the shape \(16, 23\), not \(23, 16\)"),
        (trits(16, 23).astype(np.int32), 1.0, "must be int8, not int32"),
        (trits(16, 23) * 2, 1.0, "trits must be -1, 0 or 1, but one is 2"),
        (trits(16, 23), float("nan"), "must be finite"),
        (trits(16, 23), float("inf"), "must be finite"),
        (trits(16, 23), 1e39, "must be finite"),
        (trits(16, 23), -0.5, "must not be negative, but one is -0.5"),
        (trits(16, 23), [1.0, 2.0], "must be one number"),
    ],
)
def test_bad_ternary_tensors_are_refused_by_name(builder, values, scale, message):
    with pytest.raises(TercelError, match=rf"layers\.0\.k.*{message}"):
        builder.ternary("layers.0.k", values, scale)
    assert "layers.0.k" in builder.missing
    builder.ternary("layers.0.k", trits(16, 23), 1.0)


@pytest.mark.parametrize(
    ("vector", "message"),
    [
        (np.ones(22, np.float32), r"must have the shape \(23,\), not \(22,\)"),
        (np.ones(23), "must be float32, not float64"),
        (np.full(23, np.nan, np.float32), "must be finite"),
        (np.full(23, np.inf, np.float32), "must be finite"),
    ],
)
def test_bad_gains_are_refused_by_name(builder, vector, message):
    with pytest.raises(TercelError, match=f"norm {message}"):
        builder.gain("norm", vector)
    assert "norm" in builder.missing


ROWS, SCALES = trits(37, 23), np.ones(37, np.float32)


@pytest.mark.parametrize(
    ("values", "scales", "message"),
    [
        (ROWS[:36], SCALES, r"head must have the shape \(37, 23\), not \(36, 23\)"),
        (ROWS, SCALES[:36], r"the scales of head must have the shape \(37,\), not \(36,\)"),
        (ROWS.astype(np.uint8), SCALES, "head must be int8, not uint8"),
        (ROWS, SCALES.astype(np.float64), "the scales of head must be float32, not float64"),
        (ROWS * -128, SCALES, "the values of head must be in -127..127, but one is -128"),
        (ROWS, SCALES * np.nan, "the scales of head must be finite"),
        (ROWS, -SCALES, "the scales of head must not be negative, but one is -1.0"),
    ],
)
def test_bad_rows_are_refused_by_name(builder, values, scales, message):
    with pytest.raises(TercelError, match=message):
        builder.rows("head", values, scales)
    assert "head" in builder.missing


def test_subnormals_become_zero(builder, tmp_path):
    gain = np.full(23, 1e-40, np.float32)
    gain[:2] = 1.0, -1e-40
    builder.gain("norm", gain)
    builder.ternary("layers.0.k", trits(16, 23), 1e-40)
    fill_random(builder, 0)
    builder.write(tmp_path / "x.tercel")
    image = Image.open(tmp_path / "x.tercel")
    assert image.gain("norm").tolist() == [1.0, *[0.0] * 22]
    assert image.weight_scale("layers.0.k") == 0


def test_given_arrays_are_copied(builder, tmp_path):
    gain = np.ones(23, np.float32)
    builder.gain("norm", gain)
    gain[:] = 2
    fill_random(builder, 0)
    builder.write(tmp_path / "x.tercel")
    assert (Image.open(tmp_path / "x.tercel").gain("norm") == 1).all()


@pytest.mark.parametrize("size", [37, 5])
def test_a_tokenizer_may_be_smaller_than_the_vocabulary(odd_config, build, size):
    data = tokenizer_bytes(size)
    path, _ = build(odd_config, tokenizer=data)
    assert Image.open(path).tokenizer == data


def test_a_tokenizer_may_not_be_larger(odd_config):
    message = r"has the id 37 \('t37'\), but the model's vocab_size is 37"
    with pytest.raises(TercelError, match=message):
        ImageBuilder(config=odd_config, tokenizer=tokenizer_bytes(38))


def test_added_tokens_count_too(odd_config):
    tokenizer = Tokenizer.from_str(tokenizer_bytes(37).decode())
    tokenizer.add_special_tokens(["<end>"])
    with pytest.raises(TercelError, match=r"has the id 37 \('<end>'\)"):
        ImageBuilder(config=odd_config, tokenizer=tokenizer.to_str().encode())


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff\xfe"])
def test_bytes_that_are_no_tokenizer_are_refused(odd_config, data):
    with pytest.raises(TercelError, match=r"not a valid tokenizer\.json"):
        ImageBuilder(config=odd_config, tokenizer=data)


GROUPS = np.full((16, 1), 7, np.uint16)
ROW_SCALES = np.linspace(0.5, 1.5, 16, dtype=np.float32)


def test_scales_of_rows_and_multipliers_are_taken(groups_config, tmp_path):
    builder = ImageBuilder(config=groups_config)
    builder.ternary("layers.0.k", trits(16, 23), ROW_SCALES, GROUPS)
    builder.ternary("layers.0.v", trits(16, 23), 0.25)
    fill_random(builder, 1)
    builder.write(tmp_path / "x.tercel")
    image = Image.open(tmp_path / "x.tercel")
    assert image.layout == LAYOUTS["kv260-groups"]
    assert (image.weights("layers.0.k") == 7 * ROW_SCALES[:, None]).all()
    assert (image.multipliers("layers.0.v") == 1).all()
    assert (image.weights("layers.0.v") == 0.25).all()


@pytest.mark.parametrize(
    ("scale", "multipliers", "message"),
    [
        (ROW_SCALES[:9], GROUPS, r"must have the shape \(16,\), not \(9,\)"),
        (ROW_SCALES.astype(float), GROUPS, "must be float32, not float64"),
        (-ROW_SCALES, GROUPS, "must not be negative, but one is -1.5"),
        (np.full(16, np.nan, np.float32), GROUPS, "must be finite"),
        (ROW_SCALES, GROUPS.astype(np.int32), "must be uint16, not int32"),
        (ROW_SCALES, np.ones((16, 2), np.uint16), r"shape \(16, 1\), not \(16, 2\)"),
        (ROW_SCALES, GROUPS + 1000, "multipliers must be 0..512, .* but one is 1007"),
    ],
)
def test_bad_scales_are_refused_by_name(groups_config, scale, multipliers, message):
    builder = ImageBuilder(config=groups_config)
    with pytest.raises(TercelError, match=rf"layers\.0\.k.*{message}"):
        builder.ternary("layers.0.k", trits(16, 23), scale, multipliers)
    assert "layers.0.k" in builder.missing


def test_multipliers_need_a_model_with_groups(builder):
    message = "layers.0.k must have no multipliers: they need .* \"group\", not 'tensor'"
    with pytest.raises(TercelError, match=message):
        builder.ternary("layers.0.k", trits(16, 23), 1.0, GROUPS)


def test_a_ternary_head_is_given_as_a_ternary_matrix(groups_config):
    config = dataclasses.replace(groups_config, ternary_head=True)
    builder = ImageBuilder(config=config)
    with pytest.raises(TercelError, match=r"embedding is given with ternary\(\), not with rows"):
        builder.rows("embedding", ROWS, SCALES)
    builder.ternary("embedding", ROWS, SCALES)
    assert "embedding" not in builder.missing


def test_groups_need_a_layout_for_them(groups_config):
    with pytest.raises(TercelError, match="take the layout kv260-groups"):
        ImageBuilder(config=groups_config, layout=LAYOUTS["kv260-index5"])
