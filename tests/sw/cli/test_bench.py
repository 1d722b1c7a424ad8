import csv
import io
import json

import pytest

QUICK = ("-p", "9", "-n", "3", "-v", "2", "-r", "2")


def test_json_has_a_row_a_test(tercel, model):
    rows = json.loads(tercel("bench", model, *QUICK, "-o", "json").stdout)
    assert [row["test"] for row in rows] == ["pp9", "tg3", "v1", "v2"]
    for row in rows:
        assert row["evidence"] == "emulator, measured on this machine"
        assert row["repetitions"] == 2
        assert row["tokens_per_second"] > 0
    prefill = rows[0]
    assert prefill["ms_per_pass"] > 0


def test_csv_reads_back(tercel, model):
    text = tercel("bench", model, *QUICK, "--output", "csv", "--depth", "5").stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["test"] for row in rows] == ["pp9 @ d5", "tg3 @ d5", "v1 @ d5", "v2 @ d5"]
    assert float(rows[0]["tokens_per_second"]) > 0


def test_markdown_is_a_table(tercel, model):
    lines = tercel("bench", model, *QUICK).stdout.splitlines()
    assert len(lines) == 6
    assert {line.count("|") for line in lines} == {10}
    assert "tokens/s" in lines[0]
    assert "emulator, measured on this machine" in lines[2]


def test_errors(tercel, model):
    result = tercel("bench", model, "--repetitions", "0")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "error: repetitions must be 1 or more, not 0\n"


def test_what_does_not_fit_is_refused_before_the_table_begins(tercel, model):
    result = tercel("bench", model, "--context", "64")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("error: 128 tokens at a depth of 0 exceed the context of 64")


@pytest.fixture
def prompts(tmp_path):
    path = tmp_path / "letters.jsonl"
    path.write_text('{"prompt": "abc"}\n{"prompt": "xyz"}\n')
    return str(path)


def test_speculation_has_a_row_for_each_method_and_kind(tercel, model, prompts, tmp_path):
    other = tmp_path / "whole.txt"
    other.write_text("one prompt")
    arguments = ("--spec", "draft", "--draft-model", model, "--prompts", prompts, "--temperature")
    arguments += ("1", "-n", "20", "--prompts", str(other), "-o", "json")
    rows = json.loads(tercel("bench", model, *arguments).stdout)
    kinds = ["letters", "whole"]
    assert [(row["method"], row["kind"]) for row in rows] == [
        (method, kind) for method in ("none", "draft") for kind in kinds
    ]
    assert all(10 < row["tokens"] <= 38 for row in rows)  # loops are left out
    assert rows[2]["tokens_per_verify"] > 3  # the model drafts for itself
    for row in rows:
        assert row["text"] == "equal"
        assert row["acceptor"] == "agreement"
        assert row["evidence"] == "emulator, measured on this machine"


def test_all_methods_that_are_there_are_measured_as_a_table(tercel, model, prompts):
    arguments = ("--spec", "all", "--prompts", prompts, "-n", "8", "--draft-model", model)
    lines = tercel("bench", model, *arguments).stdout.splitlines()
    names = [line.split("|")[1].strip() for line in lines[2:]]
    assert names[:2] == ["none", "auto"]
    assert "draft" in names
    assert {line.count("|") for line in lines} == {11}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--spec", "draft"], "--spec measures texts: name files of prompts with --prompts"),
        (["--prompts", "FILE"], "--prompts is for --spec; name its methods, or all"),
        (["--draft-max", "3"], "--draft-max is for --spec; name its methods, or all"),
        (["--spec", "x", "--prompts", "FILE"], "there is no method 'x' of speculation, only auto"),
        (["--spec", "draft", "--prompts", "FILE"], "name its image with --draft-model"),
        (["--spec", "all", "--prompts", "FILE", "--acceptor", "x"], "there is no acceptor 'x'"),
        (["--spec", "all", "--prompts", "FILE", "--draft-max", "-1"], "0 or more nodes, not -1"),
        (
            ["--spec", "ngram", "--prompts", "FILE", "--context", "2"],
            "the prompt has 3 tokens, but",
        ),
        (
            ["--spec", "ngram,suffix", "--prompts", "FILE", "--draft-model", "FILE"],
            "for the methods draft, draft-drawn and expert, not for ngram, suffix; name one",
        ),
    ],
)
def test_errors_of_speculation(tercel, model, prompts, arguments, message):
    arguments = [prompts if argument == "FILE" else argument for argument in arguments]
    result = tercel("bench", model, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
