import csv
import io
import json

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
