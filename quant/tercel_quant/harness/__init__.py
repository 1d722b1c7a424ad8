"""Evaluation by the tasks of lm-evaluation-harness, on any device; needs the extra ``eval``."""

from tercel_quant.harness.language_model import TercelLM
from tercel_quant.harness.tasks import evaluate_tasks

__all__ = ["TercelLM", "evaluate_tasks"]
