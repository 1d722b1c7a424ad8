"""The search by the command line; its parts have tests of their own."""

import pytest
from typer.testing import CliRunner

from tercel.cli.app import app
from tercel.device.emulator import EmulatorDevice
from tercel.image import Image
from tercel.speculation.drafter_file import load_drafter
from tercel.speculation.drafters.self_speculation import SelfSpeculation


@pytest.fixture
def model(image, tmp_path):
    path = tmp_path / "tiny.tercel"
    path.write_bytes(image.path.read_bytes())
    return path


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("A text of the kind of the prompts. " * 12)
    return path


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_set_of_layers_is_searched_and_opened(model, text, tmp_path):
    options = ["--text", text, "--trials", "7", "--head-rows", "200", "--top-k", "9"]
    result = run("train-drafter", "self", model, *options)
    assert result.exit_code == 0, result.output
    path = tmp_path / "tiny.self.drafter"
    assert result.stdout.startswith(f"{path}: ")
    assert "all layers: gain " in result.stderr
    opened = Image.open(model)
    file = load_drafter(path, kind="self", image=opened)
    assert file.settings["device"] == "emulator"
    assert len(file.settings["accepted"]) == 8
    assert f"gain {file.settings['gain']:.3f}" in result.stdout
    assert ("no set of layers is faster" in result.stderr) == (file.settings["gain"] <= 1)
    drafter = SelfSpeculation.open(opened, EmulatorDevice(opened))
    assert drafter.config.layer_mask == tuple(
        (bool(a), bool(m)) for a, m in file.tensors["layer_mask"].tolist()
    )
    assert (drafter.config.head_rows, drafter.config.top_k) == (200, 9)


def test_mistakes_write_nothing(model, text, tmp_path):
    short = tmp_path / "short.txt"
    short.write_text("short")
    for options, message in (
        (["--text", short], "need a longer text than 5 tokens"),
        (["--text", text, "--head-rows", "257"], "head_rows of tiny must be at most 256, not 257"),
        (["--text", text, "--trials", "0"], "trials of a search of layers must be 1 or more"),
        (["--text", text, "--device", "fpga"], "there is no device 'fpga'"),
    ):
        result = run("train-drafter", "self", model, *options)
        assert result.exit_code == 2, result.output
        assert message in result.stderr
    assert not (tmp_path / "tiny.self.drafter").exists()
