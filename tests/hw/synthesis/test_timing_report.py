"""The timing as JSON and tables."""

import json

from tercel_hw.synthesis.timing import analyse
from tercel_hw.synthesis.timing_report import timing_json, timing_tables


def facts(design):
    return json.loads(json.dumps(timing_json(analyse(design, limit_ps=3600, ports=False))))


def test_paths_name_their_cells_and_large_fan_outs(design):
    found = facts(design(loads=40))
    (worst, *_) = found["paths"]
    assert worst["start"] == "FDRE a.from"
    assert worst["through"] == ["2 LUT1", "[41]", "LUT2", "[40]"]
    assert found["worst_ps"] == worst["ps"]
    assert found["blocks"]["b"]["ps"] == worst["ps"]
    assert found["evidence"].startswith("estimate")
    assert found["control_sets"] >= 1


def test_tables_have_the_worst_first(design):
    tables = timing_tables(facts(design()))
    assert list(tables) == ["paths", "blocks", "loads", "control"]
    for _, heads, rows in tables.values():
        assert rows
        assert all(len(row) == len(heads) for row in rows)
    names = [row[0] for row in tables["blocks"][2]]
    assert names == ["b", "a"]
    assert tables["blocks"][1][3] == "ends above 3.60 ns"
