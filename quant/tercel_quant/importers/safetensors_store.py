"""Tensors of a folder of safetensors files, one file or sharded, one tensor in memory at a time."""

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from tercel.errors import TercelError

__all__ = ["SafetensorsStore"]

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"


class SafetensorsStore:
    """The tensors of a Hugging Face checkpoint folder.

    Every read opens its file anew, so that pages of earlier tensors do not stay resident.

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
                with safe_open(path, framework="pt") as file:
                    for name in list(file.keys()):
                        if name in self._files:
                            raise TercelError(
                                f"{name} is in two files, {self._files[name].name} and {path.name}"
                            )
                        self._files[name] = path
                        self.shapes[name] = tuple(file.get_slice(name).get_shape())
            except SafetensorError as error:
                raise TercelError(f"{path} is no readable safetensors file: {error}") from None

    def read(self, name: str) -> Tensor:
        """The tensor in its stored type and shape."""
        with safe_open(self._files[name], framework="pt") as file:
            return file.get_tensor(name)


def _files(folder: Path) -> list[Path]:
    index = folder / INDEX
    if index.exists():
        try:
            names = sorted(set(json.loads(index.read_text())["weight_map"].values()))
        except (ValueError, KeyError, AttributeError, TypeError):
            raise TercelError(f"{index} is no index of safetensors files") from None
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
