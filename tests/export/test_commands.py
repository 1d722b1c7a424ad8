import dataclasses
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from tercel.cli.app import app
from tercel.config import PRESETS
from tercel.image import random_image
from tercel_export.formats import FORMATS


def export(*arguments):
    return CliRunner().invoke(app, ["export", *map(str, arguments)])


def test_the_shipped_model_is_exported(tmp_path):
    result = export("--format", "onnx", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"{tmp_path / 'out'}: small as onnx, 3.7")
    assert (tmp_path / "out/model.onnx").exists()


def test_an_unknown_format_is_refused(tmp_path):
    result = export("small", "--format", "tflite", "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert f"format must be one of {', '.join(FORMATS)}, not 'tflite'" in result.stderr


def test_the_model_itself_is_never_replaced(one_layer, tmp_path):
    model = tmp_path / "model.tercel"
    model.write_bytes(one_layer.path.read_bytes())
    result = export(model, "--format", "onnx", "-o", tmp_path)
    assert result.exit_code == 2
    assert "holds 'model.tercel', which this export does not write" in result.stderr
    assert model.read_bytes() == one_layer.path.read_bytes()


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("fields", "part"),
    [({"granularity": "row"}, "a scale for each row"), ({"shortlist": 32}, "a shortlist")],
)
def test_models_of_version_3_are_refused(tmp_path, format, fields, part):
    model = tmp_path / "x.tercel"
    random_image(model, dataclasses.replace(PRESETS["tiny"], layers=1, **fields))
    result = export(model, "--format", format, "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert f"but tiny has {part}; export what the image was made of instead" in result.stderr
    assert not (tmp_path / "out").exists()


def test_help_names_every_format():
    assert f"{', '.join(FORMATS)}." in export("--help").stdout


def test_a_gguf_of_either_type_goes_to_a_file_or_to_the_standard_output(tmp_path):
    result = export("small", "-f", "gguf", "--type", "TQ2_0", "-o", tmp_path / "small.gguf")
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{tmp_path / 'small.gguf'}: small as gguf, 3.02 MB\n"
    command = [sys.executable, "-m", "tercel", "export", "small", "-f", "gguf", "--type", "TQ2_0"]
    piped = subprocess.run([*command, "-o", "-"], capture_output=True, timeout=120, check=True)
    assert piped.stdout == (tmp_path / "small.gguf").read_bytes()
    assert piped.stderr.decode() == "-: small as gguf\n"


def test_a_type_is_for_gguf_alone(tmp_path):
    result = export("small", "-f", "onnx", "--type", "TQ2_0", "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert "--type is for gguf alone; leave it out for onnx" in result.stderr


def test_a_folder_that_is_replaced_is_told(tmp_path):
    out = tmp_path / "out"
    assert "is replaced" not in export("-f", "huggingface", "-o", out).stderr
    result = export("-f", "huggingface", "-o", out)
    assert f"{out} exists: it is replaced when the new one is whole\n" in result.stderr


def test_a_file_in_place_of_a_folder_is_refused_without_a_word_of_replacing(tmp_path):
    out = tmp_path / "small.gguf"
    out.write_text("a file")
    result = export("-f", "onnx", "-o", out)
    assert result.exit_code == 2
    assert "is replaced" not in result.stderr
