import json

import pytest

from tercel.errors import TercelError
from tercel.image import LAYOUTS, Chunks, TapeLayout
from tercel.image.layout import padded_rows


def test_the_default_is_the_kv260():
    layout = TapeLayout()
    assert layout == LAYOUTS["kv260"]
    assert (layout.code, layout.tables, layout.block_rows) == ("base3", 77, 512)
    assert (layout.ports, layout.port_bytes, layout.word_bytes) == (4, 16, 64)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_json_round_trip(layout):
    assert TapeLayout.from_json(layout.to_json()) == layout


@pytest.mark.parametrize(
    "field",
    [
        *({"tables": 1}, {"tables": 1024}, {"ports": 1}, {"ports": 16}),
        *({"block_rows": 1}, {"block_rows": 65536}, {"port_bytes": 4}, {"port_bytes": 128}),
    ],
    ids=str,
)
def test_the_last_values_within_the_rules_are_taken(field):
    assert json.loads(TapeLayout(**field).to_json()).items() >= field.items()


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("code", "base4", "code must be one of index5, base3, not 'base4'"),
        ("tables", 0, "tables must be an integer in 1..1024, not 0"),
        ("tables", True, "tables must be an integer in 1..1024, not True"),
        ("ports", 17, "ports must be an integer in 1..16, not 17"),
        ("ports", 2.0, "ports must be an integer in 1..16, not 2.0"),
        ("port_bytes", 12, "port_bytes must be a power of two from 4 to 128, not 12"),
        ("port_bytes", 16.0, "port_bytes must be a power of two from 4 to 128, not 16.0"),
        ("block_rows", -1, "block_rows must be an integer in 1..65536, not -1"),
    ],
)
def test_a_broken_field_is_named(field, value, rule):
    with pytest.raises(TercelError, match=rule):
        TapeLayout(**{field: value})


def test_json_with_other_fields_is_refused():
    fields = json.loads(TapeLayout().to_json()) | {"lanes": 4}
    with pytest.raises(TercelError, match="the tape layout has unknown fields: lanes"):
        TapeLayout.from_json(json.dumps(fields))


def test_json_that_is_none_is_refused():
    with pytest.raises(TercelError, match="the tape layout is not valid JSON"):
        TapeLayout.from_json("{")


@pytest.mark.parametrize(
    ("name", "columns", "chunks"),
    [
        ("kv260", 1536, Chunks(count=4, codes=77, bytes=77)),
        ("kv260", 4096, Chunks(count=11, codes=75, bytes=75)),
        ("kv260", 5, Chunks(count=1, codes=1, bytes=1)),
        ("kv260-index5", 1536, Chunks(count=4, codes=128, bytes=80)),
        ("kv260-index5", 4096, Chunks(count=11, codes=125, bytes=79)),
        ("kv260-index5", 1, Chunks(count=1, codes=1, bytes=1)),
    ],
)
def test_chunks_are_equally_wide(name, columns, chunks):
    assert LAYOUTS[name].chunks(columns) == chunks


def test_rows_round_up_to_row_blocks():
    assert [padded_rows(rows) for rows in (0, 1, 16, 17)] == [0, 16, 16, 32]


def test_a_row_block_is_scales_and_then_slices():
    block = TapeLayout(ports=3, port_bytes=8).row_block(25)
    assert block["scales"].shape == (16,)
    assert block["slices"].shape == (2, 16, 24)
    assert {name: offset for name, (_, offset) in block.fields.items()} == {
        "scales": 0,
        "slices": 72,
    }
    assert block.itemsize == 72 + 2 * 16 * 24


def test_bytes_round_up_to_words():
    layout = TapeLayout(ports=3, port_bytes=4)
    assert [layout.words(n) for n in (0, 1, 12, 13)] == [0, 1, 1, 2]
    assert layout.padded(13) == 24
