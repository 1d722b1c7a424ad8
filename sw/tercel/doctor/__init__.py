"""The state of a board: what would keep it from running models, and what to do about it."""

from tercel.doctor.accelerator import examine_accelerator
from tercel.doctor.finding import Finding, Level
from tercel.doctor.machine import examine_machine
from tercel.doctor.selftest import Selftest
from tercel.doctor.software import Software, examine_software

__all__ = [
    "Finding",
    "Level",
    "Selftest",
    "Software",
    "examine_accelerator",
    "examine_machine",
    "examine_software",
]
