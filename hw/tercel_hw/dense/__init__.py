"""The dense engine: int8 rows against int8 vectors (dot), weights against int8 rows (axpy)."""

from tercel_hw.dense.config import TOTAL_BITS, WEIGHT_BITS, DenseConfig
from tercel_hw.dense.engine import DenseEngine, dense_latency, totals_latency

__all__ = [
    "TOTAL_BITS",
    "WEIGHT_BITS",
    "DenseConfig",
    "DenseEngine",
    "dense_latency",
    "totals_latency",
]
