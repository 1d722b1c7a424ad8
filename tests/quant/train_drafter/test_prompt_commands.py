import pytest
from typer.testing import CliRunner

from tercel.cli.app import app
from tercel.image import Image
from tercel.speculation.drafter_file import load_drafter

SIZES = ["--tokens", "192", "--sequences", "8", "--prompt", "6", "--length", "24"]
STEPS = {
    "ppd": ["--steps", "2"],
    "deer": ["--continuation-steps", "2", "--refinement-steps", "1", "--context", "5"],
}


def run(*arguments):
    return CliRunner().invoke(app, ["train-drafter", *map(str, arguments)])


@pytest.mark.parametrize("kind", STEPS)
def test_a_drafter_is_trained_and_reported(image, text, tmp_path, kind):
    output = tmp_path / "a.drafter"
    options = ["--text", text, "-o", output, "--folder", tmp_path / "build", *SIZES]
    found = run(kind, image.path, *options, *STEPS[kind])
    assert found.exit_code == 0, found.output
    assert f"{output}: " in found.output
    assert ("first guess right" in found.output) == (kind == "ppd")
    load_drafter(output, kind=kind, image=Image.open(image.path))


@pytest.mark.parametrize("kind", STEPS)
def test_a_text_that_is_missing_is_told(image, tmp_path, kind):
    found = run(kind, image.path, "--text", tmp_path / "none.txt")
    assert found.exit_code == 2
    assert "there is no text" in found.output
    assert not list(tmp_path.iterdir())
