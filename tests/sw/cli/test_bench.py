import csv
import hashlib
import io
import json
from pathlib import Path

import pytest

import tercel as tercel_package
from tercel.cli.bench_table import (
    evidence,
    measurement_row,
    print_measurements,
    speculation_evidence,
)
from tercel.cli.table import OutputFormat
from tercel.device import Counters, DeviceFacts, Fact, Timing
from tercel.image import Image
from tercel.runtime import Measurement

QUICK = ("-p", "9", "-n", "3", "-t", "4", "-v", "2", "-r", "2", "-d", "0")
EMULATOR = "measured in software (emulator)"


def test_json_has_a_row_a_test(tercel, model):
    rows = json.loads(tercel("bench", model, *QUICK, "-o", "json").stdout)
    assert [row["test"] for row in rows] == ["pp9", "tg3", "text4", "v1", "v2"]
    for row in rows:
        assert row["evidence"] == EMULATOR
        assert row["repetitions"] == 2
        assert row["tokens_per_second"] > 0
        assert row["ms_per_pass"] > 0
        assert row["accelerator_ms_per_pass"] is row["memory_share"] is row["host_evidence"] is None
        assert (row["sampling_ms_per_pass"] is None) == (row["test"] != "text4")
        assert (row["tokenising_ms_per_pass"] is None) == (row["test"] != "text4")


def test_a_two_stage_head_is_measured(tercel, model, listed_model):
    rows = json.loads(tercel("bench", listed_model, *QUICK, "--two-stage", "-o", "json").stdout)
    image = Image.open(listed_model)
    assert [row["two_stage"] for row in rows] == [True] * 5
    (verify,) = [row for row in rows if row["test"] == "v1"]
    assert verify["bytes_per_token"] == image.bytes_per_pass(listed=32)
    refused = tercel("bench", model, *QUICK, "--two-stage")
    assert "bytes has none; make one with `tercel shortlist`" in refused.stderr


def test_jsonl_has_a_line_a_row(tercel, model):
    lines = tercel("bench", model, *QUICK, "-o", "jsonl").stdout.splitlines()
    assert [json.loads(line)["test"] for line in lines] == ["pp9", "tg3", "text4", "v1", "v2"]


def test_csv_reads_back(tercel, model):
    arguments = (*QUICK[:-2], "--output", "csv", "--depth", "0,5", "-t", "0", "-v", "1")
    text = tercel("bench", model, *arguments).stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    names = ["pp9", "tg3", "v1", "pp9 @ d5", "tg3 @ d5", "v1 @ d5"]
    assert [row["test"] for row in rows] == names
    assert float(rows[0]["tokens_per_second"]) > 0
    assert rows[0]["joules_per_token"] == ""


def test_markdown_is_a_table_of_what_there_is(tercel, model):
    lines = tercel("bench", model, *QUICK, "--sensors", "none").stdout.splitlines()
    assert len(lines) == 7
    heads = [head.strip() for head in lines[0].split("|")[1:-1]]
    host = ["sampling ms", "text ms"]
    speed = ["tokens/s", "ms/pass", *host, "read/token", "evidence"]
    assert heads == ["model", "size", "weights", "device", "test", *speed]
    assert {line.count("|") for line in lines} == {len(heads) + 1}
    assert EMULATOR in lines[2]


def test_sensors_have_columns(tercel, model, tmp_path):
    chip = tmp_path / "hwmon0"
    chip.mkdir()
    for file, text in {"name": "ina260_u14", "power1_input": "4000000"}.items():
        (chip / file).write_text(text)
    arguments = (*QUICK, "--sensors", str(tmp_path))
    heads = tercel("bench", model, *arguments).stdout.splitlines()[0]
    assert "J/token" in heads
    assert "degC" not in heads
    (row, *_) = json.loads(tercel("bench", model, *arguments, "-o", "json").stdout)
    assert row["joules_per_token"] > 0


