"""Softmax attention over the KV cache: integer weights from scores, exact sums."""

from tercel_hw.attention.cache_reader import CacheReader
from tercel_hw.attention.config import AttentionConfig
from tercel_hw.attention.datapath import Attention
from tercel_hw.attention.output_scale import OutputScale
from tercel_hw.attention.query_loader import QueryLoader
from tercel_hw.attention.query_scales import QueryScales
from tercel_hw.attention.scale_queue import ScaleQueue
from tercel_hw.attention.score_scale import ScoreScale
from tercel_hw.attention.softmax_weights import SoftmaxWeights
from tercel_hw.attention.unit import AttentionUnit
from tercel_hw.attention.unit_config import AttentionUnitConfig
from tercel_hw.attention.word_sorter import WordSorter

__all__ = [
    "Attention",
    "AttentionConfig",
    "AttentionUnit",
    "AttentionUnitConfig",
    "CacheReader",
    "OutputScale",
    "QueryLoader",
    "QueryScales",
    "ScaleQueue",
    "ScoreScale",
    "SoftmaxWeights",
    "WordSorter",
]
