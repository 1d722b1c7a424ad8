"""How many cycles a pass takes, without running it."""

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
