"""Tensors of a folder with one or several safetensors files, one in memory at a time."""

from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from tercel.errors import TercelError
from tercel.image.foreign import refuse_pointer
from tercel_quant.importers.json_file import read_object

__all__ = ["SafetensorsStore"]

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"


class SafetensorsStore:
    """The tensors of a Hugging Face checkpoint folder.

    Every read opens its file again, so that the pages of earlier tensors do not stay resident.

    Parameters
    ----------
    folder : Path

    Members
    -------
    shapes : dict of str to tuple of int

    Raises
    ------
    TercelError
        If there are no safetensors files, the index names a missing file, or a file is damaged.
    """

    def __init__(self, folder: Path):
        self._files: dict[str, Path] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        for path in _files(folder):
            try:
                refuse_pointer(path)
                with safe_open(path, framework="pt") as file:
                    for name in list(file.keys()):
                        if name in self._files:
                            raise TercelError(
                                f"{name} is in two files, {self._files[name].name} and {path.name}"
                            )
                        self._files[name] = path
                        self.shapes[name] = tuple(file.get_slice(name).get_shape())
            except (SafetensorError, OSError) as error:
                raise TercelError(f"{path} is no readable safetensors file: {error}") from None

    def read(self, name: str) -> Tensor:
        """The tensor in its stored type and shape."""
        with safe_open(self._files[name], framework="pt") as file:
            return file.get_tensor(name)


def _files(folder: Path) -> list[Path]:
    index = folder / INDEX
    if index.exists():
        names = _shards(read_object(index).get("weight_map"), index)
        paths = [folder / name for name in names]
        if missing := [path.name for path in paths if not path.exists()]:
            raise TercelError(f"{index} names files that are missing: {', '.join(missing)}")
        return paths
    if (folder / SINGLE).exists():
        return [folder / SINGLE]
    if others := sorted(path.name for path in folder.glob("*.bin")):
        raise TercelError(
            f"{folder} holds {', '.join(others)} but no {SINGLE}; PyTorch pickles are not read, "
            "save the model with safe_serialization"
        )
    raise TercelError(f"{folder} holds neither {SINGLE} nor {INDEX}")


def _shards(weight_map: Any, index: Path) -> list[str]:
    """The file names in an index; a name with a folder is refused."""
    names = list(weight_map.values()) if isinstance(weight_map, dict) else []
    shards = [name for name in names if isinstance(name, str) and name == Path(name).name]
    if not names or len(shards) < len(names):
        raise TercelError(f"{index} is no index of safetensors files")
    return sorted(set(shards))
