"""What is read off the logits: best rows, the sum of exponentials."""

from tercel_hw.head.argmax import Argmax
from tercel_hw.head.config import HeadConfig
from tercel_hw.head.exponential_sum import ExponentialSum
from tercel_hw.head.logit_scale import LogitScale
from tercel_hw.head.row_limit import RowLimit
from tercel_hw.head.run import RUN
from tercel_hw.head.top_k import TopK
from tercel_hw.head.unit import HeadUnit
from tercel_hw.head.unit_config import HeadUnitConfig

__all__ = [
    "RUN",
    "Argmax",
    "ExponentialSum",
    "HeadConfig",
    "HeadUnit",
    "HeadUnitConfig",
    "LogitScale",
    "RowLimit",
    "TopK",
]
