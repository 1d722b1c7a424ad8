import dataclasses
import json

import pytest

from tercel.config import PRESETS
from tercel.image import LAYOUTS, TapeLayout, default_layout, segments
from tercel.image.segment import segments_json


def test_tape_order(odd_config):
    config = dataclasses.replace(odd_config, layers=1)
    table = segments(config, TapeLayout())
    names = ["qkv", "o", "gate_up", "down"]
    expected = [f"layers.0.{name}{end}" for name in names for end in (".vector", "")]
    expected += ["head.vector", "head", "embedding", "rope"]
    assert [segment.name for segment in table] == expected
    assert [segment.name for segment in table if not segment.played] == ["embedding", "rope"]


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("config", PRESETS.values(), ids=PRESETS)
def test_segments_follow_without_gaps(config, layout):
    end = 0
    for segment in segments(config, layout):
        assert segment.first_word == end
        assert segment.words > 0
        end = segment.end_word


@pytest.mark.parametrize("config", PRESETS.values(), ids=PRESETS)
def test_every_tensor_has_its_place(config):
    places = {}
    for segment in segments(config, TapeLayout()):
        for part in segment.parts:
            places.setdefault(part.name, []).append((segment.kind, part.rows))
    for layer in range(config.layers):
        for name, (rows, _) in config.linears().items():
            kinds = places.pop(f"layers.{layer}.{name}")
            assert sorted(kinds) == [("ternary", rows), ("vector", 1)]
        for name, width in config.norms().items():
            assert places.pop(f"layers.{layer}.{name}") == [("vector", width)]
    assert places.pop("norm") == [("vector", config.hidden_size)]
    assert places.pop("embedding") == [("rows", config.vocab_size)]
    assert not places


def test_scaled_tensors_have_no_scale_in_a_vector(scaled_config):
    config, layout = scaled_config, default_layout(scaled_config)
    table = {segment.name: segment for segment in segments(config, layout)}
    assert table["layers.0.qkv"].kind == f"ternary-{config.granularity}"
    assert table["layers.0.qkv"].granularity == config.granularity
    vector = table["layers.0.qkv.vector"]
    norms = [("attention_norm", 16, config.hidden_size)]
    if config.qk_norm:
        start = 16 + config.hidden_size
        norms += [("q_norm", start, 16), ("k_norm", start + 16, 16)]
    found = [(part.name.split(".")[2], part.start, part.rows) for part in vector.parts]
    assert found == norms
    assert vector.rows == norms[-1][1] + norms[-1][2]
    kind = "ternary-group" if config.ternary_head else "rows"
    head = table["head"]
    assert (head.kind, head.played, head.rows) == (kind, True, config.vocab_size)
    if not config.tied_head:
        assert (table["embedding"].kind, table["embedding"].played) == (kind, False)
    if config.shortlist:
        names = list(table)
        assert names[names.index("head") + 1] == "shortlist"
        shortlist = table["shortlist"]
        assert (shortlist.kind, shortlist.played) == ("ternary-row", False)
        assert (shortlist.rows, shortlist.columns) == (config.vocab_size, config.hidden_size)


def test_a_tied_head_is_the_embedding(tied_config):
    (head,) = [s for s in segments(tied_config, TapeLayout()) if s.kind == "rows"]
    assert (head.name, head.parts[0].name, head.played) == ("head", "embedding", True)


def test_parts_cover_every_row_once(odd_config):
    for segment in segments(odd_config, TapeLayout()):
        if segment.kind in ("ternary", "rows"):
            rows = list(range(segment.rows))
            covered = [row for part in segment.parts for row in rows[part.slice()]]
            assert sorted(covered) == rows


def test_gate_and_up_alternate(odd_config):
    table = {segment.name: segment for segment in segments(odd_config, TapeLayout())}
    gate, up = table["layers.1.gate_up"].parts
    assert (gate.name, gate.slice()) == ("layers.1.gate", slice(0, 74, 2))
    assert (up.name, up.slice()) == ("layers.1.up", slice(1, 75, 2))


def test_sizes_of_one_layer():
    table = {segment.name: segment for segment in segments(PRESETS["0.7b"], TapeLayout())}
    words = {name: table[f"layers.0.{name}"].words for name in ("qkv", "o", "gate_up", "down")}
    assert words == {
        "qkv": 3 * 1536 * 4 * 77 // 64,
        "o": 1536 * 4 * 77 // 64,
        "gate_up": 2 * 4096 * 4 * 77 // 64,
        "down": 1536 * 11 * 75 // 64,
    }
    assert table["layers.0.qkv.vector"].words == (16 + 1536) * 4 // 64
    assert table["layers.0.down.vector"].words == (16 + 4096) * 4 // 64
    assert table["head"].words == 2001 * (1 + 16 * 24)
    assert table["rope"].words == 2048 * 6


def test_vectors_without_norm_are_scales_alone(tied_config):
    table = {segment.name: segment for segment in segments(tied_config, TapeLayout())}
    assert table["layers.0.o.vector"].rows == 16
    assert table["layers.0.qkv.vector"].rows == 16 + 23


def test_json_lists_every_field(odd_config):
    table = segments(odd_config, TapeLayout())
    objects = json.loads(segments_json(table))
    assert objects[0] == {
        "name": "layers.0.qkv.vector",
        "kind": "vector",
        "rows": 39,
        "columns": 1,
        "parts": [
            {"name": "layers.0.q", "start": 0, "rows": 1, "step": 1},
            {"name": "layers.0.k", "start": 1, "rows": 1, "step": 1},
            {"name": "layers.0.v", "start": 2, "rows": 1, "step": 1},
            {"name": "layers.0.attention_norm", "start": 16, "rows": 23, "step": 1},
        ],
        "first_word": 0,
        "words": 3,
        "played": True,
    }
    assert len(objects) == len(table)
