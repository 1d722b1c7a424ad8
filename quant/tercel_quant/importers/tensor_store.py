"""Tensors of a Hugging Face folder: safetensors or PyTorch pickles, one file or several."""

from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from tercel.errors import TercelError
from tercel.image.foreign import refuse_pointer
from tercel_quant.importers.json_file import read_object
from tercel_quant.importers.pickle_store import read_tensors

__all__ = ["TensorStore"]

SAFETENSORS, PICKLE = "model.safetensors", "pytorch_model.bin"


class TensorStore:
    """The tensors of a Hugging Face checkpoint folder.

    Every read opens its file again, so that the pages of earlier tensors do not stay resident.
    Safetensors are preferred if a folder has both.

    Parameters
    ----------
    folder : Path

    Members
    -------
    shapes : dict of str to tuple of int

    Raises
    ------
    TercelError
        If there are no files of weights, the index names a missing file, or a file is damaged.
    """

    def __init__(self, folder: Path):
        self._files: dict[str, Path] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        for path in _files(folder):
            for name, shape in _shapes(path).items():
                if name in self._files:
                    raise TercelError(
                        f"{name} is in two files, {self._files[name].name} and {path.name}"
                    )
                self._files[name] = path
                self.shapes[name] = shape

    def read(self, name: str) -> Tensor:
        """The tensor in its stored type and shape."""
        return self.read_rows(name, 0, None)

    def read_rows(self, name: str, start: int, stop: int | None) -> Tensor:
        """Rows ``start`` to ``stop`` (``None``: all of the tensor) in the stored type."""
        path = self._files[name]
        try:
            if path.suffix != ".safetensors":
                tensor = read_tensors(path)[name]
                return (tensor if stop is None else tensor[start:stop]).clone()
            with safe_open(path, framework="pt") as file:
                return file.get_tensor(name) if stop is None else file.get_slice(name)[start:stop]
        except (SafetensorError, OSError) as error:
            raise _unreadable(path, error) from None


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Shapes of a file's tensors by name."""
    if path.suffix != ".safetensors":
        return {name: tuple(tensor.shape) for name, tensor in read_tensors(path).items()}
    try:
        refuse_pointer(path)
        with safe_open(path, framework="pt") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in list(file.keys())}
    except (SafetensorError, OSError) as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> TercelError:
    hint = "; it is cut short or damaged: download it again" if path.is_file() else ""
    return TercelError(f"{path} is no readable safetensors file: {error}{hint}")


def _files(folder: Path) -> list[Path]:
    """The files of weights: those of an index, or the only one."""
    for single in (SAFETENSORS, PICKLE):
        index = folder / f"{single}.index.json"
        if index.exists():
            names = _shards(read_object(index).get("weight_map"), index, Path(single).suffix)
            paths = [folder / name for name in names]
            if missing := [path.name for path in paths if not path.exists()]:
                raise TercelError(f"{index} names files that are missing: {', '.join(missing)}")
            return paths
        if (folder / single).exists():
            return [folder / single]
    raise TercelError(f"{folder} holds none of {SAFETENSORS}, {PICKLE} and their indices")


def _shards(weight_map: Any, index: Path, suffix: str) -> list[str]:
    """The file names in an index; a name with a folder or another suffix is refused."""
    names = list(weight_map.values()) if isinstance(weight_map, dict) else []
    shards = {
        name
        for name in names
        if isinstance(name, str) and name == Path(name).name and name.endswith(suffix)
    }
    if not names or not all(isinstance(name, str) and name in shards for name in names):
        raise TercelError(f"{index} is no index of {suffix[1:]} files")
    return sorted(shards)
