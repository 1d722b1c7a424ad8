"""The results of passes and the limits of devices."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

__all__ = ["Counters", "Limits", "PassResult"]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Largest pass of a device."""

    nodes: int
    """K, the most token nodes of a pass."""
    context: int
    """The most KV positions, committed and of the pass together."""
    top_k: int
    """The largest top-k."""


@dataclass(frozen=True, kw_only=True)
class Counters:
    """Work of a device since it was opened; bytes are those that cross its memory ports."""

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
    """The answer to an :class:`~tercel.program.Ask`; fields not asked for are ``None`` or empty."""

    argmax: npt.NDArray[np.int32] | None = None
    """``[N]``."""
    top_ids: npt.NDArray[np.int32] | None = None
    """``[N, top_k]``, best first; ties go to the lower row."""
    top_logits: npt.NDArray[np.float32] | None = None
    """``[N, top_k]``."""
    logsumexp: npt.NDArray[np.float64] | None = None
    """``[N]``, natural logarithm, over the rows that took part."""
    logits: dict[int, npt.NDArray[np.float32]] = field(default_factory=dict)
    """Node to ``[rows]``."""
    hidden: dict[int, npt.NDArray[np.float32]] = field(default_factory=dict)
    """Node to ``[hidden_size]``."""
    counters: Counters = Counters()
    """Those of this pass alone."""
