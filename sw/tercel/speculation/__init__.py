"""Speculative decoding: drafts, their acceptance, and the choice of their size."""

from tercel.speculation.acceptor import Acceptor, Agreement, Outcome, Verdict
from tercel.speculation.controller import Controller, FixedSize
from tercel.speculation.draft_tree import PROBE, ROOT, DraftTree
from tercel.speculation.drafter import DraftBudget, Drafter, DraftState, NoDrafter
from tercel.speculation.needs import PassNeeds
from tercel.speculation.round import Round
from tercel.speculation.speculator import Speculator
from tercel.speculation.statistics import SpeculationStatistics

__all__ = [
    "PROBE",
    "ROOT",
    "Acceptor",
    "Agreement",
    "Controller",
    "DraftBudget",
    "DraftState",
    "DraftTree",
    "Drafter",
    "FixedSize",
    "NoDrafter",
    "Outcome",
    "PassNeeds",
    "Round",
    "SpeculationStatistics",
    "Speculator",
    "Verdict",
]
