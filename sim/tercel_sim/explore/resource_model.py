"""Estimated resources of an accelerator: a fit, block by block, to measured syntheses."""

import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import nnls

from tercel.errors import TercelError
from tercel_hw.export.configuration import parse_configuration
from tercel_hw.synthesis.resources import Resources
from tercel_hw.synthesis.ultra_ram import packed_blocks
from tercel_hw.top import AcceleratorConfig
from tercel_hw.top.memory_system import channel_config

__all__ = ["CALIBRATION", "Measured", "ResourceModel", "load_calibration", "resource_model"]

CALIBRATION = Path(__file__).parent / "calibration.json"
"""Syntheses that the model is fitted to; made by ``python -m tercel_sim.explore.calibration``."""
KINDS = tuple(field.name for field in fields(Resources))
ENGINE = "core.engine"
TAPE = "memory.channel_tape"
ATTENTION = "core.attention"
BRAM_BITS = 36 * 1024


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The synthesis of an accelerator, block by block."""

    config: AcceleratorConfig
    blocks: Mapping[str, Resources]
    held_out: bool
    """True if the model is judged by it, not fitted to it."""

    @property
    def total(self) -> Resources:
        return sum(self.blocks.values(), Resources())


def load_calibration(path: Path = CALIBRATION) -> tuple[Measured, ...]:
    """Read the syntheses of a calibration.

    Raises
    ------
    TercelError
        If the file cannot be read or is no calibration.
    """
    try:
        found = json.loads(path.read_text())
        return tuple(
            Measured(
                config=parse_configuration(point["parameters"]),
                blocks={name: Resources(**block) for name, block in point["blocks"].items()},
                held_out=point["held_out"],
            )
            for point in found["points"]
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TercelError(f"the calibration {path} cannot be used: {error}") from None


def _features(name: str, kind: str, config: AcceleratorConfig) -> Mapping[str, float]:
    """The terms of a block's resources: what its parts are proportional to."""
    lanes, word, tables = config.nodes, config.word_bytes, config.tlmm.tables
    if name.startswith(ENGINE):
        return {"1": 1, "T": tables, "KT": lanes * tables}
    terms = {"1": 1, "K": lanes, "W": word, "KW": lanes * word, "P": config.ports}
    if name == "core.gearbox":
        return {"1": 1, "W": word, "T": tables}
    if name == ATTENTION and kind in ("lut", "ff"):  # the sums at the ends of chains
        return terms | {"KW/c": lanes * word / config.chain}
    if name.startswith("core.commands_"):
        return {"1": 1}
    return terms


def _key(name: str, config: AcceleratorConfig) -> str:
    """The block's name; engines of different codes are different blocks."""
    return f"{ENGINE} {config.tlmm.code}" if name == ENGINE else name


def _tape_memory(config: AcceleratorConfig) -> Resources:
    """The memory of the tape buffer, which its geometry alone decides."""
    tape = channel_config(config, "tape")
    bits = tape.depth * 8 * config.word_bytes
    if tape.ram_style == "ultra":
        return Resources(uram=packed_blocks(8 * config.word_bytes, tape.depth))
    if tape.ram_style == "block":
        return Resources(bram36=math.ceil(2 * bits / BRAM_BITS) / 2)
    return Resources()


