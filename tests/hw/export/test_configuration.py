import json

import pytest

from tercel.errors import TercelError
from tercel_hw.export.configuration import parse_configuration, preset, read_configuration
from tercel_hw.top.config import ACCELERATORS


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


def test_errors_name_the_file(tmp_path):
    path = tmp_path / "a.json"
    with pytest.raises(TercelError, match=r"the configuration .*a\.json cannot be read"):
        read_configuration(path)
    path.write_text("{")
    with pytest.raises(TercelError, match=r"the configuration .*a\.json is not valid JSON"):
        read_configuration(path)
    path.write_text('{"ports": 0.5}')
    with pytest.raises(TercelError, match=r"a\.json: ports must be an integer, not 0\.5"):
        read_configuration(path)


def test_an_unknown_preset_is_refused():
    with pytest.raises(
        TercelError, match=r"preset must be one of tiny, kv260, kv260-index5, not 'big'"
    ):
        preset("big")
