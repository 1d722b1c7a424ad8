"""Modules of the project and the tests that are theirs: mirrored ones, and those of mirror.toml."""

import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
PACKAGES = (
    "sw/tercel",
    "hw/tercel_hw",
    "export/tercel_export",
    "quant/tercel_quant",
    "sim/tercel_sim",
)
LIST = tomllib.loads((TESTS / "mirror.toml").read_text())


def source_modules() -> dict[str, Path]:
    """Paths from the root to the mirrored test's; re-exports and entry points have none."""
    found = {}
    for package in PACKAGES:
        folder = ROOT / package
        for path in sorted(folder.rglob("*.py")):
            if path.name not in ("__init__.py", "__main__.py"):
                relative = path.relative_to(folder)
                mirrored = TESTS / folder.parent.name / relative.with_name(f"test_{path.name}")
                found[path.relative_to(ROOT).as_posix()] = mirrored
    return found


MODULES = source_modules()


def owning_test(module: str) -> Path | None:
    """The test file of a module, by its path from the root; None for one of structure only."""
    if MODULES[module].exists():
        return MODULES[module]
    named = LIST["part"].get(module)
    return TESTS / named if named else None
