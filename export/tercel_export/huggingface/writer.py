"""Folders with a Hugging Face checkpoint."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import save_file

from tercel.config import ModelConfig
from tercel.errors import TercelError
from tercel.image import Image
from tercel_export.folder import export_folder
from tercel_export.huggingface.config import huggingface_config
from tercel_export.huggingface.names import source_name, tensor_names
from tercel_export.huggingface.packing import PER_BYTE, pack
from tercel_export.model_tensors import check_exportable
from tercel_export.text_files import FILES, text_files

__all__ = ["write_huggingface"]

CONFIG, SINGLE, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
SHARD_BYTES = 1 << 30
"""Most bytes of a file, so that a model is never in memory as a whole; one tensor may be larger."""

Arrays = dict[str, npt.NDArray]


def write_huggingface(
    image: Image, output: Path, *, shard_bytes: int = SHARD_BYTES
) -> Iterator[str]:
    """Write an image as a Hugging Face folder; yield lines for the user.

    Raises
    ------
    TercelError
        If the format cannot hold the model, or the folder cannot be written or holds other files.
    """
    check_exportable(image.config)
    config = huggingface_config(image.config)
    with export_folder(output, _written) as folder:
        shards = _shards(image.config, shard_bytes)
        places, total = {}, 0
        for number, names in enumerate(shards, 1):
            file = SINGLE
            if len(shards) > 1:
                file = f"model-{number:05}-of-{len(shards):05}.safetensors"
            arrays = {key: array for name in names for key, array in _arrays(image, name).items()}
            try:
                save_file(arrays, folder / file, metadata={"format": "pt"})
            except SafetensorError as error:
                raise TercelError(f"cannot write {output}: {error}; free some space") from None
            places |= dict.fromkeys(arrays, file)
            total += sum(array.nbytes for array in arrays.values())
        if len(shards) > 1:
            index = {"metadata": {"total_size": total}, "weight_map": places}
            (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n")
        (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n")
        for name, content in text_files(image).items():
            (folder / name).write_bytes(content)
    yield from ()


def _written(name: str) -> bool:
    shard = name.startswith("model-") and name.endswith(".safetensors")
    return shard or name in (CONFIG, SINGLE, INDEX, *FILES)


def _shards(config: ModelConfig, limit: int) -> list[list[str]]:
    """Canonical names of the tensors of each file."""
    shards: list[list[str]] = [[]]
    used = 0
    for name in tensor_names(config):
        size = _bytes(config, name)
        if shards[-1] and used + size > limit:
            shards.append([])
            used = 0
        shards[-1].append(name)
        used += size
    return shards


def _bytes(config: ModelConfig, name: str) -> int:
    part = name.rpartition(".")[2]
    if part in config.linears():
        rows, columns = config.linears()[part]
        return rows * columns // PER_BYTE
    if part in ("embedding", "head"):
        return 4 * config.vocab_size * config.hidden_size
    return 4 * max(config.hidden_size, config.q_size, config.ffn_size)


def _arrays(image: Image, name: str) -> Arrays:
    source = source_name(name)
    if name in ("embedding", "head"):
        # Quantisation of the products gives the same rows again: a scale is the float next to
        # x / 127 for a float x, so the float next to 127 times the scale is as near or nearer.
        values, scales = image.rows(name)
        return {source: values * scales[:, None]}
    if name.rpartition(".")[2] in image.config.linears():
        scale = np.asarray([image.weight_scale(name)], np.float32)
        return {source: pack(image.ternary(name)), f"{source}_scale": scale}
    return {source: image.gain(name)}
