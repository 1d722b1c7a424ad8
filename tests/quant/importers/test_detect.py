"""Recognition of a checkpoint by its path; every refusal names it."""

import onnx
import pytest

from tercel.errors import TercelError
from tercel.image import Image
from tercel.runtime import find_model
from tercel_export.formats import find_format
from tercel_quant.importers import open_checkpoint

SMALL = find_model("small")


@pytest.fixture(scope="module")
def gguf(tmp_path_factory):
    path = tmp_path_factory.mktemp("gguf") / "model.gguf"
    list(find_format("gguf")(Image.open(SMALL), path))
    return path.read_bytes()


@pytest.mark.parametrize("cut", [20, 2000, -1000, -1])
def test_a_gguf_that_is_cut_short_is_named(gguf, tmp_path, cut):
    path = tmp_path / "short.gguf"
    path.write_bytes(gguf[:cut])
    with pytest.raises(TercelError, match=r"short\.gguf.* cut short"):
        open_checkpoint(path)


def test_an_onnx_with_a_damaged_config_is_named(tmp_path):
    list(find_format("onnx")(Image.open(SMALL), tmp_path / "model"))
    path = tmp_path / "model/model.onnx"
    model = onnx.load(path, load_external_data=False)
    for entry in model.metadata_props:
        if "config" in entry.key:
            entry.value = entry.value[:50]
    path.write_bytes(model.SerializeToString())
    with pytest.raises(TercelError, match=r"model\.onnx: the model config is not valid JSON"):
        open_checkpoint(path)


def test_a_path_of_nothing_is_told():
    with pytest.raises(TercelError, match=r"^absent\.gguf does not exist; give a checkpoint"):
        open_checkpoint("absent.gguf")


def test_a_shipped_model_is_there_but_no_checkpoint():
    with pytest.raises(TercelError, match=r"^small is a shipped model, so it is an image already"):
        open_checkpoint("small")
