"""The command ``tercel selfcheck``."""

import json
from dataclasses import fields, replace

import numpy as np
import pytest
from typer.testing import CliRunner

from tercel.cli.app import app
from tercel.device.accelerator import AcceleratorDevice


@pytest.fixture
def config_file(four_lanes, tmp_path):
    path = tmp_path / "four.json"
    path.write_text(json.dumps(four_lanes.parameters()))
    return path


@pytest.fixture
def selfcheck(config_file):
    def invoke(*arguments):
        return CliRunner().invoke(app, ["selfcheck", "--config", str(config_file), *arguments])

    return invoke


OPTIONS = ("--models", "2", "--passes", "3", "--pass-cycles", "8000")


def test_what_was_run_is_shown(selfcheck):
    result = selfcheck(*OPTIONS, "--seed", "20")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["seed", "20", "21"]
    assert lines[1].split()[-1] == lines[2].split()[-1] == "same"
    assert "vocabulary" in lines[0]
    assert any(line.split()[:2] == ["vocabulary", "256"] for line in lines)
    assert lines[-1] == "6 passes of 2 models have the emulator's bits"
    facts = json.loads(selfcheck(*OPTIONS, "--seed", "20", "--json").stdout)
    assert [check["passes"] for check in facts["models"]] == [3, 3]


def test_the_cache_may_lie_elsewhere(selfcheck, tmp_path):
    (tmp_path / "file").touch()
    result = selfcheck(*OPTIONS, "--cache", str(tmp_path / "file"))
    assert result.exit_code == 2
    assert f"the cache of compiled accelerators, {tmp_path}/file, cannot be used" in result.stderr


def test_a_mismatch_is_named_and_can_be_seen_again(selfcheck, monkeypatch, config_file):
    """The last element of a result of the second model is wrong."""
    run_pass, calls = AcceleratorDevice.run_pass, []

    def wrong(self, *arguments, **options):
        result = run_pass(self, *arguments, **options)
        calls.append(result)
        arrays = {
            field.name: getattr(result, field.name)
            for field in fields(result)
            if isinstance(getattr(result, field.name), np.ndarray)
        }
        if len(calls) < 5 or not arrays:
            return result
        name, array = next(iter(arrays.items()))
        changed = array.copy()
        changed.reshape(-1)[-1] += 1
        return replace(result, **{name: changed})

    monkeypatch.setattr(AcceleratorDevice, "run_pass", wrong)
    result = selfcheck("--models", "9", "--passes", "3", "--pass-cycles", "8000", "--seed", "20")
    assert result.exit_code == 1, result.output
    assert "FAILED" in result.stdout
    assert "seed 21 failed" in result.stderr or "seed 22 failed" in result.stderr
    assert "positions differs at [" in result.stderr
    assert " instead of " in result.stderr
    assert f"again: tercel selfcheck --config {config_file} --models 1 --seed 2" in result.stderr


def test_a_configuration_that_cannot_be_is_an_error(selfcheck, config_file):
    config_file.write_text('{"heads": 0}')
    result = selfcheck()
    assert result.exit_code == 2
    assert "heads must be" in result.stderr
    assert not result.stdout
