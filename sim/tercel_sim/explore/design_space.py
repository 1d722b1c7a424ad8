"""The legal designs of a board and a model."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from tercel.config import ModelConfig
from tercel.errors import TercelError
from tercel_hw.board import BoardSpec
from tercel_hw.export.vivado import check_board
from tercel_hw.synthesis.resources import Resources
from tercel_hw.top import AcceleratorConfig
from tercel_sim.explore.design import Design
from tercel_sim.explore.resource_model import ResourceModel

__all__ = ["FILL", "DesignSpace", "IllegalDesignError", "default_fill"]

FILL = 0.85
"""Largest part of a kind of resource that a design takes: placed designs of this kind reach 84 % of
the lookup tables of a KV260 (TeLLMe v2, arXiv 2510.15926)."""
CHOICES: Mapping[str, tuple[Any, ...]] = {
    "nodes": (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16),
    "ports": (1, 2, 4),
    "code": ("base3", "index5"),
    "tables": (16, 24, 32, 40, 48, 56, 64, 77, 80, 96, 102, 112, 128),
    "chain": (4, 8, 16, 32),
    "tape_words": (1024, 2048, 4096, 8192, 16384, 32768),
}
"""Values of each parameter, but of the clock and of the ports' width, which is the board's."""
CLOCKS = (0.5, 0.6, 0.8, 1.0)
"""Clocks as parts of the board's, above which nothing says that a design closes."""


class IllegalDesignError(TercelError):
    """A design breaks a rule of the generator, of the board or of the model."""


@dataclass(frozen=True, kw_only=True)
class DesignSpace:
    """The designs for a model on a board.

    Parameters that are not searched (widest model, burst, ...) are those of the preset.
    """

    board: BoardSpec
    model: ModelConfig
    preset: AcceleratorConfig
    resources: ResourceModel
    fill: float = FILL
    """Largest part of each resource."""
    choices: Mapping[str, tuple[Any, ...]] = field(default_factory=lambda: CHOICES)

    def __post_init__(self):
        if not 0 < self.fill <= 1:
            raise TercelError(f"fill must be above 0 and at most 1, not {self.fill!r}")
        if lacks := self.preset.spec.lacks(self.model):
            raise TercelError(lacks)

    @property
    def parameters(self) -> dict[str, tuple[Any, ...]]:
        """Values of every parameter, the clock in MHz among them."""
        clocks = tuple(self.board.clock_mhz * part for part in CLOCKS)
        return {**self.choices, "clock_mhz": clocks}

    @property
    def standard(self) -> Design:
        """The design of the preset at the board's clock."""
        return Design.of(self.preset, self.board.clock_mhz)

    def accelerator(self, design: Design) -> AcceleratorConfig:
        """Return the accelerator of a legal design.

        Raises
        ------
        IllegalDesignError
            If the generator, the board's ports or the model refuse it, or it exceeds the budget.
        """
        try:
            config = design.accelerator(self.preset)
            config.spec.check(self.model, config.layout)
            check_board(self.board, config)
            shares = self.shares(self.estimate(config))
        except (TypeError, ValueError, TercelError) as error:
            raise IllegalDesignError(str(error)) from None
        kind, share = max(shares.items(), key=lambda item: item[1])
        if share > self.fill:
            raise IllegalDesignError(
                f"the design takes {100 * share:.0f} % of the board's {kind}, but at most "
                f"{100 * self.fill:.0f} % may be taken"
            )
        return config

    def shares(self, resources: Resources) -> dict[str, float]:
        """Parts of the board's budget by kind; infinite for a kind that the board has not."""
        budget = self.board.resources
        names = [each.name for each in fields(Resources)]
        return {name: _share(getattr(resources, name), getattr(budget, name)) for name in names}

    def estimate(self, config: AcceleratorConfig) -> Resources:
        """Estimate the resources of an accelerator on the board's device."""
        return self.resources.estimate(config, self.board.target)

    def neighbours(self, design: Design) -> Iterator[Design]:
        """Legal designs that differ in one parameter."""
        for name, values in self.parameters.items():
            for value in values:
                if value == getattr(design, name):
                    continue
                other = replace(design, **{name: value})
                try:
                    self.accelerator(other)
                except IllegalDesignError:
                    continue
                yield other


def default_fill(space: DesignSpace) -> float:
    """Largest part of each resource by default: :data:`FILL`, or the preset's part if it has more.

    A preset that has more takes its own risk, as the ultra96v2's of 87 % of the DSP slices.
    """
    mine = max(space.shares(space.estimate(space.preset)).values())
    return max(FILL, mine) if mine <= 1 else FILL


def _share(amount: float, most: float) -> float:
    if not amount:
        return 0.0
    return amount / most if most else float("inf")
