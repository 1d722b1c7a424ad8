"""The import arrows of docs/architecture.md: who may import whom."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "tercel": (
        ROOT / "sw/tercel",
        {"numpy", "safetensors", "threadpoolctl", "tokenizers", "typer", "rich"}
        | {"jinja2", "tree_sitter", "tree_sitter_systemverilog"}
        | {"pynq", "pyxrt"},  # the board's own, imported by what uses them
    ),
    "tercel_hw": (
        ROOT / "hw/tercel_hw",
        {"tercel", "numpy", "amaranth", "pygments", "pyosys", "tomli", "typer", "rich"},
    ),
    "tercel_sim": (
        ROOT / "sim/tercel_sim",
        {"tercel", "tercel_hw", "numpy", "amaranth", "cocotb", "cocotb_tools", "cocotbext"}
        | {"typer", "rich", "pynq", "pynqmetadata", "dask", "distributed", "optuna", "plotly"}
        | {"scipy"},
    ),
    "tercel_export": (
        ROOT / "export/tercel_export",
        {"tercel", "numpy", "onnx", "onnx_ir", "gguf", "safetensors", "tokenizers"}
        | {"typer", "rich"},
    ),
    "tercel_quant": (
        ROOT / "quant/tercel_quant",
        {"tercel", "tercel_export", "numpy", "torch", "transformers", "gguf", "optuna"}
        | {"safetensors", "tokenizers", "typer", "rich", "rdata", "lm_eval", "tqdm"},
    ),
}
LAYERS = [
    "errors",
    "files",
    "notebooks",
    "overlays",
    "file_hash",
    "hwmon",
    "cache_folder",
    "json_dataclass",
    "config",
    "numerics",
    "image",
    "program",
    "device",
    "hardware",
    "sampling",
    "speculation",
    "runtime",
    "doctor",
    "cli",
    "__main__",
]
"""Inside ``tercel`` a package imports only those before it."""


def imported(path: Path) -> set[str]:
    """Full names of the modules that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_import_only_what_the_contract_allows(package):
    folder, allowed = PACKAGES[package]
    allowed = allowed | set(sys.stdlib_module_names) | {package}
    for path in files(folder):
        foreign = {name.split(".")[0] for name in imported(path)} - allowed
        assert not foreign, f"{path} imports {foreign}"


def test_layers_inside_tercel_point_one_way():
    folder = PACKAGES["tercel"][0]
    for path in files(folder):
        layer = path.relative_to(folder).parts[0].removesuffix(".py")
        if layer == "__init__":
            continue
        rank = LAYERS.index(layer)
        for name in imported(path):
            parts = name.split(".")
            if parts[0] == "tercel" and len(parts) > 1 and parts[1] in LAYERS:
                assert LAYERS.index(parts[1]) <= rank, f"{path} imports {name}"


def test_no_source_file_is_longer_than_500_lines():
    for folder, _ in PACKAGES.values():
        for path in files(folder):
            assert len(path.read_text().splitlines()) <= 500, path
