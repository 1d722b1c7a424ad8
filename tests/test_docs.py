"""The documents: links, names of files, modules and classes, width, and tables that are made."""

import ast
import builtins
import re
from functools import cache
from pathlib import Path

import pytest
import resource_tables

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
WIDTH = 110
SOURCES = {
    "tercel": ROOT / "sw/tercel",
    "tercel_hw": ROOT / "hw/tercel_hw",
    "tercel_sim": ROOT / "sim/tercel_sim",
    "tercel_export": ROOT / "export/tercel_export",
    "tercel_quant": ROOT / "quant/tercel_quant",
}
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
SPAN = re.compile(r"`([^`\n]+)`")
FILE = re.compile(
    r"(?<![\w./-])(?:tests|bench|boards|examples|docs|sw|hw|sim|quant|export)/[\w./-]*"
)
MODULE = re.compile(r"\b(?:tercel|tercel_hw|tercel_sim|tercel_export|tercel_quant)(?:\.\w+)+")
CLASS = re.compile(r"[A-Z][a-z]+\w*(?=$|\(|\.[a-z_]+\b)")
EXPORTED = re.compile(
    r"tercel\.(?:v|json|vlt|core|xml|bit|bit\.bin|hwh|dtso|dtbo)|tercel\.(?:commands|devices)"
)
"""Not modules: files of an accelerator and of an overlay, and groups of entry points."""
OTHERS = {"BitNetForCausalLM", "BitnetForCausalLM", "LlamaForCausalLM", *dir(builtins)}
OTHERS |= {"MiniCPMForCausalLM", "Qwen3ForCausalLM"}
OTHERS |= {
    "BitCast",
    "DequantizeLinear",
    "InferShapes",
    "MatMul",
    "MatMulInteger",
    "MatMulNBits",
    "Quant",
}
"""Classes of Hugging Face, Python and qonnx, and operators of ONNX."""


documents = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def prose(path: Path) -> str:
    """A document without its blocks of code."""
    return FENCE.sub("", path.read_text())


def anchors(text: str) -> set[str]:
    """Names of the headings, as GitHub makes them."""
    found: dict[str, int] = {}
    names = set()
    for heading in re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        name = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        count = found.setdefault(name, 0)
        found[name] += 1
        names.add(f"{name}-{count}" if count else name)
    return names


@documents
def test_links_lead_somewhere(path):
    broken = []
    for link in LINK.findall(prose(path)):
        if link.startswith(("http://", "https://")):
            continue
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        if not target.exists() or (anchor and anchor not in anchors(target.read_text())):
            broken.append(link)
    assert broken == []


@documents
def test_files_exist(path):
    named = [name for span in SPAN.findall(prose(path)) for name in FILE.findall(span)]
    assert [name for name in named if not (ROOT / name).exists()] == []


def exists(name: str) -> bool:
    """True if a dotted name is a module, or a name that a module defines or imports."""
    package, *rest = name.split(".")
    place = SOURCES[package]
    while rest and ((place / rest[0]).is_dir() or (place / f"{rest[0]}.py").exists()):
        place = place / rest.pop(0)
    if not rest:
        return True
    module = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    return rest[0] in defined(module)


@cache
def defined(module: Path) -> frozenset[str]:
    """Names at the top of a module."""
    names = set()
    for node in ast.parse(module.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return frozenset(names)


@documents
def test_modules_exist(path):
    named = [
        name
        for span in SPAN.findall(prose(path))
        for name in MODULE.findall(span)
        if not EXPORTED.fullmatch(name)
    ]
    assert [name for name in named if not exists(name)] == []


@cache
def capital_names() -> frozenset[str]:
    """Names with a capital letter that any module defines."""
    modules = [path for place in SOURCES.values() for path in place.rglob("*.py")]
    return frozenset(name for path in modules for name in defined(path))


@documents
def test_classes_exist(path):
    named = {match[0] for span in SPAN.findall(prose(path)) if (match := CLASS.match(span))}
    assert named - capital_names() - OTHERS == set()


@documents
def test_lines_are_not_too_long(path):
    lines = path.read_text().splitlines()
    assert [line for line in lines if len(line) > WIDTH and not line.startswith("|")] == []


@documents
def test_tables_of_resources_are_fresh(path):
    text = path.read_text()
    remedy = "run python bench/resource_tables.py"
    assert resource_tables.rewrite(text, resource_tables.Report.read()) == text, remedy


def test_documents_that_the_code_names_exist():
    folders = [*SOURCES.values(), ROOT / "tests", ROOT / "bench", ROOT / "boards"]
    named = {
        (str(path.relative_to(ROOT)), name)
        for folder in folders
        for path in folder.rglob("*")
        if path.suffix in (".py", ".toml", ".tcl", ".h", ".cpp", ".v")
        for name in re.findall(r"\bdocs/[\w./-]*\w", path.read_text())
    }
    assert {(path, name) for path, name in named if not (ROOT / name).exists()} == set()
