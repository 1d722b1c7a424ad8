"""Time of whole and of masked passes, measured on a device."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import numpy.typing as npt

from tercel.device import Ask, Device
from tercel.sampling import Sampler, SamplingConfig
from tercel.speculation.drafters.model_candidates import ModelCandidates
from tercel.speculation.drafters.self_speculation import LayerMask

__all__ = ["PassCosts", "measure_costs"]

REPEATS = 3
"""Passes of which the fastest counts where the host measures the time."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PassCosts:
    """Seconds of passes by their nodes; all layers of a model cost the same."""

    whole: npt.NDArray[np.float64]
    """``[K]`` passes of 1 to K nodes through all layers and the whole head."""
    headed: npt.NDArray[np.float64]
    """``[K]`` passes without layers, with the head of drafts."""
    attention: npt.NDArray[np.float64]
    """``[K]`` further seconds of a layer's attention."""
    mlp: npt.NDArray[np.float64]
    """``[K]`` further seconds of a layer's MLP."""

    def draft(self, mask: LayerMask) -> npt.NDArray[np.float64]:
        """``[K]`` seconds of passes under a mask."""
        attentions, mlps = (sum(column) for column in zip(*mask, strict=True))
        return self.headed + attentions * self.attention + mlps * self.mlp


def measure_costs(
    device: Device,
    *,
    tokens: Sequence[int],
    sampling: SamplingConfig,
    head_rows: int,
    top_k: int,
) -> PassCosts:
    """Measure the passes of a device behind some tokens.

    The device's own time counts where it has one, else the host's.

    Parameters
    ----------
    device
        Empty; it is empty afterwards.
    tokens
        Cached positions, then K nodes.
    sampling
        Filters of the draws, which set the results that passes return.
    head_rows
        Rows of the head of drafts.
    top_k
        Candidates of drafts.
    """
    nodes, limits = device.limits.nodes, device.limits
    nothing = ((False, False),) * (device.config.layers - 1)
    sampler = Sampler(sampling, limits=limits, vocab_size=device.config.vocab_size)
    candidates = ModelCandidates(sampling, top_k=top_k, limits=limits, rows=head_rows)
    device.prefill(tokens[:-nodes])

    def seconds(ask: Callable[[int], Ask]) -> npt.NDArray[np.float64]:
        chain = tokens[-nodes:]
        counts = range(1, nodes + 1)
        return np.array([_seconds(device, chain[:count], ask(count)) for count in counts])

    def masked(first: tuple[bool, bool]) -> npt.NDArray[np.float64]:
        return seconds(lambda count: candidates.ask(count - 1, (first, *nothing)))

    headed = masked((False, False))
    costs = PassCosts(
        whole=seconds(lambda count: sampler.ask(range(count))),
        headed=headed,
        attention=np.maximum(masked((True, False)) - headed, 0),
        mlp=np.maximum(masked((False, True)) - headed, 0),
    )
    device.reset()
    return costs


def _seconds(device: Device, tokens: Sequence[int], ask: Ask) -> float:
    """Time of a pass."""
    measured = []
    for _ in range(REPEATS):
        started = perf_counter()
        result = device.run_pass(tokens, ask=ask)
        if result.seconds is not None:
            return result.seconds
        measured.append(perf_counter() - started)
    return min(measured)
