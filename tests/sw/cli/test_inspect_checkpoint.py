"""``tercel inspect`` of checkpoints; the facts about them are tested with the importers."""

import json

import pytest

from tercel.cli import inspect_checkpoint
from tercel.cli.inspectors import find_inspector
from tercel.config import PRESETS
from tercel.errors import TercelError

FACTS = {
    "layout": "a layout",
    "head_size": 16,
    "refused": [],
    "weights": {"ternary": ["layers.0.q", "layers.0.k"]},
    "tokenizer": "96 of the embedding's 96 ids",
    "conversion": "imported as it is",
}


@pytest.fixture
def inspectors(monkeypatch):
    """Inspectors by name, in place of the installed ones."""
    found = {
        "checkpoint": lambda path, i2s_layout: (
            FACTS | {"path": str(path), "config": PRESETS["tiny"].to_fields()}
        ),
        "presets": lambda config: {"fits": (), "small": ("layers must be at most 1, but is 2",)},
        "speed": lambda config, preset, context: (10.0 + context, "slow-1.0"),
    }
    monkeypatch.setattr(inspect_checkpoint, "find_inspector", found.__getitem__)
    return found


def test_json_has_the_facts_and_the_presets(inspectors, tercel, tmp_path):
    facts = json.loads(tercel("inspect", str(tmp_path), "--json", "--context", "20").stdout)
    assert facts["path"] == str(tmp_path)
    assert facts["presets"]["small"]["exceeds"] == ["layers must be at most 1, but is 2"]
    assert facts["presets"]["small"]["tokens_per_second"] is None
    assert facts["presets"]["fits"]["tokens_per_second"] == 30
    assert facts["image_bytes"] > 0


def test_the_tables_show_them(inspectors, tercel, tmp_path):
    text = tercel("inspect", str(tmp_path)).stdout
    for part in (
        "a layout",
        "layers.0.q, layers.0.k",
        "imported as it is",
        "73.0 tokens/s, memory slow-1.0",
    ):
        assert part in text
    assert "73.0 tokens/s" in text
    assert "cannot run it: layers must be at most 1, but is 2" in text
    assert "a token after 63 positions (evidence: cycle model)" in text, "of 64 that it has"


def test_a_refusal_is_shown_without_presets(inspectors, tercel, tmp_path):
    refused = {"layout": None, "config": None, "conversion": None, "refused": ["it has experts"]}
    inspectors["checkpoint"] = lambda path, i2s_layout: FACTS | {"path": str(path)} | refused
    result = tercel("inspect", str(tmp_path))
    assert result.exit_code == 0
    assert "it has experts" in result.stdout
    assert "tokens/s" not in result.stdout


def test_missing_packages_are_told(inspectors, tercel, tmp_path):
    inspectors["speed"] = "amaranth"
    assert "speed unknown; install tercel[sim]" in tercel("inspect", str(tmp_path)).stdout
    inspectors["presets"] = "amaranth"
    assert "unknown: amaranth is not installed" in tercel("inspect", str(tmp_path)).stdout
    inspectors["checkpoint"] = "torch"
    result = tercel("inspect", str(tmp_path))
    assert result.exit_code == 2
    assert "a checkpoint needs torch to be read: install tercel[quant]" in result.stderr


def test_a_negative_context_is_refused(inspectors, tercel, tmp_path):
    result = tercel("inspect", str(tmp_path), "--context", "-1")
    assert "context must not be negative, but is -1" in result.stderr


def test_installed_inspectors_are_found():
    for name in ("checkpoint", "presets", "speed"):
        assert callable(find_inspector(name))
    with pytest.raises(TercelError, match="there is no entry point 'colour'"):
        find_inspector("colour")
