"""Tables of resources from a report."""

import pytest
import resource_parts
import resource_tables

from tercel.errors import TercelError
from tercel_hw.board import load_board
from tercel_hw.synthesis.resources import Resources

REPORT = resource_tables.Report(
    part="a part",
    blocks={
        "core.a": Resources(lut=1200, ff=3),
        "core.b": Resources(lut=34, bram36=1.5),
        "memory.c": Resources(lut=5, dsp=7),
    },
    levels={"core.a": 2, "core.b": 9, "memory.c": 1},
    budget=Resources(lut=2000, lut_memory=10, ff=30, dsp=70, bram36=3, uram=2),
)


def written(*lines):
    """The rows below the heads of the table that these lines ask for."""
    start = "\n".join(["<!-- resources", *lines, "-->"])
    text = resource_tables.rewrite(f"a\n\n{start}\nold\n<!-- end of resources -->\nb\n", REPORT)
    assert text.startswith(f"a\n\n{start}\n|  | LUT | of them memory | FF |")
    assert text.endswith("|\n<!-- end of resources -->\nb\n")
    assert resource_tables.rewrite(text, REPORT) == text
    return text.split("\n")[len(lines) + 6 : -3]


@pytest.mark.parametrize(
    ("lines", "rows"),
    [
        (["both = core."], ["| both | 1,234 | 0 | 3 | 0 | 1.5 | 0 | 9 |"]),
        (["two = core.a", "  memory.c"], ["| two | 1,205 | 0 | 3 | 7 | 0 | 0 | 2 |"]),
        (
            ["a = core.a", "others = rest"],
            ["| a | 1,200 | 0 | 3 | 0 | 0 | 0 | 2 |", "| others | 39 | 0 | 0 | 7 | 1.5 | 0 | 9 |"],
        ),
    ],
)
def test_a_row_is_the_sum_of_its_blocks(lines, rows):
    assert written(*lines) == rows


def test_a_total_shows_the_device_and_the_share_of_it():
    assert written("core = core.", "memory = memory.", "total")[2:] == [
        "| **all** | 1,239 | 0 | 3 | 7 | 1.5 | 0 | 9 |",
        "| `a part` | 2,000 | 10 | 30 | 70 | 3 | 2 |  |",
        "| share | 62% | 0% | 10% | 10% | 50% | 0% |  |",
    ]


def test_a_target_is_met_or_missed():
    (row,) = written("target lut=1239 dsp=6")
    assert row == "| target | <= 1,239: met |  |  | <= 6: **missed** |  |  |  |"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["a = core.x"], "the report has no block core.x; it has core.a, core.b, memory.c"),
        (["a = core.a", "all = core."], "blocks are in a table twice: core.a"),
        (["core = core.", "total"], r"must name all blocks, not leave out \['memory.c'\]"),
        (["target luts=5"], "a target is one of lut, .*, not luts"),
        (["core.a"], "a row of a table must be TITLE = BLOCK ..., not 'core.a'"),
    ],
)
def test_a_wrong_comment_is_told(lines, message):
    with pytest.raises(TercelError, match=message):
        written(*lines)


def test_other_text_stays():
    assert resource_tables.rewrite("| a |\n<!-- b -->\n", REPORT) == "| a |\n<!-- b -->\n"


def test_the_stored_report_is_read():
    report = resource_tables.Report.read()
    assert report.blocks.keys() == report.levels.keys()
    assert report.total.dsp > 512


def test_parts_are_chosen_by_package_or_name():
    every = [name for parts in resource_parts.PARTS.values() for name in parts]
    assert len(set(every)) == len(every)
    assert not set(every) & set(resource_parts.PARTS)
    assert list(resource_parts.choose([])) == every
    assert list(resource_parts.choose(["decoder", "memory"])) == [
        "decoder",
        *resource_parts.PARTS["memory"],
    ]
    with pytest.raises(TercelError, match=r"a part is one of float32, .*, not 'adders'"):
        resource_parts.choose(["adders"])


@pytest.mark.parametrize("name", ["bfloat16-up", "decoder", "line-builder", "reader"])
def test_a_part_is_a_block_of_its_own(name):
    part = resource_parts.choose([name])[name]()
    block = resource_parts.cut(name, part, load_board(resource_parts.BOARD))
    assert (block.name, block.top) == (name, "part")
    assert "module \\part" in block.rtlil
