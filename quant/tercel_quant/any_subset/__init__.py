"""Any-subset models and their speculative decoding (arXiv 2504.20456), on the reference alone.

Their queries need a mask that is not causal and rows without content of their own, which no device
offers.
"""

from tercel_quant.any_subset.decoder import (
    Decoding,
    SelfDraft,
    decode_plainly,
    decode_speculatively,
)
from tercel_quant.any_subset.model import AnySubsetConfig, AnySubsetModel
from tercel_quant.any_subset.neighbours import NeighbourDraft
from tercel_quant.any_subset.trainer import AnySubsetTraining, train_any_subset

__all__ = [
    "AnySubsetConfig",
    "AnySubsetModel",
    "AnySubsetTraining",
    "Decoding",
    "NeighbourDraft",
    "SelfDraft",
    "decode_plainly",
    "decode_speculatively",
    "train_any_subset",
]
