"""The preset accelerators that can run a model."""

from tercel.config import ModelConfig
from tercel_hw.top import ACCELERATORS

__all__ = ["preset_excesses"]


def preset_excesses(config: ModelConfig) -> dict[str, tuple[str, ...]]:
    """Name of every preset to the limits that the model exceeds; none if it fits."""
    return {
        name: tuple(
            f"{what} must be at most {most}, but is {value}"
            for what, value, most in accelerator.spec.excesses(config)
        )
        for name, accelerator in ACCELERATORS.items()
    }
