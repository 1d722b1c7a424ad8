"""Checkpoints and weight files: round trip, whole or absent, errors."""

import dataclasses

import pytest
import safetensors.torch
import torch

from tercel.config import PRESETS, ModelConfig
from tercel.errors import TercelError
from tercel.files import write_whole
from tercel_quant.model import Transformer
from tercel_quant.training_state import (
    load_checkpoint,
    load_weights,
    save_checkpoint,
    save_weights,
)

TINY = dataclasses.replace(PRESETS["tiny"], layers=1)


@pytest.fixture
def model():
    model = Transformer(TINY)
    model.initialise(seed=0)
    return model


def test_weights_round_trip(tmp_path, model):
    path = tmp_path / "new" / "weights.safetensors"
    save_weights(path, TINY, model.state_dict(), precision="ternary")
    assert ModelConfig.from_json((path.parent / "config.json").read_text()) == TINY
    for precision in ("float", "ternary"):
        loaded = load_weights(path, precision=precision)
        assert loaded.config == TINY
        assert loaded.layers[0].get_submodule("q").precision == precision
        for name, tensor in model.state_dict().items():
            assert torch.equal(loaded.state_dict()[name], tensor)


def test_nothing_but_the_file_stays(tmp_path):
    write_whole(tmp_path / "a", b"old")
    write_whole(tmp_path / "a", b"new")
    save_checkpoint(tmp_path / "b", {"step": 3})
    assert (tmp_path / "a").read_bytes() == b"new"
    assert load_checkpoint(tmp_path / "b") == {"step": 3}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_failed_write_keeps_the_old_checkpoint(tmp_path):
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, {"step": 3})
    with pytest.raises(Exception, match="pickle"):
        save_checkpoint(path, {"step": lambda: None})
    assert load_checkpoint(path) == {"step": 3}


def test_refuses_missing_files(tmp_path):
    with pytest.raises(TercelError, match=r"there is no checkpoint .*; train first"):
        load_checkpoint(tmp_path / "checkpoint.pt")
    with pytest.raises(TercelError, match=r"there is no weight file .*; train first"):
        load_weights(tmp_path / "weights.safetensors")


def test_refuses_files_of_another_kind(tmp_path, model):
    path = tmp_path / "file"
    path.write_bytes(b"something else")
    with pytest.raises(TercelError, match="is no checkpoint that this tercel can read"):
        load_checkpoint(path)
    with pytest.raises(TercelError, match="is no safetensors file"):
        load_weights(path)
    safetensors.torch.save_file(model.state_dict(), path)
    with pytest.raises(TercelError, match="carries no model config"):
        load_weights(path)


def test_refuses_tensors_that_do_not_fit(tmp_path, model):
    path = tmp_path / "weights.safetensors"
    state = model.state_dict()
    del state["norm.weight"]
    save_weights(path, TINY, state, precision="float")
    with pytest.raises(TercelError, match=r"do not fit their config: (.|\n)*norm.weight"):
        load_weights(path)
