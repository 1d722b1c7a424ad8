"""Softmax attention of one KV head: scores to integer weights, exact sums to floats."""

from tercel_hw.attention.attention import Attention
from tercel_hw.attention.config import AttentionConfig
from tercel_hw.attention.output_scale import OutputScale
from tercel_hw.attention.score_scale import ScoreScale
from tercel_hw.attention.softmax_weights import SoftmaxWeights

__all__ = ["Attention", "AttentionConfig", "OutputScale", "ScoreScale", "SoftmaxWeights"]