def test_a_record_has_all_that_a_reader_needs(tercel, model, tmp_path):
    path = tmp_path / "record.json"
    result = tercel("bench", model, *QUICK, "-o", "json", "--submit", str(path))
    record = json.loads(path.read_text())
    assert record["rows"] == json.loads(result.stdout)
    assert record["model"]["sha256"] == hashlib.sha256(Path(model).read_bytes()).hexdigest()
    assert record["versions"]["tercel"]["value"] == tercel_package.__version__
    device = record["device"]
    assert (device.pop("name"), device.pop("timing")) == ("emulator", "measured in software")
    facts = [*device.values(), *record["versions"].values(), record["machine"]["model"]]
    assert len(device) == 7
    for fact in facts:
        assert len(fact) == 2
        assert fact["reason" if fact["value"] is None else "source"]


def test_a_failed_benchmark_leaves_no_record(tercel, model, tmp_path):
    path = tmp_path / "record.json"
    result = tercel("bench", model, "-p", "5000", "--submit", str(path))
    assert result.exit_code == 2
    assert not list(tmp_path.iterdir())


def test_errors(tercel, model):
    result = tercel("bench", model, "--repetitions", "0")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "error: repetitions must be 1 or more, not 0\n"
    result = tercel("bench", model, "-p", "64,x")
    assert result.exit_code == 2
    assert result.stderr == (
        "error: --prompt-tokens takes integers separated by commas, not '64,x'\n"
    )


def test_what_does_not_fit_is_refused_before_the_table_begins(tercel, model):
    result = tercel("bench", model, "--context", "64", "-p", "128")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("error: 128 tokens at a depth of 0 exceed the context of 64")


def test_what_was_not_asked_for_is_left_out_with_a_note(tercel, model):
    arguments = ("--context", "64", "-n", "2", "-r", "1", "-v", "1", "-o", "json")
    result = tercel("bench", model, *arguments)
    assert [row["test"] for row in json.loads(result.stdout)] == ["pp64", "tg2", "v1"]
    assert "note: left out, as they do not fit the context: pp128, pp512, text128" in result.stderr


def test_a_simulated_row_names_both_classes_of_evidence(model, capsys):
    facts = DeviceFacts(
        timing=Timing.SIMULATED, memory_peak=Fact(value=15e9, note="the memory's model")
    )
    measured = Measurement(
        test="tg2",
        tokens=2,
        timing=Timing.SIMULATED,
        host_seconds=(3.0,),
        device_seconds=(0.02,),
        simulation_seconds=(2.9,),
        counters=Counters(passes=2, nodes=2, tape_bytes_read=150_000_000),
    )
    row = measurement_row(Image.open(Path(model)), "rtl", facts, measured)
    assert row["tokens_per_second"] == pytest.approx(100)
    assert row["memory_share"] == pytest.approx(0.5)
    assert row["driver_ms_per_pass"] == pytest.approx(50)
    assert row["evidence"] == "cycle-accurate simulation (rtl), the accelerator alone"
    assert row["host_evidence"] == "measured in software"
    print_measurements([row], OutputFormat.MD)
    head, _, line = capsys.readouterr().out.splitlines()
    cells = dict(zip(head.split("|"), line.split("|"), strict=True))
    cells = {name.strip(): cell.strip() for name, cell in cells.items()}
    assert cells["of memory"] == "50.0 %"
    assert cells["accelerator ms"] == "10.000"
    assert cells["driver ms"] == "50.000"
    assert cells["sampling ms"] == "-"


def test_a_board_is_measured_with_its_driver():
    facts = DeviceFacts(timing=Timing.BOARD)
    assert evidence("pynq", facts) == "measured on a board (pynq), driver included"
    assert speculation_evidence("pynq", facts) == "measured on a board (pynq)"
    simulated = DeviceFacts(timing=Timing.SIMULATED)
    assert speculation_evidence("rtl", simulated) == (
        "passes: cycle-accurate simulation (rtl); drafts: measured in software"
    )


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
        assert row["evidence"] == EMULATOR


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
        (["--acceptor", "agreement"], "--acceptor is for --spec; name its methods, or all"),
        (["--spec", "draft", "-d", "0"], "--depth does not apply to --spec; leave it out"),
        (["--spec", "draft", "-p", "9"], "--prompt-tokens does not apply to --spec"),
        (["--spec", "draft", "-v", "0"], "--verify does not apply to --spec"),
        (["--spec", "draft", "-r", "5"], "--repetitions does not apply to --spec"),
        (["--spec", "draft", "--submit", "FILE"], "--submit does not apply to --spec"),
        (["--spec", "draft", "-n", "1,2"], "--spec takes one -n, not '1,2'"),
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
