import dataclasses
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tercel.errors import TercelError
from tercel_hw.export.configuration import parse_configuration, preset, read_configuration
from tercel_hw.tlmm.config import TlmmConfig
from tercel_hw.top.config import ACCELERATORS, AcceleratorConfig


@pytest.mark.parametrize("name", ACCELERATORS)
def test_parameters_are_read_back(name, tmp_path):
    config = ACCELERATORS[name]
    path = tmp_path / "a.json"
    path.write_text(json.dumps(config.parameters()))
    assert read_configuration(path) == preset(name) == config


def test_a_sidecar_will_do(tmp_path):
    config = ACCELERATORS["tiny"]
    path = tmp_path / "tercel.json"
    path.write_text(json.dumps({"module": "tercel", "parameters": config.parameters()}))
    assert read_configuration(path) == config


def test_what_is_missing_is_the_default():
    config = parse_configuration({"positions": 2048, "tlmm": {"generators": 2}})
    assert config.positions == 2048
    assert config.tlmm.generators == 2
    assert config.tlmm.max_columns == ACCELERATORS["kv260"].tlmm.max_columns
    assert parse_configuration({}) == ACCELERATORS["kv260"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1], "parameters must be a JSON object, not [1]"),
        ({"lanes": 8}, "parameters has unknown fields: lanes; known are tlmm, ports, port_bytes,"),
        ({"tlmm": {"lanes": 8}}, "tlmm has unknown fields: lanes; known are code, tables,"),
        ({"tlmm": 8}, "tlmm must be a JSON object, not 8"),
        ({"head_size": "128"}, "head_size must be an integer, not '128'"),
        ({"ports": True}, "ports must be an integer, not True"),
        ({"ultra_ram": 1}, "ultra_ram must be true or false, not 1"),
        ({"port_bytes": 12}, "port_bytes must be a power of two in "),
        ({"tlmm": {"code": "fp4"}}, "code must be one of index5, base3, not 'fp4'"),
        ({"tlmm": {"tables": "4"}}, "tables must be an integer, not '4'"),
        ({"top_k": 256}, "top_k must be an integer in 1..255, not 256"),
    ],
)
def test_errors_name_the_rule(values, message):
    with pytest.raises(TercelError) as error:
        parse_configuration(values)
    assert str(error.value).startswith(message)


FIELDS = [
    *((False, field.name) for field in dataclasses.fields(AcceleratorConfig)),
    *((True, field.name) for field in dataclasses.fields(TlmmConfig)),
]
NUMBERS = st.one_of(st.integers(-2, 300), st.integers(-(1 << 70), 1 << 70))
VALUES = st.one_of(
    NUMBERS, st.floats(), st.none(), st.booleans(), st.text(max_size=5), st.lists(NUMBERS)
)


@settings(max_examples=150, deadline=None)
@given(base=st.sampled_from([{}, *(c.parameters() for c in ACCELERATORS.values())]), data=st.data())
def test_a_message_names_the_field_that_was_given(base, data):
    """Blocks have words of their own: `ports` 3 was told as "bytes of a word"."""
    inner, name = data.draw(st.sampled_from(FIELDS))
    value = data.draw(VALUES)
    values = {**base, "tlmm": {**base.get("tlmm", {})}}
    (values["tlmm"] if inner else values)[name] = value
    told = name
    try:
        parse_configuration(values)
    except TercelError as error:
        told = str(error)
    assert re.search(rf"\b{name}\b", told)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"ports": 3}, "ports 3: bytes of a word must be a power of two in 16..64, not 48"),
        ({"ports": 1}, "ports 1: chain must be a power of two in 4..8, not 16"),
        ({"burst_beats": 300}, "burst_beats 300: max_beats must be a power of two in 2..256"),
        ({"head_size": -1}, "head_size -1: totals must be an integer in 1..64, not 0"),
        ({"tlmm": {"tables": 129}}, "tables 129: max_bytes must be an integer in 1..128"),
        ({"tlmm": None}, "tlmm must be a JSON object, not None"),
    ],
)
def test_rules_of_blocks_are_told_of_the_accelerators_fields(values, message):
    with pytest.raises(TercelError) as error:
        parse_configuration(values)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('{"ports": 2, "heads": 4, "ports": 4}', "ports"),
        ('{"tlmm": {"tables": 4, "tables": 4}}', "tables"),
        ('{"tlmm": {}, "tlmm": {}}', "tlmm"),
        ('{"parameters": {}, "parameters": {}}', "parameters"),
    ],
)
def test_a_field_may_be_given_once(text, name, tmp_path):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(TercelError, match=rf"a\.json: {name} is given twice"):
        read_configuration(path)


def test_errors_name_the_file(tmp_path):
    path = tmp_path / "a.json"
    with pytest.raises(TercelError, match=r"the configuration .*a\.json cannot be read"):
        read_configuration(path)
    for text in ("{", "[" * 100_000):
        path.write_text(text)
        with pytest.raises(TercelError, match=r"the configuration .*a\.json is not valid JSON"):
            read_configuration(path)
    path.write_text('{"ports": 0.5}')
    with pytest.raises(TercelError, match=r"a\.json: ports must be an integer, not 0\.5"):
        read_configuration(path)


def test_an_unknown_preset_is_refused():
    with pytest.raises(
        TercelError, match=r"preset must be one of tiny, kv260, .*, pynq-z2, not 'big'"
    ):
        preset("big")
