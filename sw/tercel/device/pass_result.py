"""The results of passes and the limits of devices."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tercel.device.node_results import NodeResults

__all__ = ["Counters", "Limits", "PassResult"]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of a device's passes."""

    nodes: int
    """Most token nodes of a pass, K."""
    context: int
    """Most KV positions, including those of the pass."""
    top_k: int
    """Largest top-k."""
    shortlist: int = 0
    """Rows that a two-stage head lists for a node, at most those of the model's shortlist; with
    fewer the device has no two-stage head for the model."""

    def most_top_k(self, *, two_stage: bool) -> int:
        """The largest top-k of a whole or of a two-stage head."""
        return min(self.top_k, self.shortlist) if two_stage else self.top_k


@dataclass(frozen=True, kw_only=True)
class Counters:
    """Work of a device since it was opened; bytes are transfers on its memory ports."""

    passes: int = 0
    nodes: int = 0
    tape_bytes_read: int = 0
    kv_bytes_read: int = 0
    kv_bytes_written: int = 0

    @property
    def bytes_read(self) -> int:
        return self.tape_bytes_read + self.kv_bytes_read

    def __sub__(self, other: "Counters") -> "Counters":
        return Counters(
            **{name: value - getattr(other, name) for name, value in vars(self).items()}
        )

    def __add__(self, other: "Counters") -> "Counters":
        return Counters(
            **{name: value + getattr(other, name) for name, value in vars(self).items()}
        )


@dataclass(frozen=True, kw_only=True)
class PassResult:
    """The results of a pass of N nodes; those not in its :class:`~tercel.program.Ask` are absent.

    Absent results are ``None`` or empty.
    """

    argmax: npt.NDArray[np.int32] | None = None
    """``[N]`` rows of the highest logit; ties go to the lower row, with a two-stage head to the
    one earlier in the list."""
    top_ids: npt.NDArray[np.int32] | None = None
    """``[N, top_k]`` rows of the highest logits, highest first; ties as in :attr:`argmax`."""
    top_logits: npt.NDArray[np.float32] | None = None
    """``[N, top_k]`` logits of :attr:`top_ids`."""
    logsumexp: npt.NDArray[np.float64] | None = None
    """``[N]`` natural logarithm of the sum of exponentials over the head's rows, with a two-stage
    head over those of the node's list."""
    logits: Mapping[int, npt.NDArray[np.float32]] = field(default_factory=dict)
    """Logits ``[rows]`` by node. An accelerator reads them when they are used, which must be before
    its next pass; ``dict(result.logits)`` keeps them."""
    hidden: Mapping[int, npt.NDArray[np.float32]] = field(default_factory=dict)
    """Residual stream ``[hidden_size]`` before the final norm, by node; read as :attr:`logits`."""
    counters: Counters = Counters()
    """Counters of this pass alone."""
    seconds: float | None = field(default=None, compare=False)
    """Time of the pass by the device's own count, without the host's; ``None`` if it has none."""

    def logits_at(self, node: int, rows: npt.NDArray[np.integer]) -> npt.NDArray[np.float32]:
        """A node's logits of some rows, without reading its others."""
        if isinstance(self.logits, NodeResults):
            return self.logits.at(node, rows)
        return self.logits[node][rows]
