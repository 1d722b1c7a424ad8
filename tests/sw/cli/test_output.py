import json

import pytest

from tercel.cli.output import JsonOutput, TextOutput, print_statistics
from tercel.device import Counters
from tercel.runtime import GenerationStatistics, Piece


@pytest.mark.parametrize(
    ("texts", "written"),
    [(["a", "", "b"], "ab\n"), (["a\n"], "a\n"), ([], ""), (["a", "\n", ""], "a\n")],
)
def test_text_ends_with_a_newline(capsys, texts, written):
    output = TextOutput()
    for text in texts:
        output.piece(Piece(token=1, text=text))
    output.end({"tokens": 3})
    assert capsys.readouterr().out == written


def test_json_has_a_line_a_token_and_a_summary(capsys):
    output = JsonOutput()
    output.text("prompt ")
    output.piece(Piece(token=7, text="a"))
    output.piece(Piece(token=8, text=""))
    output.end({"tokens": 2})
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        {"token": 7, "text": "a"},
        {"token": 8, "text": ""},
        {"tokens": 2, "text": "prompt a"},
    ]


def test_statistics_go_to_standard_error(capsys):
    statistics = GenerationStatistics(
        prompt_tokens=3,
        prefilled_tokens=4,
        generated_tokens=3,
        prefill_seconds=2.0,
        decode_seconds=0.5,
        first_token_seconds=2.25,
        decode=Counters(passes=2, nodes=2, tape_bytes_read=4000, kv_bytes_read=80),
    )
    print_statistics(statistics, end="length", evidence="simulated")
    found = capsys.readouterr()
    assert found.out == ""
    assert found.err.splitlines() == [
        "prompt       3 tokens; 4 read in 2.000 s (2.0 tokens/s)",
        "generated    3 tokens; 2 after the first in 0.500 s (4.0 tokens/s)",
        "first token  after 2.250 s",
        "token reads  2.04 kB: tape 2 kB, KV cache 40 B",
        "end          length",
        "evidence     simulated; bytes from the device's counters",
    ]


def test_what_was_not_measured_is_left_out(capsys):
    print_statistics(GenerationStatistics(prompt_tokens=3), end="interrupted", evidence="none")
    assert [line.split()[0] for line in capsys.readouterr().err.splitlines()] == [
        "prompt",
        "generated",
        "end",
        "evidence",
    ]
