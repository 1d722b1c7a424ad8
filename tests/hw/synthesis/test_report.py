import json

import pytest

from tercel_hw.board import load_board
from tercel_hw.synthesis.depth import Depth
from tercel_hw.synthesis.report import as_json, as_markdown, as_tables
from tercel_hw.synthesis.resources import Resources
from tercel_hw.synthesis.run import Measured
from tercel_hw.synthesis.timing import analyse
from tercel_hw.top.config import ACCELERATORS


@pytest.fixture
def timing(design):
    return analyse(design(), limit_ps=3600, ports=False)


@pytest.fixture
def blocks(graph):
    empty = {"module": "t", "graph": graph({}, {}, {})}
    depth = Depth(levels=4, through=1, start="port i", path=("LUT2",), end="FDRE a")
    small = Resources(lut=10, ff=20, bram36=0.5)
    large = Resources(lut=11702, lut_memory=5760, ff=30, dsp=624, bram36=1, uram=16)
    return [
        Measured(name="core.small", resources=small, depth=depth, **empty),
        Measured(name="core.large", resources=large, depth=depth, **empty),
    ]


def test_the_json_report_has_blocks_total_and_budget(blocks, timing):
    board, config = load_board("kv260"), ACCELERATORS["tiny"]
    made = as_json(blocks, config=config, board=board, complete=False, timing=timing)
    report = json.loads(json.dumps(made))
    assert report["timing"]["limit_ps"] == 3600
    assert report["total"]["lut"] == 11712
    assert report["total"]["bram36"] == 1.5
    assert report["budget"]["lut"] == 117120
    assert report["blocks"]["core.small"]["depth"]["levels"] == 4
    assert (report["board"], report["target"]) == ("kv260", "ultrascale+")
    assert report["parameters"] == config.parameters()
    assert not report["complete"]
    assert report["evidence"].startswith("estimate")


def test_the_tables_have_the_largest_block_first(blocks):
    board = load_board("kv260")
    lines = as_markdown(blocks, board, None).splitlines()
    assert lines[2] == "| `core.large` | 11702 | 5760 | 30 | 624 | 1 | 16 | 4 | 1 |"
    assert lines[3] == "| `core.small` | 10 | 0 | 20 | 0 | 0.5 | 0 | 4 | 1 |"
    assert lines[4] == "| **total** | 11712 | 5760 | 50 | 624 | 1.5 | 16 |  |  |"
    assert lines[-1] == "| **share** | 10% | 10% | 0% | 50% | 1% | 25% |  |  |"
    assert len({line.count("|") for line in lines}) == 1
    (table,) = as_tables(blocks, board, None)
    assert table.row_count == 5


def test_a_device_without_ultraram_has_no_share_of_it(blocks):
    board = load_board("pynq-z2")
    lines = as_markdown(blocks[:1], board, None).splitlines()
    assert lines[-1] == "| **share** | 0% | 0% | 0% | 0% | 0% | - |  |  |"
    (table,) = as_tables(blocks, board, None)
    assert table.row_count == 5


def test_the_tables_of_the_timing_follow(blocks, timing):
    board = load_board("kv260")
    tables = list(as_tables(blocks, board, timing))
    assert len(tables) == 5
    assert tables[1].title == "The worst paths, one for each end (estimate)"
    text = as_markdown(blocks, board, timing)
    assert "The nets with most loads (estimate):\n\n| net | loads |" in text
    assert text.endswith(f"\n{timing.control_sets} control sets\n")
