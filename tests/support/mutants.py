"""Mutate modules, run their tests on each mutant and count what survives: `make mutants`.

Each module is mutated by itself in a copy of the project under `build/mutants/`, against its
mirrored test file or the one that `tests/mirror.toml` names. Messages of errors stay as they are.
A mutant that runs longer than its limit counts as killed.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import libcst as cst
from mirror import LIST, MODULES, PACKAGES, ROOT, owning_test
from mutmut.configuration import reset_config
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.mutation.file_mutation import mutate_file_contents
from mutmut.utils.file_utils import change_cwd
from mutmut.utils.format_utils import get_mutant_name
from rich.console import Console
from rich.table import Column, Table

FOLDER = ROOT / "build" / "mutants"
BESIDE = ("tests", "docs", "boards", "bench", "examples")
"""Folders that tests read besides the packages."""

PRELOADED = ("pytest", "hypothesis.strategies", "numpy", "amaranth.sim", "amaranth.lib.memory")
"""Imported once for all mutants; not the project itself, which builds tables at its import."""

KILLED = {"killed", "timeout", "segfault", "check was interrupted by user"}
"""The last one stands for a test file that cannot be imported."""

LIVING = {"survived", "no tests"}
KEPT_DECORATORS = {"staticmethod", "classmethod"}  # mutmut mutates under these
SEED = 9
LIMIT = 3600  # seconds of a module
MESSAGES = r"^\s*raise\b"
CONFIG = """
[tool.mutmut]
source_paths = ["src"]
only_mutate = [{module}]
do_not_mutate_patterns = [{messages}]
also_copy = {beside}
pytest_add_cli_args = [
    "-n", "0", "-p", "no:cacheprovider",
    "-W", "ignore::pytest.PytestAssertRewriteWarning",  # hypothesis comes first
]
pytest_add_cli_args_test_selection = [{tests}]
process_isolation = "forkserver"
forkserver_warmup = "import"
preload_modules_file = "preloaded.txt"
timeout_multiplier = 4.0
timeout_constant = 15.0
use_git_change_detection = false
"""


class DecoratedByAssignment(cst.CSTTransformer):
    """Decorate by a statement after the function: mutmut leaves functions with decorators alone."""

    def leave_FunctionDef(self, original_node, updated_node):  # noqa: N802
        names = [each.decorator for each in updated_node.decorators]
        if not names or any(
            (isinstance(name, cst.Name) and name.value in KEPT_DECORATORS)
            or (isinstance(name, cst.Attribute) and name.attr.value in ("setter", "register"))
            for name in names
        ):
            return updated_node
        value: cst.BaseExpression = updated_node.name
        for name in reversed(names):
            value = cst.Call(name, [cst.Arg(value)])
        target = cst.AssignTarget(updated_node.name)
        assignment = cst.SimpleStatementLine([cst.Assign([target], value)])
        return cst.FlattenSentinel([updated_node.with_changes(decorators=[]), assignment])


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Mutants of a module: how many there are, and what the tests said of those that were run."""

    mutants: int
    killed: int
    timed_out: int
    """Those of the killed that ran too long; many of them speak of a busy machine."""
    survivors: dict[str, str]
    """Name of a mutant to its change as a diff."""

    @property
    def tested(self) -> int:
        return self.killed + len(self.survivors)


def git(*arguments: str) -> str:
    """Output of git in the project."""
    command = ["git", *arguments]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    if ended.returncode:
        raise SystemExit(ended.stderr.strip())
    return ended.stdout


def changed_modules(base: str) -> list[str]:
    """Modules in which the working tree differs from the commit where it left a branch."""
    fork = git("merge-base", base, "HEAD").strip()
    return [name for name in git("diff", "--name-only", fork).splitlines() if name in MODULES]


def named_modules(names: list[str]) -> list[str]:
    """Modules of files and folders; refuses what has none."""
    found = []
    for name in names:
        path = Path(name).resolve()
        inside = [each for each in MODULES if (ROOT / each).is_relative_to(path)]
        if not inside:
            raise SystemExit(f"{name} has no module that could have tests of its own")
        found += inside
    return list(dict.fromkeys(found))


def stage(module: str, test: Path) -> Path:
    """Copy the project for one module, in the layout that mutmut knows; returns the folder."""
    folder = FOLDER / module.removesuffix(".py").replace("/", ".")
    shutil.rmtree(folder, ignore_errors=True)
    skip = shutil.ignore_patterns("__pycache__", ".hypothesis")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / "src" / Path(package).name, ignore=skip)
    for name in BESIDE:
        shutil.copytree(ROOT / name, folder / name, ignore=skip)
    staged = folder / "src" / Path(*Path(module).parts[1:])
    staged.write_text(cst.parse_module(staged.read_text()).visit(DecoratedByAssignment()).code)
    config = CONFIG.format(
        module=json.dumps(staged.relative_to(folder).as_posix()),
        messages=json.dumps(MESSAGES),
        beside=json.dumps(BESIDE),
        tests=json.dumps(test.relative_to(ROOT).as_posix()),
    )
    project = (ROOT / "pyproject.toml").read_text()
    (folder / "pyproject.toml").write_text(project + config)
    (folder / "preloaded.txt").write_text("\n".join(PRELOADED))
    return folder


