"""The preset accelerators that can run a model."""

from tercel.config import ModelConfig
from tercel.image import footprint
from tercel_hw.board import board_names, load_board
from tercel_hw.top import ACCELERATORS, AcceleratorConfig

__all__ = ["board_of", "preset_excesses"]

DEFAULT_BOARD = "kv260"
"""The board of presets that are not named after one."""


def board_of(preset: str) -> str:
    """The board that is meant by a preset accelerator."""
    return preset if preset in board_names() else DEFAULT_BOARD


def preset_excesses(config: ModelConfig) -> dict[str, tuple[str, ...]]:
    """Name of every preset to the limits that the model exceeds; none if it fits.

    The memory of the board must hold the tape and a cache of all positions.
    """
    found = {}
    for name, accelerator in ACCELERATORS.items():
        if lacks := accelerator.spec.lacks(config):
            found[name] = (lacks,)
            continue
        limits = accelerator.spec.excesses(config)
        limits += _memory(config, accelerator, load_board(board_of(name)).ddr.bytes)
        found[name] = tuple(
            f"{what} must be at most {most}, but is {value}" for what, value, most in limits
        )
    return found


def _memory(
    config: ModelConfig, accelerator: AcceleratorConfig, most: int
) -> tuple[tuple[str, int, int], ...]:
    size = footprint(config, accelerator.layout)
    positions = min(config.context, accelerator.positions)
    value = size.tape + positions * size.kv_per_position
    megabytes = -(-value // 1_000_000), most // 1_000_000
    return (("MB of tape and cache", *megabytes),) if value > most else ()
