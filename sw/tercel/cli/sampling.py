"""Sampling of a text: the command line's, else the image's, else tercel's own."""

import dataclasses
import secrets
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from tercel.image import Image, SamplingFilters
from tercel.sampling import SamplingConfig

__all__ = [
    "MinPOption",
    "SeedOption",
    "TemperatureOption",
    "TopKOption",
    "TopPOption",
    "choose_sampling",
    "format_sampling",
    "print_sampling",
]

DEFAULTS = SamplingFilters(temperature=0.8, top_k=40, top_p=0.95)
"""Sampling of a model that recommends none."""


def _help(text: str, field: str) -> str:
    return f"{text} By default the image's, else {getattr(DEFAULTS, field):g}."


TemperatureOption = Annotated[
    float | None, typer.Option(help=_help("Divides the logits; 0 is greedy.", "temperature"))
]
TopKOption = Annotated[
    int | None, typer.Option(help=_help("Keep the K best tokens; 0 is all.", "top_k"))
]
TopPOption = Annotated[
    float | None,
    typer.Option(help=_help("Keep the fewest best tokens with this probability.", "top_p")),
]
MinPOption = Annotated[
    float | None,
    typer.Option(help=_help("Keep tokens with this part of the best one's probability.", "min_p")),
]
SeedOption = Annotated[
    int | None, typer.Option(help="Same seed, same text; by default a random one.")
]


def choose_sampling(
    image: Image,
    *,
    temperature: float | None,
    top_k: int | None,
    top_p: float | None,
    min_p: float | None,
    seed: int | None,
) -> SamplingConfig:
    """The sampling of a text; ``None`` stands for an option that was not given.

    Raises
    ------
    TercelError
        If a value breaks its rule.
    """
    given = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "min_p": min_p}
    values = dataclasses.asdict(image.sampling or DEFAULTS)
    values |= {name: value for name, value in given.items() if value is not None}
    return SamplingConfig(**values, seed=secrets.randbits(32) if seed is None else seed)


def print_sampling(image: Image, sampling: SamplingConfig) -> None:
    """Print the sampling of a text, and what the image recommends, to standard error."""
    used = format_sampling(dataclasses.asdict(sampling))
    advice = "nothing" if image.sampling is None else format_sampling(image.sampling.to_fields())
    rest = "as the image recommends" if used == advice else f"the image recommends {advice}"
    typer.echo(f"{'sampling':<12} {used}, seed {sampling.seed}; {rest}", err=True)


def format_sampling(fields: Mapping[str, Any]) -> str:
    """Temperature and filters in words."""
    if fields["temperature"] == 0:
        return "greedy"
    return (
        f"temperature {fields['temperature']:g}, top-k {fields['top_k'] or 'all'}, "
        f"top-p {fields['top_p']:g}, min-p {fields['min_p']:g}"
    )