def mutmut(folder: Path, *arguments: str, log: str) -> str:
    """Run mutmut in a staged folder; its tests' processes see the mutated packages too."""
    paths = [folder / "mutants" / each for each in ("src", "tests/support")]
    for path in paths:  # Python forgets about those that are not there when it starts
        path.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "mutmut", *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}
    written = folder / log
    with written.open("w") as output:
        try:
            ended = subprocess.run(
                command, cwd=folder, env=environment, stdout=output, stderr=output, timeout=LIMIT
            )
        except subprocess.TimeoutExpired:
            raise SystemExit(f"mutmut took more than {LIMIT} s; see {written}") from None
    text = written.read_text()
    if ended.returncode:
        tail = "".join(text.splitlines(keepends=True)[-20:])
        raise SystemExit(f"mutmut failed; see {written}\n{tail}")
    return text


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Call mutmut's functions as in a staged folder: they read its configuration once."""
    reset_config()
    with change_cwd(folder):
        yield
    reset_config()


def mutant_names(folder: Path, module: str) -> list[str]:
    """Names of all mutants of a staged module, as mutmut will give them."""
    path = Path("src", *Path(module).parts[1:])
    with inside(folder):
        mutated = mutate_file_contents(str(path), path.read_text())
    return [get_mutant_name(path, name) for name in mutated.mutant_names]


def measure(module: str, test: Path, *, sample: int | None, workers: int) -> Outcome:
    """Run the tests of a module on its mutants, or on some drawn by a fixed seed."""
    folder = stage(module, test)
    names = drawn = mutant_names(folder, module)
    if sample is not None and sample < len(names):
        drawn = random.Random(SEED).sample(names, sample)
    if not drawn:
        return Outcome(mutants=0, killed=0, timed_out=0, survivors={})
    mutmut(folder, "run", "--max-children", str(workers), *drawn, log="run.log")
    lines = mutmut(folder, "results", "--all", "true", log="results.log").splitlines()
    states = dict(line.strip().rsplit(": ", 1) for line in lines)
    living = [name for name in drawn if states[name] in LIVING]
    unknown = {states[name] for name in drawn} - KILLED - LIVING
    if unknown:
        raise SystemExit(f"{module}: mutants that ended as {sorted(unknown)}; see {folder}")
    timed_out = sum(states[name] == "timeout" for name in drawn)
    if timed_out == len(drawn):
        raise SystemExit(f"{module}: all timed out, or tests do not start; see {folder}")
    with inside(folder):
        changes = {name: f"# {name}\n{get_diff_for_mutant(name)}\n" for name in living}
    return Outcome(
        mutants=len(names),
        killed=len(drawn) - len(living),
        timed_out=timed_out,
        survivors=changes,
    )


def report(outcomes: dict[str, Outcome]) -> Table:
    """Mutants of each module: all, tested, killed, killed by the time limit, survived."""
    module = Column("module", overflow="fold")  # a narrow terminal cuts no name
    table = Table(module, "mutants", "tested", "killed", "by time", "survived")
    for module, each in outcomes.items():
        counts = (each.mutants, each.tested, each.killed, each.timed_out, len(each.survivors))
        table.add_row(module, *map(str, counts))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", help="modules or folders; none: what changed")
    parser.add_argument("--base", default="main", help="commit whose changes count (main)")
    parser.add_argument("--sample", type=int, help="at most so many mutants of a module")
    parser.add_argument("--workers", type=int, default=1, help="mutants tested at once (1)")
    options = parser.parse_args()
    modules = named_modules(options.files) if options.files else changed_modules(options.base)
    if not modules:
        print(f"no module differs from where this branch left {options.base}; name FILES")
    outcomes = {}
    for module in modules:
        test = owning_test(module)
        if test is None:
            print(f"{module}: no tests of its own: {LIST['structure'][module]}")
            continue
        outcomes[module] = measure(module, test, sample=options.sample, workers=options.workers)
        each = outcomes[module]
        print(f"{module}: {each.killed} of {each.tested} killed", flush=True)
        FOLDER.joinpath("survivors.diff").write_text(
            "".join(change for each in outcomes.values() for change in each.survivors.values())
        )
    if outcomes:
        Console().print(report(outcomes))
        print(f"what survived: {FOLDER / 'survivors.diff'}")


if __name__ == "__main__":
    main()
