"""Checks of a checkpoint's tensor names and shapes against its config."""

from collections.abc import Mapping

from tercel.config import ModelConfig
from tercel.errors import TercelError

__all__ = ["canonical_shapes", "check_tensors"]

SHOWN = 5

PARTS = {
    ".bias": "biases",
    "q_norm": "norms of queries and keys outside of Qwen3",
    "k_norm": "norms of queries and keys outside of Qwen3",
    "_exps": "mixtures of experts",
    "experts": "mixtures of experts",
    "rope_freqs": "scaled RoPE frequencies",
    "_proj.norm": "norms inside linears",
    "_proj.rms": "norms inside linears",
    "_proj.layer": "norms inside linears",
    "linear_attn": "layers of linear attention",
    "hadamard": "Hadamard rotations",
    "rotation": "Hadamard rotations",
    "lora_": "LoRA adapters",
    "post_feedforward": "norms after the MLP",
}
"""Substring of a tensor's name to the unsupported feature that it belongs to."""


def canonical_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Canonical name of every tensor of a model to its shape."""
    table = (config.vocab_size, config.hidden_size)
    shapes: dict[str, tuple[int, ...]] = {"embedding": table}
    if not config.tied_head:
        shapes["head"] = table
    shapes["norm"] = (config.hidden_size,)
    for layer in range(config.layers):
        for part, width in config.norms().items():
            shapes[f"layers.{layer}.{part}"] = (width,)
        for part, shape in config.linears().items():
            shapes[f"layers.{layer}.{part}"] = shape
    return shapes


def check_tensors(
    found: Mapping[str, tuple[int, ...]],
    expected: Mapping[str, tuple[int, ...]],
    *,
    ignored: tuple[str, ...] = (),
) -> None:
    """Check that the expected tensors exist with their shapes and that there are no others.

    Parameters
    ----------
    found, expected : mapping of str to tuple of int
        Name to shape.
    ignored : tuple of str
        Suffixes of names that are allowed and ignored.

    Raises
    ------
    TercelError
        If they differ; the message names up to five tensors and, if known, the feature that they
        belong to.
    """
    if missing := [name for name in expected if name not in found]:
        raise TercelError(f"the checkpoint lacks {len(missing)} tensors: {_list(missing)}")
    extra = [name for name in found if name not in expected and not name.endswith(ignored)]
    for name in extra:
        for part, meaning in PARTS.items():
            if part in name:
                raise TercelError(f"{name}: {meaning} are not supported")
    if extra:
        raise TercelError(
            f"the checkpoint has {len(extra)} tensors that its config does not call for: "
            f"{_list(extra)}; importing it without them would change the model"
        )
    for name, shape in expected.items():
        if tuple(found[name]) != shape:
            raise TercelError(f"{name} must have the shape {shape}, not {tuple(found[name])}")


def _list(names: list[str]) -> str:
    rest = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")
