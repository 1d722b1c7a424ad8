"""The mutation run: which modules it takes, how it stages them, what it counts."""

from io import StringIO

import libcst as cst
import mutants
import pytest
from mirror import TESTS, owning_test
from rich.console import Console

LANES = "sw/tercel/program/lanes.py"

HALF = """
from tercel.program.lanes import LanePlan, lanes_per_head_choices


def test_choices():
    assert [lanes_per_head_choices(lanes) for lanes in (1, 2, 6)] == [(1,), (1, 2), (1, 2, 4, 6)]


def test_nothing_of_plans():
    LanePlan(lanes=4, nodes=2, heads=4).sweeps
"""


def test_a_module_has_its_mirrored_tests_or_the_ones_that_the_list_names():
    assert owning_test(LANES) == TESTS / "sw/program/test_lanes.py"
    assert owning_test("hw/tercel_hw/dense/vectors.py") == TESTS / "hw/dense/test_engine.py"
    assert owning_test("sw/tercel/errors.py") is None


def test_folders_and_files_name_their_modules_once(monkeypatch):
    monkeypatch.chdir(mutants.ROOT)
    named = mutants.named_modules([LANES, "sw/tercel/program"])
    assert named[0] == LANES
    assert len(named) == len(set(named)) > 5
    assert all(name.startswith("sw/tercel/program/") for name in named)
    with pytest.raises(SystemExit, match="docs has no module"):
        mutants.named_modules(["docs"])


def test_what_changed_is_modules_only(monkeypatch):
    answers = {"merge-base": "abc\n", "diff": f"README.md\n{LANES}\nsw/tercel/__init__.py\n"}

    def git(*arguments):
        return answers[arguments[0]]

    monkeypatch.setattr(mutants, "git", git)
    assert mutants.changed_modules("main") == [LANES]


def test_decorators_become_statements_in_their_order():
    source = """
class A:
    @property
    @cache
    def x(self):
        return 1

    @x.setter
    def x(self, value):
        pass

    @classmethod
    def y(cls):
        return 2
"""
    code = cst.parse_module(source).visit(mutants.DecoratedByAssignment()).code
    assert "    def x(self):\n        return 1\n    x = property(cache(x))\n" in code
    assert "    @x.setter\n" in code
    assert "    @classmethod\n    def y(cls):" in code


def test_nothing_changed_is_told(monkeypatch, capsys):
    monkeypatch.setattr(mutants, "git", lambda *arguments: "README.md\n")
    monkeypatch.setattr("sys.argv", ["mutants"])
    mutants.main()
    told = "no module differs from where this branch left main; name FILES\n"
    assert capsys.readouterr().out == told


def test_a_narrow_terminal_cuts_no_name():
    module = "sw/tercel/numerics/quantise.py"
    outcome = mutants.Outcome(mutants=20, killed=15, timed_out=3, survivors={"x": "- +"})
    shown = StringIO()
    Console(width=60, file=shown).print(mutants.report({module: outcome}))
    rows = [line.split("│")[1:-1] for line in shown.getvalue().splitlines()[3:-1]]
    columns = ["".join(cells).replace(" ", "") for cells in zip(*rows, strict=True)]
    assert columns == [module, "20", "16", "15", "3", "1"]


def test_what_is_tested_is_killed_and_the_rest_survives(tmp_path, monkeypatch):
    stage = mutants.stage
    half = TESTS / "sw/program/test_half.py"

    def staged(module, test):
        folder = stage(module, test)
        (folder / half.relative_to(mutants.ROOT)).write_text(HALF)
        return folder

    monkeypatch.setattr(mutants, "FOLDER", tmp_path)
    monkeypatch.setattr(mutants, "stage", staged)
    outcome = mutants.measure(LANES, half, sample=4, workers=1)
    assert outcome.tested == 4 < outcome.mutants
    assert outcome.killed
    assert outcome.survivors
    for name, change in outcome.survivors.items():
        assert "LanePlan" in name  # a property, thus decorated
        assert "\n-  " in change
        assert "\n+  " in change
    assert mutants.report({LANES: outcome}).row_count == 1
