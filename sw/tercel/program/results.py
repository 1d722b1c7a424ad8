"""Decoding of the result lines that an accelerator writes."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tercel import numerics
from tercel.numerics.float32 import Float32, Int32
from tercel.numerics.head import ExponentialSum
from tercel.program.request import Request

__all__ = ["Summary", "read_summary", "summary_lines"]

Lines = npt.NDArray[np.uint32]
"""Lines ``[lines, lanes]``; the values of lanes without a node are undefined."""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The head's results for N nodes; ``None`` for those not asked for."""

    scale: Float32
    """``[N]`` activation scales: a logit is the unscaled logit times this."""
    argmax: Int32 | None
    top_ids: Int32 | None
    top_logits: Float32 | None
    logsumexp: npt.NDArray[np.float64] | None


def _ranks(request: Request) -> int:
    return min(request.ask.top_k, request.head_rows)


def summary_lines(request: Request) -> int:
    """Number of lines in the summary of a pass with a head."""
    return 1 + 2 * request.ask.argmax + (3 if request.ask.top_k else 0) + 2 * _ranks(request)


def read_summary(lines: Lines, request: Request) -> Summary:
    """Decode the summary from its :func:`summary_lines` lines."""
    lines = np.ascontiguousarray(lines[:, : request.nodes])
    scale, rest = lines[0].view(np.float32), lines[1:]
    argmax = top_ids = top_logits = logsumexp = None
    if request.ask.argmax:
        argmax, rest = rest[0].view(np.int32), rest[2:]
    if request.ask.top_k:
        octave, low, high = rest[:3]
        total = high.astype(np.uint64) << np.uint64(32) | low
        logsumexp = ExponentialSum(octave=octave.view(np.int32), total=total).log()
        ranks = rest[3:].reshape(_ranks(request), 2, request.nodes)
        ids, unscaled = np.ascontiguousarray(ranks.transpose(1, 2, 0))
        top_ids = ids.view(np.int32)
        top_logits = numerics.logits(unscaled.view(np.float32), scale)
    return Summary(
        scale=scale, argmax=argmax, top_ids=top_ids, top_logits=top_logits, logsumexp=logsumexp
    )
