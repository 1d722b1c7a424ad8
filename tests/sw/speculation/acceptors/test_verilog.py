import sys

import pytest

from tercel.errors import TercelError
from tercel.speculation.acceptors import VerilogBoundary

MODULE = "module add(input [3:0] a, b, output reg [3:0] y); // the sum\nalways @(*) y <= a + 4'd1;"


@pytest.fixture(scope="module")
def boundary():
    pytest.importorskip("tree_sitter_systemverilog", reason="needs the extra tercel[verilog]")
    return VerilogBoundary(lambda token: bytes([token]))


def kept(boundary, before, after):
    """The characters that are kept of ``after``, a token each."""
    return after[: boundary.kept(before.encode(), after.encode())]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("module ", "counter(inp", "counter("),
        ("module ", "counter", "c"),  # the name may become longer
        ("module ", "counter ", "counter "),
        ("module m(input a); assi", "gn x = 8'hF", "gn x = 8'h"),
        ("module m; ", "assign x = y;", "assign x = y;"),
        ("module m; always @(posedge clk) x ", "<= y", "<= "),
        ("module m; always @(posedge clk) x ", "<= y + ", "<= y + "),
        ("module m; // a comm", "ent of wor", "e"),
        ("module m; // a comm", "ent\n  wire w", "ent\n  wire "),
        ('module m; initial $display("a te', 'xt", 1)', 'xt", 1)'),
        ("", "module m; endmod", "module m; "),
    ],
)
def test_what_follows_the_last_complete_syntax_token_is_cut(boundary, before, after, expected):
    assert kept(boundary, before, after) == expected


def test_every_cut_of_a_module_ends_at_a_border(boundary):
    """Cut again and again, the pieces make the whole text, and none ends within a word."""
    text = ""
    while len(text) < len(MODULE):
        piece = kept(boundary, text, MODULE[len(text) : len(text) + 9])
        text += piece
        within = text[-1].isalnum() and MODULE[len(text) : len(text) + 1].isalnum()
        assert len(piece) == 1 or not within, piece
    assert text == MODULE


def test_tokens_may_have_several_characters():
    pytest.importorskip("tree_sitter_systemverilog", reason="needs the extra tercel[verilog]")
    words = [b"module", b" counter", b"(in", b"put", b" clk", b");", b"\n", b"  reg", b" q"]
    boundary = VerilogBoundary(words.__getitem__)
    assert boundary.kept([0], [1, 2]) == 1  # "(in" ends within a word
    assert boundary.kept([0], [1, 2, 3]) == 1  # the keyword may become a name
    assert boundary.kept([0], [1, 2, 3, 4]) == 3  # the space shows that it does not
    assert boundary.kept([0, 1, 2, 3], [4, 5, 6, 7, 8]) == 4
    assert boundary.kept([0, 1, 2], [3, 4, 5]) == 3


def test_a_missing_parser_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tree_sitter", None)
    with pytest.raises(TercelError, match=r"need tree_sitter, .*pip install 'tercel\[verilog\]'"):
        VerilogBoundary(lambda token: b"")
