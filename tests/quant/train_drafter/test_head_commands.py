"""The commands that train heads: a file that drafts, and clear errors."""

import pytest
from typer.testing import CliRunner

from tercel.cli.app import app
from tercel.image import Image
from tercel.speculation.drafter_file import drafter_path, load_drafter

SMALL = [
    *("--tokens", "320", "--prompt", "8", "--length", "40", "--sequences", "8"),
    *("--steps", "3", "--batch-size", "8", "--levels", "2", "--rows", "32", "--candidates", "8"),
]
KINDS = {
    "hydra": ["--width", "16", "--inner", "8", "--next-inner", "8"],
    "medusa": [],
    "blockwise": ["--inner", "8", "--blind"],
}


def train(kind, *arguments):
    command = ["train-drafter", kind, *map(str, arguments)]
    return CliRunner().invoke(app, command)


@pytest.mark.parametrize("kind", KINDS)
def test_a_trained_file_drafts(image, text, tmp_path, kind):
    model = tmp_path / "m.tercel"
    model.write_bytes(image.path.read_bytes())
    output = drafter_path(model, kind)
    arguments = [model, "--text", text, "-o", output, "--folder", tmp_path / "run"]
    result = train(kind, *arguments, *SMALL, *KINDS[kind])
    assert result.exit_code == 0, result.output
    assert "first guess right at temperature 0.8" in result.output
    file = load_drafter(output, kind=kind, image=Image.open(model))
    assert file.settings["steps"] == 3
    assert file.settings["texts"] == [text.name]
    assert ("token" in file.tensors) == (kind == "medusa")
    content = output.read_bytes()
    assert train(kind, *arguments, *SMALL, *KINDS[kind]).exit_code == 0
    assert output.read_bytes() == content


def test_errors_are_one_line(image, text, tmp_path):
    output = tmp_path / "x.drafter"
    missing = train("hydra", image.path, "--text", tmp_path / "no.txt", "-o", output)
    assert missing.exit_code == 2
    assert "there is no text" in missing.output
    folder = train("hydra", image.path, "--text", text, "-o", tmp_path / "no" / "x.drafter")
    assert folder.exit_code == 2
    assert not output.exists()
