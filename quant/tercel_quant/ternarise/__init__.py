"""Post-training ternarisation of models with float weights."""

from tercel_quant.ternarise.absmean import absmean
from tercel_quant.ternarise.rounding import RoundingConfig
from tercel_quant.ternarise.sequential import CalibrationConfig, calibrated_layers

__all__ = ["CalibrationConfig", "RoundingConfig", "absmean", "calibrated_layers"]
