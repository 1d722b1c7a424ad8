"""Files of weights: safetensors and PyTorch pickles, whole, in shards, damaged and malicious."""

import json
import re
import zipfile

import pytest
import torch
from safetensors.torch import load_file

from tercel.errors import TercelError
from tercel_quant.importers import open_checkpoint
from tercel_quant.importers.tensor_store import TensorStore

pytestmark = pytest.mark.filterwarnings("ignore:.*script_method:DeprecationWarning")


def refusal(rule):
    return pytest.raises(TercelError, match=re.escape(rule))


def as_pickle(folder, *, shards=1):
    """Turn a folder's safetensors into ``pytorch_model.bin``, or shards of it with an index."""
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    if shards == 1:
        torch.save(tensors, folder / "pytorch_model.bin")
        return
    places = {}
    for shard in range(shards):
        name = f"pytorch_model-{shard + 1:05}-of-{shards:05}.bin"
        part = {key: tensors[key] for key in list(tensors)[shard::shards]}
        torch.save(part, folder / name)
        places |= dict.fromkeys(part, name)
    index = {"metadata": {"total_size": 1}, "weight_map": places}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))


def test_rows_are_those_of_the_whole(llama):
    folder, _ = llama()
    store = TensorStore(folder)
    whole = store.read("model.embed_tokens.weight")
    assert torch.equal(store.read_rows("model.embed_tokens.weight", 7, 19), whole[7:19])


@pytest.mark.parametrize("shards", [1, 3])
def test_pickles_hold_the_same_tensors(llama, shards):
    folder, _ = llama()
    store = TensorStore(folder)
    tensors = {name: store.read(name) for name in store.shapes}
    as_pickle(folder, shards=shards)
    found = TensorStore(folder)
    assert found.shapes == store.shapes
    assert all(torch.equal(found.read(name), tensor) for name, tensor in tensors.items())
    assert open_checkpoint(folder).config.layers == 2


class Malice:
    """Code that runs when its pickle is loaded without care."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_pickle_with_code_is_refused_and_its_code_does_not_run(llama, tmp_path):
    folder, _ = llama()
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    trace = tmp_path / "ran"
    torch.save(tensors | {"x": Malice(trace)}, folder / "pytorch_model.bin")
    with refusal("holds more than tensors, which may be code, so it is not opened"):
        open_checkpoint(folder)
    assert not trace.exists()
    torch.load(folder / "pytorch_model.bin", weights_only=False)["x"].close()
    assert trace.exists(), "the test's code is what it says"


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ([torch.ones(2)], "must hold tensors by name, not a list"),
        ({"a": 3}, "must hold tensors by name, but 'a' is a int"),
    ],
)
def test_a_pickle_of_something_else_is_refused(llama, content, rule):
    folder, _ = llama()
    (folder / "model.safetensors").unlink()
    torch.save(content, folder / "pytorch_model.bin")
    with refusal(rule):
        open_checkpoint(folder)


def test_a_damaged_pickle_is_refused(llama):
    folder, _ = llama()
    as_pickle(folder)
    path = folder / "pytorch_model.bin"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with refusal("is no zip archive: it is cut short, or was saved before PyTorch 1.6"):
        open_checkpoint(folder)
    torch.save({"a": torch.ones(2)}, path, _use_new_zipfile_serialization=False)
    with refusal("is no zip archive"):
        open_checkpoint(folder)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("anything", "else")
    with refusal("is no readable PyTorch checkpoint: "):
        open_checkpoint(folder)


def test_a_zip_bomb_is_refused(llama):
    folder, _ = llama()
    as_pickle(folder)
    path = folder / "pytorch_model.bin"
    with zipfile.ZipFile(path) as archive:
        parts = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
        archive.writestr("bomb", bytes(1 << 24))
    assert path.stat().st_size < 1 << 24
    with refusal("has entries that are compressed or larger than the file"):
        open_checkpoint(folder)


def test_a_file_cut_short_is_refused(llama):
    folder, _ = llama()
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-5])
    with refusal("it is cut short or damaged: download it again"):
        open_checkpoint(folder)


def test_a_file_cut_short_while_it_is_read_is_refused(llama):
    folder, _ = llama()
    checkpoint = open_checkpoint(folder)
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-5])
    with refusal("it is cut short or damaged: download it again"):
        checkpoint.matrix("layers.1.down")


def test_damaged_safetensors_refused(llama):
    folder, _ = llama()
    (folder / "model.safetensors").write_bytes(b"\xff" * 100)
    with refusal("model.safetensors is no readable safetensors file"):
        open_checkpoint(folder)


def test_index_refused(llama):
    folder, _ = llama()
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "lost.safetensors"}}))
    with refusal("names files that are missing: lost.safetensors"):
        open_checkpoint(folder)
    for text in (
        "{}",
        '{"weight_map": 3}',
        '{"weight_map": {"a": 3}}',
        '{"weight_map": {"a": "../a"}}',
    ):
        index.write_text(text)
        with refusal("is no index of safetensors files"):
            open_checkpoint(folder)


def test_tensor_in_two_shards_refused(llama):
    folder, _ = llama()
    (folder / "b.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "b.safetensors", "c": "model.safetensors"}}))
    with refusal("is in two files, b.safetensors and model.safetensors"):
        open_checkpoint(folder)
