"""Learning-rate schedule: warm-up, plateau, decay."""

from dataclasses import dataclass

from tercel.errors import TercelError

__all__ = ["Schedule"]


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Linear warm-up to 1, a plateau, then a linear decay to 0 over the last ``decay`` steps.

    A trunk for later branches is a run whose ``decay`` is 0; each branch is a longer run with a
    decay that starts from the trunk's checkpoint.

    Raises
    ------
    TercelError
        If warm-up and decay do not fit into the steps.
    """

    steps: int
    warmup: int = 0
    decay: int = 0

    def __post_init__(self):
        for name in ("steps", "warmup", "decay"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise TercelError(f"{name} must be a non-negative integer, not {value!r}")
        if self.warmup + self.decay > self.steps:
            raise TercelError(
                f"warmup + decay must not exceed steps, but {self.warmup} + {self.decay} is more "
                f"than {self.steps}; shorten them or train longer"
            )

    def factor(self, step: int) -> float:
        """Multiple of the peak learning rate for the update numbered ``step``, from 0."""
        factor = 1.0
        if step < self.warmup:
            factor = (step + 1) / self.warmup
        if step >= self.steps - self.decay:
            factor = (self.steps - step) / (self.decay + 1)
        return factor
