"""Latencies of an accelerator's parts, in cycles."""

from tercel_hw.attention.datapath import attention_overhead
from tercel_hw.dense import dense_latency
from tercel_hw.head import LogitScale
from tercel_hw.top.config import AcceleratorConfig

__all__ = ["latencies"]


def latencies(config: AcceleratorConfig) -> dict[str, int]:
    """Return the latencies by name, as ``docs/hardware`` explains them."""
    tlmm = config.tlmm
    return {
        "engine_sum": tlmm.latency,
        "engine_fill": tlmm.fill_cycles(tlmm.tables),
        "gearbox": config.gearbox.latency,
        "dense_dot": dense_latency(config.dense),
        "attention_overhead": attention_overhead(config.attention),
        "logit": LogitScale.LATENCY,
        "memory_at_full_rate": config.routed.striped.reader.full_rate_latency,
    }
