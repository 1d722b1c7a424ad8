"""The sampling that a checkpoint recommends."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tercel.errors import TercelError
from tercel.image import SamplingFilters
from tercel_quant.importers.fields import describe
from tercel_quant.importers.json_file import read_object

__all__ = ["SamplingDefaults", "gguf_sampling", "huggingface_sampling"]

FILTERS = ("temperature", "top_k", "top_p", "min_p")
TRANSFORMERS: dict[str, float] = {"temperature": 1.0, "top_k": 50}
"""Defaults of ``transformers`` where a file that asks for sampling leaves a filter out."""
LLAMA_CPP: dict[str, float] = {"temperature": 0.8, "top_k": 40, "top_p": 0.95, "min_p": 0.05}
"""The same of llama.cpp."""
HUGGINGFACE_OTHERS = {
    "repetition_penalty": 1.0,
    "encoder_repetition_penalty": 1.0,
    "no_repeat_ngram_size": 0,
    "typical_p": 1.0,
    "epsilon_cutoff": 0.0,
    "eta_cutoff": 0.0,
    "top_h": 0.0,
    "penalty_alpha": 0.0,
    "guidance_scale": 1.0,
    "num_beams": 1,
    "length_penalty": 1.0,
}
"""Name of a setting that the sampler lacks to its value for "off"."""
GGUF_OTHERS = {"xtc_probability": 0.0, "penalty_repeat": 1.0, "mirostat": 0}


@dataclass(frozen=True, kw_only=True)
class SamplingDefaults:
    """The recommended sampling, and the settings of it that tercel lacks."""

    filters: SamplingFilters | None = None
    ignored: tuple[str, ...] = ()
    """Settings with their values, for a report."""


def huggingface_sampling(path: Path) -> SamplingDefaults:
    """The sampling of a ``generation_config.json``, which may be absent.

    ``do_sample: false`` is greedy decoding. A file without a word about sampling has no default.

    Raises
    ------
    TercelError
        If a value breaks its rule.
    """
    found = read_object(path) if path.exists() else {}
    ignored = _others(found, HUGGINGFACE_OTHERS)
    if found.get("do_sample") is False:
        return SamplingDefaults(filters=SamplingFilters(), ignored=ignored)
    given = {name: found[name] for name in FILTERS if found.get(name) is not None}
    if not given and not found.get("do_sample"):
        return SamplingDefaults(ignored=ignored)
    return SamplingDefaults(filters=_filters(TRANSFORMERS | given, path), ignored=ignored)


def gguf_sampling(metadata: Mapping[str, Any]) -> SamplingDefaults:
    """The sampling under ``general.sampling`` of a GGUF file.

    Raises
    ------
    TercelError
        If a value breaks its rule.
    """
    prefix = "general.sampling."
    found = {key[len(prefix) :]: value for key, value in metadata.items() if key.startswith(prefix)}
    if "temp" in found:
        found["temperature"] = found.pop("temp")
    ignored = _others(found, GGUF_OTHERS)
    given = {name: found[name] for name in FILTERS if name in found}
    if not given:
        return SamplingDefaults(ignored=ignored)
    # Float32 in the file; seven digits restore the intended decimals.
    given = {
        name: float(f"{value:.7g}") if isinstance(value, float) else value
        for name, value in given.items()
    }
    return SamplingDefaults(
        filters=_filters(LLAMA_CPP | given, "general.sampling"), ignored=ignored
    )


def _others(found: Mapping[str, Any], off: Mapping[str, float]) -> tuple[str, ...]:
    return tuple(
        f"{name} {describe(found[name])}"
        for name, value in off.items()
        if found.get(name) not in (None, value)
    )


def _filters(values: dict[str, Any], source: Path | str) -> SamplingFilters:
    # -1 is how several tools write "all".
    if isinstance(values["top_k"], int) and values["top_k"] < 0:
        values = values | {"top_k": 0}
    try:
        return SamplingFilters(**values)
    except TercelError as error:
        raise TercelError(f"{source}: {error}; correct it or remove it") from None
