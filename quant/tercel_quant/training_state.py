"""Files of a training run: resumable checkpoints and finished weights."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError

from tercel.config import ModelConfig
from tercel.errors import TercelError
from tercel.files import make_folder, whole_file, write_whole
from tercel_quant.model import Transformer

__all__ = [
    "RESULTS",
    "WEIGHTS",
    "load_checkpoint",
    "load_weights",
    "save_checkpoint",
    "save_weights",
    "with_granularity",
]

WEIGHTS, CONFIG = "weights.safetensors", "config.json"
RESULTS = (WEIGHTS, CONFIG)
"""Files of a finished run."""


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write nested dictionaries of tensors and plain values, from which a run resumes."""
    with whole_file(path) as file:
        torch.save(state, file)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint of :func:`save_checkpoint`, without executing code from the file.

    Raises
    ------
    TercelError
        If the file is missing or is not a checkpoint.
    """
    if not Path(path).is_file():
        raise TercelError(f"there is no checkpoint {path}; train first, or name another folder")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise TercelError(
            f"{path} is no checkpoint that this tercel can read: {error}; delete it to start anew"
        ) from None


def save_weights(
    path: Path, config: ModelConfig, state: dict[str, torch.Tensor], *, precision: str
) -> None:
    """Write latent weights as safetensors under canonical names, and ``config.json`` beside them.

    Parameters
    ----------
    path : Path
        The file, such as ``build/small/ternary.safetensors``; its metadata contains the config and
        the precision too.
    config : ModelConfig
    state : dict of str to Tensor, float
        ``state_dict()`` of a :class:`Transformer`.
    precision : str
        Precision of the training, ``float`` or ``ternary``.
    """
    path = Path(path)
    make_folder(path.parent)
    tensors = {name: tensor.detach().contiguous() for name, tensor in state.items()}
    metadata = {"config": config.to_json(), "precision": precision}
    write_whole(path, safetensors.torch.save(tensors, metadata=metadata))
    write_whole(path.parent / CONFIG, (config.to_json() + "\n").encode())


def with_granularity(config: ModelConfig, granularity: str | None) -> ModelConfig:
    """The config with another granularity of its scales, if one is given."""
    return config if granularity is None else replace(config, granularity=granularity)


def load_weights(
    path: Path, *, precision: str = "ternary", granularity: str | None = None
) -> Transformer:
    """Build the model from a file of :func:`save_weights`.

    Parameters
    ----------
    path : Path
    precision : str
    granularity : str, optional
        Of the ternary scales, in place of the file's.

    Raises
    ------
    TercelError
        If the file is missing or of another kind, or its tensors do not fit its config.
    """
    if not Path(path).is_file():
        raise TercelError(f"there is no weight file {path}; train first, or name another file")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            names = file.keys()
            state = {name: file.get_tensor(name) for name in names}
    except SafetensorError as error:
        raise TercelError(f"{path} is no safetensors file: {error}; write it again") from None
    if "config" not in metadata:
        raise TercelError(f"{path} carries no model config; it was not written by tercel's trainer")
    config = with_granularity(ModelConfig.from_json(metadata["config"]), granularity)
    model = Transformer(config, precision=precision)
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise TercelError(f"the weights in {path} do not fit their config: {error}") from None
    return model
