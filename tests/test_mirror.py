"""Every module has a test at its mirrored path, or stands in mirror.toml with the reason."""

import ast
import functools
import sys
from pathlib import Path

import pytest
from mirror import LIST, MODULES, PACKAGES, ROOT, TESTS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PARTS = LIST["part"]

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PLUGINS = {
    target.partition(":")[0]
    for group in PROJECT["entry-points"].values()
    for target in group.values()
}
"""Modules that the command line loads by entry points."""
COMMAND_LINE = ROOT / "sw/tercel/cli/app.py"


@functools.cache
def imports(path: Path) -> frozenset[str]:
    """Names that a file imports, with what it takes from them, or starts as processes."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Constant) and str(node.value).startswith("tercel"):
            names.add(node.value)
    return frozenset(names)


@functools.cache
def files_of(name: str) -> tuple[Path, ...]:
    """The project's files that an import of a name runs last."""
    roots = [(ROOT / package).parent for package in PACKAGES]
    places = [root.joinpath(*name.split(".")) for root in (*roots, TESTS / "support")]
    files = [file for place in places for file in (place.with_suffix(".py"), place / "__init__.py")]
    return tuple(file for file in files if file.is_file())


def reached(path: Path) -> set[Path]:
    """The project's files that a test imports, itself or by what it imports and its fixtures."""
    conftests = [folder / "conftest.py" for folder in path.parents if folder.is_relative_to(TESTS)]
    waiting = [path, *(each for each in conftests if each.exists())]
    waiting += path.parent.glob("benches/*.py")
    found: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            names = imports(path) | (PLUGINS if path == COMMAND_LINE else set())
            waiting += (file for name in names for file in files_of(name))
    return found


def test_every_module_has_a_test_or_a_reason():
    listed = set(LIST["structure"]) | set(PARTS)
    bare = sorted(name for name, test in MODULES.items() if not test.exists())
    missing = [name for name in bare if name not in listed]
    assert not missing, f"write {[str(MODULES[name].relative_to(ROOT)) for name in missing]}"


def test_the_list_is_not_stale():
    assert set(LIST) == {"structure", "part"}
    listed = [*LIST["structure"], *PARTS]
    assert len(listed) == len(set(listed)), "a module is named twice"
    gone = [name for name in listed if name not in MODULES]
    assert not gone, f"mirror.toml names modules that are gone: {gone}"
    tested = [name for name in listed if MODULES[name].exists()]
    assert not tested, f"mirror.toml names modules that have a test: {tested}"
    assert all(reason.strip() for reason in LIST["structure"].values())


@pytest.mark.parametrize("test", sorted(set(PARTS.values())))
def test_a_part_is_reached_by_the_test_that_is_named(test):
    path = TESTS / test
    assert path.is_file(), f"mirror.toml names {test}, which is gone"
    files = reached(path)
    missed = [name for name, by in PARTS.items() if by == test and ROOT / name not in files]
    assert not missed, f"{test} does not even import {missed}"
