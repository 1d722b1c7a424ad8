"""Plain identifiers; whole designs are in test_emission."""

import re

import pytest

from tercel_hw.identifiers import plain_identifiers

WORD = re.compile(r"[A-Za-z_]\w*")


@pytest.mark.parametrize(
    ("escaped", "plain"),
    [
        ("\\tercel.core.engine (", "tercel__core__engine("),
        ("wire \\busy$388 ;", "wire busy_388;"),
        ("wire \\base[0] ;", "wire base_0;"),
        ("wire \\events$4.a[1][2] ;", "wire events_4__a_1_2;"),
        ("assign \\$1  = \\$signal$42 [3:0];", "assign _1 = signal_42[3:0];"),
        ("\\tercel.part \\part (", "tercel__part part_("),
        ("if (\\a.b ) begin end", "if (a__b) begin end"),
    ],
)
def test_names_stay_readable(escaped, plain):
    assert plain_identifiers(escaped) == plain


def test_everything_else_stays():
    text = '(* a = "\\\\$x \\" \\y" *) $signed(a) + 8\'hff /* b */'
    assert plain_identifiers(text) == text


def test_a_keyword_remains_a_name():
    """Yosys escapes what Verilog or SystemVerilog reserves."""
    assert plain_identifiers("wire \\bit ; wire \\$reg ;") == "wire bit_; wire reg_;"


def test_different_names_stay_different():
    names = ["\\a$1", "\\a[1]", "\\a$1$1", "\\a:1", "\\$a_1", "\\a_1_2 ", "\\a.b", "\\1a", "\\$1a"]
    text = "wire a_1, a_1_1, a__b, _1a; wire " + " , ".join(f"{name} " for name in names) + ";"
    found = WORD.findall(plain_identifiers(text))
    assert found.count("wire") == 2
    assert len(set(found)) == len(found) - 1 == 4 + len(names) + 1


def test_a_name_is_replaced_by_the_same_one_everywhere():
    text = "module \\a.b (\\i$1 ); endmodule module c; \\a.b \\a.b (.\\i$1 (\\a_1 )); endmodule"
    plain = plain_identifiers(text)
    assert plain.startswith("module a__b(i_1);")
    assert "a__b a__b(.i_1(a_1_))" in plain
