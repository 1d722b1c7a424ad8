"""The granularity of the scales that a checkpoint's image gets."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from torch import Tensor

from tercel.config import ModelConfig
from tercel.errors import TercelError
from tercel_quant.importers import Checkpoint, GroupedTernary, Ternary
from tercel_quant.importers.granularity import (
    GRANULARITIES,
    exact_granularity,
    refusal,
    regroup,
)
from tercel_quant.importers.ternary_rows import has_ternary_rows

__all__ = [
    "GranularityPlan",
    "finest_granularity",
    "has_ternary_head",
    "head_names",
    "plan_granularity",
]


@dataclass(frozen=True, kw_only=True)
class GranularityPlan:
    """The scales of an image."""

    granularity: str
    ternary_head: bool
    found: bool
    """True if the weights told the granularity."""

    @property
    def fields(self) -> dict[str, str | bool]:
        """The fields of a model config."""
        return {"granularity": self.granularity, "ternary_head": self.ternary_head}


def plan_granularity(
    checkpoint: Checkpoint, *, method: str | None, granularity: str | None, requantize: bool
) -> GranularityPlan:
    """Choose the granularity: the one asked for, or the coarsest that holds the weights exactly.

    Parameters
    ----------
    method : str, optional
        The way to ternarise float matrices. The matrices of the first layer then tell the
        granularity, without a method those of all layers.
    granularity : str, optional
    requantize : bool
        One scale per matrix unless a granularity is given.

    Raises
    ------
    TercelError
        If the granularity is unknown, not the one that the model was trained with, or none holds
        the scales of a matrix.
    """
    if granularity is not None and granularity not in GRANULARITIES:
        raise TercelError(
            f"granularity must be one of {', '.join(GRANULARITIES)}, not {granularity!r}"
        )
    own = checkpoint.config
    if checkpoint.declared_ternary:
        if granularity not in (None, own.granularity):
            raise TercelError(
                f"this checkpoint ({checkpoint.description}) was trained with the granularity "
                f"{own.granularity!r}; leave out {granularity!r}"
            )
        return GranularityPlan(
            granularity=own.granularity, ternary_head=own.ternary_head, found=False
        )
    told = granularity is None and not requantize
    if told:
        layers = own.layers if method is None else 1
        granularity = finest_granularity(own, _matrices(checkpoint, layers))
    chosen = granularity or "tensor"
    return GranularityPlan(
        granularity=chosen,
        ternary_head=chosen == "group" and has_ternary_head(checkpoint),
        found=told,
    )


def finest_granularity(
    config: ModelConfig, matrices: Iterable[tuple[str, Tensor | Ternary | GroupedTernary]]
) -> str:
    """The coarsest granularity that holds the scales of all ternary matrices.

    It is at least as fine as the config's own.

    Raises
    ------
    TercelError
        If none holds those of a matrix.
    """
    found = GRANULARITIES.index(config.granularity)
    for name, weight in matrices:
        if isinstance(weight, Tensor):
            continue
        exact = exact_granularity(weight)
        if exact is None:
            assert isinstance(weight, GroupedTernary)
            raise refusal(name, weight, regroup(weight, "group"), "group")
        found = max(found, GRANULARITIES.index(exact))
        if found == len(GRANULARITIES) - 1:
            break
    return GRANULARITIES[found]


def has_ternary_head(checkpoint: Checkpoint) -> bool:
    """True if embedding and head are ternary with at most a scale a group."""
    return all(has_ternary_rows(checkpoint, name) for name in head_names(checkpoint.config))


def _matrices(
    checkpoint: Checkpoint, layers: int
) -> Iterator[tuple[str, Tensor | Ternary | GroupedTernary]]:
    for layer in range(layers):
        for part in checkpoint.config.linears():
            yield (name := f"layers.{layer}.{part}"), checkpoint.matrix(name)


def head_names(config: ModelConfig) -> tuple[str, ...]:
    """Embedding and head in the order of the tape."""
    return ("embedding",) if config.tied_head else ("head", "embedding")
