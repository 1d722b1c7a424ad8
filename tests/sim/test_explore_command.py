import json

import pytest
from typer.testing import CliRunner

from tercel.cli.app import app
from tercel_sim.explore import task_pool
from tercel_sim.explore.resource_model import resource_model


@pytest.fixture
def explore(monkeypatch, tmp_path):
    """Run the command with predictions, syntheses and checks by a formula, in this process."""
    ran = []

    def run(kind, arguments, sources):
        given = json.loads(arguments)
        ran.append(kind)
        if kind == "synthesise":
            return {"core": {"lut": 70000}, "rest": {"lut": 5000}}
        if kind == "check":
            return {"passes": 4, "failure": None}
        nodes = given["accelerator"]["tlmm"]["nodes"]
        rate = given["ddr"]["clock_mhz"] * given["ddr"]["sustained_gbs"]
        return {
            "tokens_per_second": rate,
            "first_token_ms": 1000 / nodes,
            "verify_ms": 80 / nodes,
        }

    monkeypatch.setattr(task_pool, "run_task", run)

    def invoke(*arguments):
        fixed = ("--workers", "0", "--store", str(tmp_path / "store"))
        return CliRunner().invoke(app, ["explore", *fixed, *arguments])

    invoke.ran = ran
    return invoke


def test_reports_of_every_form(explore, tmp_path):
    outputs = [tmp_path / f"found.{form}" for form in ("json", "md", "html")]
    arguments = [argument for path in outputs for argument in ("-o", str(path))]
    result = explore(
        *("--board", "kv260", "--trials", "2", "--synthesise", "1", "--check", "1"), *arguments
    )
    assert result.exit_code == 0, result.output
    assert "2 of 2 proposed designs" in result.stderr
    found = json.loads(outputs[0].read_text())
    assert (found["board"], found["model"]) == ("kv260", "0.7b")
    assert found["memory"] == "kv260-15.0, 15 GB/s"
    (synthesised,) = found["synthesised"].values()
    assert synthesised["lut"] == 75000
    assert len(found["checked"]) == 1
    assert "75,000 LUT by Yosys, RTL equal" in outputs[1].read_text()
    assert "<html>" in outputs[2].read_text()
    assert "0.7b on kv260" in result.stdout
    count = len(explore.ran)
    assert explore("--board", "kv260", "--trials", "2").exit_code == 0
    assert len(explore.ran) == count  # all from the store


def test_another_memory_and_clock(explore, tmp_path):
    path = tmp_path / "found.json"
    options = ("--bandwidth", "19.2", "--clock", "300", "--trials", "0", "-o", str(path))
    assert explore("--board", "kv260", *options).exit_code == 0
    found = json.loads(path.read_text())
    assert found["memory"] == "kv260-15.0, 19.2 GB/s"
    assert found["preset"]["clock_mhz"] == 300
    (preset,) = (
        each
        for each in found["designs"]
        if all(each[name] == value for name, value in found["preset"].items())
    )
    assert preset["tokens_per_second"] == pytest.approx(300 * 19.2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--board", "x"), "board must be one of"),
        (("--board", "kv260", "--model", "x"), "there is no model 'x'"),
        (("--board", "kv260", "--ddr", "x"), "--ddr must be one of"),
        (("--board", "kv260", "--fill", "2"), "fill must be above 0 and at most 1, not 2"),
        (("--board", "kv260", "-o", "x.txt"), "a report must be one of *.json, *.md, *.html"),
        (("--board", "kv260", "--fill", "0.1"), "at most 10 % may be taken"),
    ],
)
def test_errors(explore, arguments, message):
    result = explore(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not explore.ran


def test_an_extra_that_is_missing_is_named(explore, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result = explore("--board", "kv260")
    assert result.exit_code == 2
    assert result.stderr == "error: explore needs dask: install tercel[explore]\n"
    assert resource_model().points
