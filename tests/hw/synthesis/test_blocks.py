import re

import pytest

from tercel.errors import TercelError
from tercel_hw.synthesis.blocks import cut


def module(name, *cells, ports="  wire width 4 input 0 \\i\n  wire output 1 \\o\n", body=""):
    text = "".join(f"  cell \\{cell} \\{short}\n  end\n" for short, cell in cells)
    return f'attribute \\generator "Amaranth"\nmodule \\{name}\n{ports}{body}{text}end\n'


@pytest.fixture
def design():
    return "".join(
        [
            module("t", ("core", "t.core"), ("control", "t.control")),
            module("t.control", body="  wire width 9 \\inner\n"),
            module("t.core", ("gate", "t.core.gate"), ("gain", "t.core.gain")),
            module("t.core.gate", ("unit", "t.core.gate.unit"), ("unit2", "t.core.gate.unit")),
            module("t.core.gate.unit"),
            module("t.core.gain", body="  cell $add $1\n  end\n"),
        ]
    )


def test_every_module_is_whole_in_one_block(design):
    blocks = {block.name: block for block in cut(design, top="t")}
    assert set(blocks) == {"*", "control", "core.*", "core.gate", "core.gain"}
    whole = [
        (name, found)
        for name, block in blocks.items()
        for found in re.findall(r"^attribute \\generator [^\n]*\nmodule \\(\S+)", block.rtlil, re.M)
    ]
    assert sorted(whole) == [
        ("*", "t"),
        ("control", "t.control"),
        ("core.*", "t.core"),
        ("core.gain", "t.core.gain"),
        ("core.gate", "t.core.gate"),
        ("core.gate", "t.core.gate.unit"),
    ]
    assert blocks["core.gate"].top == "t.core.gate"


def test_other_blocks_are_black_boxes_with_the_same_ports(design):
    blocks = {block.name: block for block in cut(design, top="t")}
    box = (
        "attribute \\blackbox 1\nattribute \\keep 1\nmodule \\t.control\n"
        "  wire width 4 input 0 \\i\n  wire output 1 \\o\nend\n"
    )
    assert blocks["*"].rtlil.count("\\blackbox 1") == 2
    assert box in blocks["*"].rtlil
    assert "\\inner" not in blocks["*"].rtlil
    assert "\\inner" in blocks["control"].rtlil


def test_small_blocks_come_first(design):
    sizes = [len(block.rtlil) for block in cut(design, top="t")]
    assert sizes == sorted(sizes)


def test_the_top_must_be_there(design):
    with pytest.raises(TercelError, match="the design has no module 'other'"):
        cut(design, top="other")
