"""``tercel inspect`` of a checkpoint, before it is converted."""

from pathlib import Path
from typing import Any

from rich.table import Table

from tercel.cli.fact_table import fact_table
from tercel.cli.inspectors import find_inspector
from tercel.cli.units import describe_version, format_bytes, format_count
from tercel.config import ModelConfig
from tercel.errors import TercelError
from tercel.image import default_layout, footprint

__all__ = ["describe_checkpoint", "find_checkpoint", "show_checkpoint"]

SUFFIXES = (".gguf", ".safetensors", ".bin", ".onnx")
SHOWN = 4
"""Names of matrices that are shown of each kind of weights."""


def find_checkpoint(name: str) -> Path | None:
    """The path of a folder or a file that is a checkpoint by its suffix, else ``None``."""
    path = Path(name)
    return path if path.is_dir() or (path.is_file() and path.suffix in SUFFIXES) else None


def describe_checkpoint(
    path: Path, *, context: int, i2s_layout: str | None = None
) -> dict[str, Any]:
    """Facts about a checkpoint, for JSON: its own, the size of its image, the presets that fit.

    Parameters
    ----------
    path
    context
        Positions in the cache for the predicted speed, if the model has so many.
    i2s_layout
        Layout of the I2_S tensors of a GGUF file that does not tell it.

    Raises
    ------
    TercelError
        If the path is no checkpoint, reading one needs a package that is not installed, or
        ``context`` is negative.
    """
    inspector = find_inspector("checkpoint")
    if isinstance(inspector, str):
        raise TercelError(f"a checkpoint needs {inspector} to be read: install tercel[quant]")
    facts = inspector(path, i2s_layout=i2s_layout)
    facts |= dict.fromkeys(("image_bytes", "kv_bytes_per_position", "context", "presets"))
    if facts["config"] is None:
        return facts
    config = ModelConfig.from_fields(facts["config"])
    if context < 0:
        raise TercelError(f"context must not be negative, but is {context}")
    context = min(context, config.context - 1)
    size = footprint(config, default_layout(config))
    facts["image_bytes"], facts["kv_bytes_per_position"] = size.tape, size.kv_per_position
    facts["context"] = context
    facts["presets"] = _presets(config, context)
    return facts


def _presets(config: ModelConfig, context: int) -> dict[str, dict[str, Any]] | str:
    """For each preset what the model exceeds, and its speed; or the package that is missing."""
    excesses = find_inspector("presets")
    if isinstance(excesses, str):
        return f"unknown: {excesses} is not installed; install tercel[hw]"
    speed = find_inspector("speed")
    found: dict[str, dict[str, Any]] = {}
    for name, over in excesses(config).items():
        rate = memory = None
        if not over and not isinstance(speed, str):
            rate, memory = speed(config, preset=name, context=context)
        found[name] = {"exceeds": list(over), "tokens_per_second": rate, "memory": memory}
        found[name]["evidence"] = "cycle model"
    return found


def show_checkpoint(facts: dict[str, Any]) -> list[Table]:
    """Tables of the facts of :func:`describe_checkpoint`."""
    tables = [fact_table(f"Checkpoint {facts['path']}", _own(facts))]
    if facts["config"] is not None:
        config = ModelConfig.from_fields(facts["config"])
        tables.append(fact_table("Model", _model(config, facts)))
        presets = facts["presets"]
        rows = {"": presets} if isinstance(presets, str) else _fits(presets)
        after = facts["context"]
        title = f"Preset accelerators, a token after {after} positions (evidence: cycle model)"
        tables.append(fact_table(title, rows))
    return tables


def _own(facts: dict[str, Any]) -> dict[str, str]:
    rows = {"layout": facts["layout"] or "not supported"}
    for kind, names in facts["weights"].items():
        more = len(names) - SHOWN
        shown = ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
        rows[f"weights of {shown}"] = kind
    if facts["tokenizer"] is not None:
        rows["tokenizer"] = facts["tokenizer"]
    rows |= {f"refused {n + 1}": reason for n, reason in enumerate(facts["refused"])}
    rows["conversion"] = facts["conversion"] or "refused, see above"
    return rows


def _model(config: ModelConfig, facts: dict[str, Any]) -> dict[str, str]:
    narrow = facts["head_size"]
    padded = "" if narrow == config.head_size else f" (padded from {narrow})"
    heads = f"{config.heads} of {config.head_size}{padded}, {config.kv_heads} for keys and values"
    return {
        "layers": str(config.layers),
        "width": f"{config.hidden_size}, MLP {config.ffn_size} ({config.activation})",
        "heads": heads,
        "sub-norms": "yes" if config.sub_norms else "no",
        "RoPE": f"base {config.rope_base:g}{', scaled' if config.rope_factors else ''}",
        "vocabulary": f"{config.vocab_size}, {'tied' if config.tied_head else 'untied'} head",
        "context": str(config.context),
        "end tokens": ", ".join(map(str, config.eos_tokens)) or "none",
        "ternary weights": format_count(config.ternary_weights),
        "format": describe_version(config),
        "image": f"{format_bytes(facts['image_bytes'])}; "
        f"KV cache {format_bytes(facts['kv_bytes_per_position'])} a position",
    }


def _fits(presets: dict[str, dict[str, Any]]) -> dict[str, str]:
    rows = {}
    for name, each in presets.items():
        speed = each["tokens_per_second"]
        told = "speed unknown; install tercel[sim]"
        if speed is not None:
            told = f"{speed:.1f} tokens/s, memory {each['memory']}"
        rows[name] = f"cannot run it: {'; '.join(each['exceeds'])}" if each["exceeds"] else told
    return rows
