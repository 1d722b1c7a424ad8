"""The design space of a board: legal accelerators, their resources and speed, and the best."""

from tercel_sim.explore.design import Design
from tercel_sim.explore.design_space import DesignSpace
from tercel_sim.explore.evaluation import Evaluation
from tercel_sim.explore.pareto import front

__all__ = ["Design", "DesignSpace", "Evaluation", "front"]
