import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tercel.cli.app import app
from tercel.image import Image

DOCS = Path(__file__).parents[3] / "docs"


def tercel(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def given(image, text, tmp_path):
    (tmp_path / "text.txt").write_text(text)
    return image.path, "--text", tmp_path / "text.txt", "--tokens", 512


def test_a_shortlist_is_added_and_measured(given, tmp_path):
    output = tmp_path / "listed.tercel"
    result = tercel("shortlist", *given, "--rows", 32, "-o", output)
    assert result.exit_code == 0, result.output
    first, second = result.stdout.splitlines()
    assert first.startswith(f"{output}: bytes, a shortlist of 32 rows, ")
    assert "of 64 held-out tokens (" in second
    assert Image.open(output).config.shortlist == 32
    text = tercel("run", output, "-p", "ab", "-n", 4, "--temperature", 0, "--two-stage")
    assert text.exit_code == 0, text.output


def test_facts_in_json(given, tmp_path):
    output = tmp_path / "listed.tercel"
    sidecar = tmp_path / "sidecar.json"
    result = tercel("shortlist", *given, "--rows", 32, "-o", output, "--json")
    facts = json.loads(result.stdout)
    assert (facts["model"], facts["rows"], facts["held_out_tokens"]) == ("bytes", 32, 64)
    assert facts["calibration_tokens"] == 448
    assert facts["image_bytes"] == output.stat().st_size
    assert facts["pass_bytes"]["whole"] == Image.open(output).bytes_per_pass()
    refused = tercel("shortlist", *given, "--rows", 32, "-o", output, "--layout", sidecar)
    assert refused.exit_code == 2
    assert "layout must be one of kv260" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "less than the 257 of the vocabulary of bytes, not 1024"),
        (("--rows", "33"), "rows must be a power of two in 32..4096 and less than"),
        (("--rows", "32", "--tokens", "64"), "a shortlist needs two windows of 64 tokens"),
    ],
)
def test_errors_leave_no_file(given, tmp_path, arguments, message):
    result = tercel("shortlist", *given, *arguments, "-o", tmp_path / "x.tercel")
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert not (tmp_path / "x.tercel").exists()


@pytest.mark.slow
def test_the_shipped_model_agrees_and_writes_the_same_text(tmp_path):
    output, text = tmp_path / "listed.tercel", tmp_path / "text.txt"
    text.write_text("\n".join(path.read_text() for path in sorted(DOCS.glob("*.md"))))
    options = ("--rows", 256, "--tokens", 8192, "-o", output, "--json")
    facts = json.loads(tercel("shortlist", "small", "--text", text, *options).stdout)
    assert facts["held_out_tokens"] == 1024
    assert facts["agreeing_tokens"] >= 1022
    assert facts["pass_bytes"]["two_stage"] < 0.7 * facts["pass_bytes"]["whole"]
    said = [
        tercel("run", model, "-p", "The first duty of a", "--temperature", 0, "-n", 48, *options)
        for model, options in (("small", ()), (output, ("--two-stage",)))
    ]
    assert said[0].exit_code == said[1].exit_code == 0
    assert said[0].stdout == said[1].stdout
