"""The language-model head: logits, top-k, sums of exponentials, results for the host."""

from tercel_hw.head.config import HeadConfig
from tercel_hw.head.dump import Dump
from tercel_hw.head.exponential_sum import ExponentialSum
from tercel_hw.head.line_run import RUN
from tercel_hw.head.list_fetch import ListFetch
from tercel_hw.head.logit_scale import LogitScale
from tercel_hw.head.result_config import ResultConfig
from tercel_hw.head.result_writer import ResultWriter
from tercel_hw.head.run_merge import RunMerge
from tercel_hw.head.shortlist import Shortlist
from tercel_hw.head.top_k import TopK
from tercel_hw.head.unit import HeadUnit
from tercel_hw.head.unit_config import HeadUnitConfig

__all__ = [
    "RUN",
    "Dump",
    "ExponentialSum",
    "HeadConfig",
    "HeadUnit",
    "HeadUnitConfig",
    "ListFetch",
    "LogitScale",
    "ResultConfig",
    "ResultWriter",
    "RunMerge",
    "Shortlist",
    "TopK",
]
