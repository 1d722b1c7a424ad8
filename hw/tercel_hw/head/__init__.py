"""What is read off the logits: best rows, the sum of exponentials."""

from tercel_hw.head.argmax import Argmax
from tercel_hw.head.config import HeadConfig
from tercel_hw.head.exponential_sum import ExponentialSum
from tercel_hw.head.logit_scale import LogitScale
from tercel_hw.head.row_limit import RowLimit
from tercel_hw.head.top_k import TopK

__all__ = ["Argmax", "ExponentialSum", "HeadConfig", "LogitScale", "RowLimit", "TopK"]
