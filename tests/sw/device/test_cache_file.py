import json
import re

import numpy as np
import pytest
from safetensors import safe_open

from tercel.config import PRESETS
from tercel.device.cache_file import SavedSequence
from tercel.device.emulator import EmulatorDevice
from tercel.errors import TercelError
from tercel.image import Image, random_image
from tercel.image.container import Stream, read_header, write_container

TOKENS = (1, 2, 3, 4, 5, 6)


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    path = tmp_path_factory.mktemp("image") / "m.tercel"
    random_image(path, PRESETS["tiny"])
    return Image.open(path)


@pytest.fixture
def saved(image, tmp_path):
    """The path of a saved sequence of five positions, and the device that made it."""
    device = EmulatorDevice(image)
    device.prefill(TOKENS[:5])
    path = tmp_path / "talk.cache"
    SavedSequence(cache=device.save(), tokens=TOKENS, notes={"a": "ü"}).write(path, image)
    return path, device


def test_a_sequence_goes_on_with_the_same_bits(image, saved):
    path, device = saved
    found = SavedSequence.read(path, image)
    assert (found.tokens, found.notes) == (TOKENS, {"a": "ü"})
    other = EmulatorDevice(image, nodes=3)
    other.restore(found.cache, 5)
    results = [each.run_pass([6]) for each in (device, other)]
    assert results[0].argmax == results[1].argmax
    for layer in range(2):
        views = [each.read_cache(layer, 6) for each in (device, other)]
        for name in ("keys", "values", "key_scales", "value_scales"):
            assert np.array_equal(*(getattr(view, name) for view in views))


def test_safetensors_reads_it(image, saved):
    with safe_open(saved[0], framework="numpy") as file:
        assert file.get_tensor("keys").shape == (2, 2, 5, 16)
        assert file.get_tensor("tokens").tolist() == list(TOKENS)
        assert file.get_slice("key_scales").get_dtype() == "BF16"
        assert file.metadata()["image"] == image.checksum


def test_a_file_of_another_model_is_refused(saved, tmp_path):
    path = tmp_path / "other.tercel"
    random_image(path, PRESETS["tiny"], seed=1)
    with pytest.raises(TercelError, match=r"was made with another model, 'tiny' of the checksum "):
        SavedSequence.read(saved[0], Image.open(path))


def test_damage_is_found(image, saved):
    path, _ = saved
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    with pytest.raises(TercelError, match="its checksum does not match its bytes"):
        SavedSequence.read(path, image)
    path.write_bytes(data[:-10])
    with pytest.raises(TercelError, match="damaged or cut short"):
        SavedSequence.read(path, image)
    with pytest.raises(TercelError, match="cannot read"):
        SavedSequence.read(path.with_name("absent"), image)


def rewrite(path, *, metadata=None, drop=(), **tensors):
    """Write a file again, sealed, with other metadata and tensors."""
    header = read_header(path)
    streams = {}
    for name, entry in header.tensors.items():
        size = int(np.prod(entry.shape)) * {"I8": 1, "BF16": 2, "I32": 4}[entry.dtype]
        data = np.fromfile(path, np.uint8, size, offset=entry.offset)
        streams[name] = Stream(shape=entry.shape, dtype=entry.dtype, blocks=[data])
    streams |= tensors
    kept = {key: value for key, value in header.metadata.items() if key != "checksum"}
    kept |= metadata or {}
    with path.open("wb") as file:
        write_container(
            file,
            {key: value for key, value in kept.items() if value is not None},
            {name: stream for name, stream in streams.items() if name not in drop},
        )


def ids(*values):
    array = np.array(values, np.int32)
    return Stream(shape=array.shape, dtype="I32", blocks=[array])


def bytes_of(*shape, dtype="I8"):
    size = int(np.prod(shape)) * (2 if dtype == "BF16" else 1)
    return Stream(shape=shape, dtype=dtype, blocks=[np.zeros(size, np.uint8)])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metadata": {"format": "tercel"}}, "is no saved conversation: its format is not"),
        ({"metadata": {"version": "2"}}, "is of version '2', but this tercel reads 1; update"),
        ({"metadata": {"image": None}}, "was made with another model"),
        ({"metadata": {"notes": None}}, "has not the tensors of a cache of tiny; it is damaged"),
        ({"metadata": {"notes": "{"}}, "is damaged: "),
        ({"drop": ("tokens",)}, "has not the tensors"),
        ({"drop": ("keys",)}, "has not the tensors"),
        ({"more": ids(1)}, "has not the tensors"),
        ({"tokens": ids(1, 2, 3, 4)}, "has not the tensors"),
        ({"tokens": ids(1, 2, 3, 4, 96)}, "token ids must be in 0..95, but one is 96"),
        ({"keys": bytes_of(2, 2, 5, 15)}, "has not the tensors"),
        ({"keys": bytes_of(2, 2, 6, 16)}, "has not the tensors"),
        ({"keys": bytes_of(320)}, "has not the tensors"),
        ({"values": bytes_of(2, 2, 5, 16, dtype="BF16")}, "has not the tensors"),
    ],
)
def test_what_no_cache_has_is_refused(image, saved, change, message):
    path, _ = saved
    rewrite(path, **change)
    with pytest.raises(TercelError, match=re.escape(message)):
        SavedSequence.read(path, image)


def test_an_empty_cache_is_refused(image, saved):
    path, _ = saved
    empty = {name: bytes_of(2, 2, 0, 16) for name in ("keys", "values")}
    empty |= {name: bytes_of(2, 2, 0, dtype="BF16") for name in ("key_scales", "value_scales")}
    rewrite(path, **empty)
    with pytest.raises(TercelError, match="has not the tensors"):
        SavedSequence.read(path, image)


def test_the_image_itself_is_not_overwritten(image, saved):
    sequence = SavedSequence.read(saved[0], image)
    with pytest.raises(TercelError, match="is the input"):
        sequence.write(image.path, image)
    assert json.loads(read_header(saved[0]).metadata["notes"]) == {"a": "ü"}