class ResourceModel:
    """Resources by block as sums of non-negative terms, fitted by least squares.

    Residuals are relative to the size of a block, so that small and large accelerators count alike.

    Parameters
    ----------
    points
        Syntheses; those held out are not fitted.
    """

    def __init__(self, points: Sequence[Measured]):
        self._points = tuple(points)
        fitted = [point for point in self._points if not point.held_out]
        if not fitted:
            raise TercelError("a resource model needs a synthesis to be fitted to")
        self._blocks = tuple(dict.fromkeys(name for point in fitted for name in point.blocks))
        self._ultra_ram = {point.config.ultra_ram for point in fitted}
        self._terms: dict[tuple[str, str], dict[str, float]] = {}
        for name in self._blocks:
            for key in dict.fromkeys(_key(name, point.config) for point in fitted):
                seen = [p for p in fitted if name in p.blocks and _key(name, p.config) == key]
                for kind in KINDS:
                    self._terms[key, kind] = _fit(name, kind, seen)

    @property
    def points(self) -> tuple[Measured, ...]:
        return self._points

    def estimate(self, config: AcceleratorConfig) -> Resources:
        """Estimate the resources of a whole accelerator.

        Raises
        ------
        TercelError
            If no synthesis had an engine of its weight code, or its kind of large memories.
        """
        if config.ultra_ram not in self._ultra_ram:
            has = "with" if config.ultra_ram else "without"
            raise TercelError(
                f"the calibration has no accelerator {has} UltraRAM; synthesise some and add them"
            )
        total = Resources()
        for name in self._blocks:
            total += self.block(name, config)
        return total

    def block(self, name: str, config: AcceleratorConfig) -> Resources:
        """Estimate the resources of a block.

        Raises
        ------
        TercelError
            As :meth:`estimate`.
        """
        key = _key(name, config)
        if (key, KINDS[0]) not in self._terms:
            raise TercelError(f"the calibration has no {key}; synthesise one and add it")
        values = {}
        for kind in KINDS:
            features = _features(name, kind, config)
            weights = self._terms[key, kind]
            values[kind] = sum(weight * features[term] for term, weight in weights.items())
        memory = _tape_memory(config) if name == TAPE else None
        halves = round(2 * values["bram36"]) / 2
        return Resources(
            lut=round(values["lut"]),
            lut_memory=round(values["lut_memory"]),
            ff=round(values["ff"]),
            dsp=round(values["dsp"]),
            bram36=halves if memory is None else memory.bram36,
            uram=round(values["uram"]) if memory is None else memory.uram,
        )

    def errors(self, points: Iterable[Measured] | None = None) -> dict[str, list[float]]:
        """Relative errors of points, by default those held out, by kind.

        An error is that of the sum of the blocks that the point has; a kind of which they take
        none is left out.
        """
        if points is None:
            points = [point for point in self._points if point.held_out]
        found: dict[str, list[float]] = {kind: [] for kind in KINDS}
        for point in points:
            estimated = Resources()
            for name in point.blocks:
                estimated += self.block(name, point.config)
            measured = point.total
            for kind in KINDS:
                if actual := getattr(measured, kind):
                    found[kind].append(getattr(estimated, kind) / actual - 1)
        return found


def _fit(name: str, kind: str, points: Sequence[Measured]) -> dict[str, float]:
    """Fit the terms of one kind of resource of one block."""
    values = np.array([getattr(point.blocks[name], kind) for point in points], float)
    if not values.any():
        return {}
    rows = [_features(name, kind, point.config) for point in points]
    terms = list(rows[0])
    matrix = np.array([[row[term] for term in terms] for row in rows], float)
    scale = 1 / np.maximum(values, max(1.0, values.max() / SMALL))
    sizes = matrix.max(axis=0)
    ridge = np.sqrt(RIDGE) * np.eye(len(terms)) / values.max()
    weights, _ = nnls(
        np.vstack([matrix / sizes * scale[:, None], ridge]),
        np.concatenate([values * scale, np.zeros(len(terms))]),
    )
    return {term: float(w / s) for term, w, s in zip(terms, weights, sizes, strict=True) if w > 0}


RIDGE = 1e-4
"""Weight of the squares of the terms themselves: where few points leave it open which terms a block
grows with, all that explain it share its growth."""
SMALL = 20
"""A value below the largest by this factor or more counts as if it were no smaller."""


@cache
def resource_model() -> ResourceModel:
    """Return the model of the stored calibration."""
    return ResourceModel(load_calibration())


def summary(errors: Mapping[str, Sequence[float]]) -> dict[str, dict[str, Any]]:
    """Return mean and largest magnitude of relative errors, and their number, by kind."""
    return {
        kind: {
            "mean": statistics.fmean(abs(value) for value in values),
            "largest": max(abs(value) for value in values),
            "points": len(values),
        }
        for kind, values in errors.items()
        if values
    }
