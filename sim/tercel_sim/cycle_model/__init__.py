"""The cycle model: cycles of a pass, computed from its program without RTL."""

from tercel_sim.cycle_model.prediction import (
    PassPrediction,
    PrefillPrediction,
    predict_pass,
    predict_prefill,
)

__all__ = [
    "PassPrediction",
    "PrefillPrediction",
    "predict_pass",
    "predict_prefill",
]
