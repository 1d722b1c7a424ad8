"""The measured run of a model on a simulated accelerator: a prompt and its continuation."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tercel.device import Ask
from tercel_sim.measurement import PassMeasurement, measure_pass
from tercel_sim.progress import Progress, quiet
from tercel_sim.rtl_device import RtlDevice

__all__ = ["Interruption", "MeasuredRun"]


@dataclass(frozen=True, kw_only=True)
class Interruption:
    """State of a run that Ctrl-C interrupted."""

    passes: int
    """Number of complete passes."""
    of: int
    """Number of requested passes."""
    cycles: int
    """Cycles of the interrupted pass."""


class MeasuredRun:
    """A run that prefills all tokens but the last in passes of K, then generates greedily.

    Parameters
    ----------
    device
        Device at position 0 with room for all tokens.
    sequence
        Token ids, at least one.
    count
        Number of passes of one token.
    """

    def __init__(self, device: RtlDevice, sequence: Sequence[int], count: int):
        self._device = device
        self._sequence = list(sequence)
        self._count = count
        self.phases: dict[str, list[PassMeasurement]] = {"prefill": [], "generate": []}
        self.generated: list[int] = []
        self.interruption: Interruption | None = None

    def run(self, *, progress: Progress = quiet) -> None:
        """Run all passes, or those that end before Ctrl-C."""
        known = self._sequence[:-1]
        nodes = self._device.limits.nodes
        chunks = [known[start : start + nodes] for start in range(0, len(known), nodes)]
        done, of = 0, len(chunks) + self._count
        board = self._device.board
        began = board.cycles
        try:
            for step in self._steps(chunks):
                began = board.cycles
                with progress(f"pass {done + 1} of {of}"):
                    step()
                done += 1
        except KeyboardInterrupt:
            self.interruption = Interruption(passes=done, of=of, cycles=board.cycles - began)

    def _steps(self, chunks: list[list[int]]) -> Iterator:
        for chunk in chunks:
            yield lambda chunk=chunk: self._prefill(chunk)
        for _ in range(self._count):
            yield self._generate

    def _prefill(self, chunk: list[int]) -> None:
        taken, _ = measure_pass(self._device, chunk, Ask(argmax=False))
        self._device.commit(range(len(chunk)))
        self.phases["prefill"].append(taken)

    def _generate(self) -> None:
        token = self.generated[-1] if self.generated else self._sequence[-1]
        taken, result = measure_pass(self._device, [token], Ask())
        self._device.commit([0])
        assert result.argmax is not None
        self.phases["generate"].append(taken)
        self.generated.append(int(result.argmax[0]))
