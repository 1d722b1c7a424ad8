"""Estimated resources of an accelerator: a fit, block by block, to measured syntheses."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from functools import cache
from typing import Any

from tercel.errors import TercelError
from tercel_hw.board import board_names
from tercel_hw.synthesis.resources import Resources
from tercel_hw.synthesis.ultra_ram import packed_blocks
from tercel_hw.target import Target
from tercel_hw.top import AcceleratorConfig
from tercel_hw.top.memory_system import channel_config
from tercel_sim.explore.measured import Measured, load_calibration, preset_reports
from tercel_sim.explore.resource_terms import ENGINE, MEMORIES, TAPE, Terms, features, fit_terms

__all__ = ["ResourceModel", "left_out", "relative_errors", "resource_model", "summary"]

KINDS = tuple(field.name for field in fields(Resources))
REFERENCE = Target.ULTRASCALE_PLUS
"""Target with the most syntheses, by which blocks of others grow where those leave it open."""
BRAM_BITS = 36 * 1024


class ResourceModel:
    """Resources by block as sums of non-negative terms, fitted by least squares.

    Lookup tables, flip-flops and DSP slices are fitted for each target, memories for accelerators
    with and without UltraRAM. A block that was not synthesised for a target counts as there.

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
        self._targets = {point.target for point in fitted}
        self._ultra_ram = {point.config.ultra_ram for point in fitted}
        self._terms: dict[tuple[str, str, object], Terms] = {}
        for name in self._blocks:
            for key in dict.fromkeys(_key(name, point.config) for point in fitted):
                seen = [p for p in fitted if name in p.blocks and _key(name, p.config) == key]
                self._fit(name, key, seen)

    def _fit(self, name: str, key: str, seen: Sequence[Measured]) -> None:
        """Fit a block, on the reference target first."""
        for kind in KINDS:
            groups: dict[object, list[Measured]] = {}
            for point in sorted(seen, key=lambda point: point.target is not REFERENCE):
                groups.setdefault(_group(kind, point.config, point.target), []).append(point)
            start = None  # memories of other kinds do not grow alike
            for group, points in groups.items():
                found = fit_terms(
                    [features(name, kind, point.config) for point in points],
                    [getattr(point.blocks[name], kind) for point in points],
                    start,
                )
                self._terms[key, kind, group] = found
                if kind not in MEMORIES and start is None:
                    start = found
            self._terms[key, kind, None] = start or {}

    @property
    def points(self) -> tuple[Measured, ...]:
        return self._points

    def estimate(self, config: AcceleratorConfig, target: Target) -> Resources:
        """Estimate the resources of a whole accelerator.

        Raises
        ------
        TercelError
            If no synthesis had its target, an engine of its weight code, or its kind of large
            memories.
        """
        if target not in self._targets:
            raise TercelError(
                f"the calibration has no accelerator for {target.value}; synthesise some and add "
                "them"
            )
        if config.ultra_ram not in self._ultra_ram:
            has = "with" if config.ultra_ram else "without"
            raise TercelError(
                f"the calibration has no accelerator {has} UltraRAM; synthesise some and add them"
            )
        return sum((self.block(name, config, target) for name in self._blocks), Resources())

    def block(self, name: str, config: AcceleratorConfig, target: Target) -> Resources:
        """Estimate the resources of a block.

        Raises
        ------
        TercelError
            As :meth:`estimate`.
        """
        key = _key(name, config)
        values = {kind: self._amount(name, key, kind, config, target) for kind in KINDS}
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

    def _amount(
        self, name: str, key: str, kind: str, config: AcceleratorConfig, target: Target
    ) -> float:
        for group in (_group(kind, config, target), None):
            weights = self._terms.get((key, kind, group))
            if weights is not None:
                values = features(name, kind, config)
                return sum(weight * values[term] for term, weight in weights.items())
        raise TercelError(f"the calibration has no {key}; synthesise one and add it")

    def judges(self, config: AcceleratorConfig, target: Target) -> tuple[Measured, ...]:
        """The syntheses held out that are of an accelerator's target and kind of memories."""
        return tuple(each for each in self._points if each.held_out and each.like(config, target))

    def error(self, point: Measured) -> dict[str, float]:
        """Relative errors of a point by kind, of the sum of the blocks that it has."""
        estimated = sum(
            (self.block(name, point.config, point.target) for name in point.blocks), Resources()
        )
        return relative_errors(estimated, point.total)


def relative_errors(estimated: Resources, actual: Resources) -> dict[str, float]:
    """Relative errors by kind; a kind of which there is none is left out."""
    pairs = {kind: (getattr(estimated, kind), getattr(actual, kind)) for kind in KINDS}
    return {kind: guess / found - 1 for kind, (guess, found) in pairs.items() if found}


def left_out(points: Iterable[Measured]) -> dict[str, dict[str, float]]:
    """Relative errors of every whole accelerator, of a fit that does not have it, by its name."""
    fitted = [point for point in points if not point.held_out]
    found = {}
    for point in fitted:
        others = [each for each in fitted if each is not point]
        if point.preset and any(each.target is point.target for each in others):
            estimated = ResourceModel(others).estimate(point.config, point.target)
            found[point.name] = relative_errors(estimated, point.total)
    return found


def summary(errors: Sequence[Mapping[str, float]]) -> dict[str, dict[str, Any]]:
    """Return mean and largest magnitude of relative errors, and their number, by kind."""
    found = {}
    for kind in KINDS:
        values = [abs(each[kind]) for each in errors if kind in each]
        if values:
            found[kind] = {
                "mean": statistics.fmean(values),
                "largest": max(values),
                "points": len(values),
            }
    return found


@cache
def resource_model() -> ResourceModel:
    """Return the model of the boards' presets and the stored calibration."""
    return ResourceModel([*preset_reports(board_names()), *load_calibration()])


def _key(name: str, config: AcceleratorConfig) -> str:
    """The block's name; engines of different codes are different blocks."""
    return f"{ENGINE} {config.tlmm.code}" if name == ENGINE else name


def _group(kind: str, config: AcceleratorConfig, target: Target) -> object:
    """The syntheses that a kind of resource is fitted to together."""
    return config.ultra_ram if kind in MEMORIES else target


def _tape_memory(config: AcceleratorConfig) -> Resources:
    """The memory of the tape buffer, which its geometry alone decides."""
    tape = channel_config(config, "tape")
    bits = tape.depth * 8 * config.word_bytes
    if tape.ram_style == "ultra":
        return Resources(uram=packed_blocks(8 * config.word_bytes, tape.depth))
    if tape.ram_style == "block":
        return Resources(bram36=math.ceil(2 * bits / BRAM_BITS) / 2)
    return Resources()
