"""Behavioural models of the vendors' primitives, for lint and simulation, not for synthesis."""

from tercel_hw.primitives.models import primitive_models

__all__ = ["primitive_models"]
