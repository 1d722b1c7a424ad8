"""Speculative decoding: drafts, their acceptance, and the choice of their size."""

from tercel.speculation.acceptor import Acceptor, Outcome, StepwiseAcceptor, Verdict
from tercel.speculation.acceptors.agreement import Agreement
from tercel.speculation.adaptive import Adaptive
from tercel.speculation.controller import Controller, DraftPlan, FixedSize
from tercel.speculation.cost_curve import CostCurve
from tercel.speculation.draft_tree import PROBE, ROOT, DraftTree
from tercel.speculation.drafter import DraftBudget, Drafter, DraftState
from tercel.speculation.needs import PassNeeds
from tercel.speculation.round import Round
from tercel.speculation.speculator import Speculator
from tercel.speculation.statistics import SpeculationStatistics

__all__ = [
    "PROBE",
    "ROOT",
    "Acceptor",
    "Adaptive",
    "Agreement",
    "Controller",
    "CostCurve",
    "DraftBudget",
    "DraftPlan",
    "DraftState",
    "DraftTree",
    "Drafter",
    "FixedSize",
    "Outcome",
    "PassNeeds",
    "Round",
    "SpeculationStatistics",
    "Speculator",
    "StepwiseAcceptor",
    "Verdict",
]
