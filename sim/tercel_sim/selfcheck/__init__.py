"""Random models and passes at an accelerator's limits, RTL against the emulator."""

from tercel_sim.selfcheck.check import Failure, ModelCheck, check_model
from tercel_sim.selfcheck.random_model import pass_cycles, random_model
from tercel_sim.selfcheck.random_pass import RandomPass, random_cache, random_pass

__all__ = [
    "Failure",
    "ModelCheck",
    "RandomPass",
    "check_model",
    "pass_cycles",
    "random_cache",
    "random_model",
    "random_pass",
]
