"""How many cycles a pass takes, without running it."""

from tercel_sim.cycle_model.measurement import Measurement, measure_pass
from tercel_sim.cycle_model.prediction import (
    PassPrediction,
    PrefillPrediction,
    predict_pass,
    predict_prefill,
)

__all__ = [
    "Measurement",
    "PassPrediction",
    "PrefillPrediction",
    "measure_pass",
    "predict_pass",
    "predict_prefill",
]
