"""Parameters of a training run other than the model and the data."""

import dataclasses
from dataclasses import dataclass

from tercel.errors import TercelError
from tercel_quant.bitlinear import PRECISIONS
from tercel_quant.schedule import Schedule

__all__ = ["OPTIMISERS", "TrainingConfig"]

OPTIMISERS = ("muon", "adamw")

DEFAULT_WARMUP = 100


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Parameters of one training run.

    Raises
    ------
    TercelError
        If a field breaks its rule; the message quotes the field and its value.
    """

    steps: int
    """Number of updates; those of a branch include the trunk's."""
    precision: str = "ternary"
    """``ternary`` (quantisation-aware) or ``float``."""
    batch_size: int = 32
    """Windows in an update, over all processes."""
    length: int = 256
    """Tokens in a window."""
    long_length: int | None = None
    """Tokens in a window during the last ``long_steps`` updates; a multiple of ``length``, with
    proportionally fewer windows, so that an update keeps its tokens."""
    long_steps: int = 0
    warmup: int | None = None
    """Updates of linear warm-up from 0; by default 100, or fewer if the decay starts earlier."""
    decay: int = 0
    """Updates of linear decay to 0 at the end."""
    optimiser: str = "muon"
    """``muon`` for the matrices of the layers and AdamW for the rest, or ``adamw`` for all."""
    matrix_learning_rate: float = 5e-3
    """Peak learning rate of the layers' matrices, on AdamW's scale of update sizes."""
    learning_rate: float = 3e-3
    """Peak learning rate of embedding, head and norm gains."""
    weight_decay: float = 0.1
    """Weight decay of the layers' matrices; other parameters have none."""
    gradient_clip: float = 1.0
    """Largest global gradient norm."""
    seed: int = 0
    autocast: bool = True
    """Matrix products in bfloat16."""
    compile: bool = False
    """Compile the model (needs a C++ compiler on CPU)."""
    checkpoint_seconds: float = 180.0
    log_every: int = 10
    """Updates per line of the loss log."""

    def __post_init__(self):
        for name in ("steps", "batch_size", "length", "log_every"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise TercelError(f"{name} must be a positive integer, not {value!r}")
        for name, choices in (("precision", PRECISIONS), ("optimiser", OPTIMISERS)):
            if (value := getattr(self, name)) not in choices:
                raise TercelError(f"{name} must be one of {', '.join(choices)}, not {value!r}")
        for name in ("matrix_learning_rate", "learning_rate", "gradient_clip"):
            value = getattr(self, name)
            if not isinstance(value, (int, float)) or not 0 < value < float("inf"):
                raise TercelError(f"{name} must be a positive number, not {value!r}")
        for name in ("weight_decay", "checkpoint_seconds"):
            value = getattr(self, name)
            if not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
                raise TercelError(f"{name} must be a non-negative number, not {value!r}")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise TercelError(f"seed must be a non-negative integer, not {self.seed!r}")
        if (self.long_length is None) != (self.long_steps == 0):
            raise TercelError(
                "long_length and long_steps must be given together, not "
                f"{self.long_length!r} and {self.long_steps!r}"
            )
        if self.long_length is not None and (
            self.long_length % self.length or (self.batch_size * self.length) % self.long_length
        ):
            raise TercelError(
                f"long_length must be a multiple of length {self.length} that divides the "
                f"{self.batch_size * self.length} tokens of an update, not {self.long_length!r}"
            )
        if self.schedule.steps < self.long_steps or self.long_steps < 0:
            raise TercelError(
                f"long_steps must be between 0 and steps {self.steps}, not {self.long_steps!r}"
            )

    @property
    def schedule(self) -> Schedule:
        """Learning-rate factor over the run."""
        warmup = self.warmup
        if warmup is None:
            warmup = min(DEFAULT_WARMUP, max(0, self.steps - self.decay))
        return Schedule(steps=self.steps, warmup=warmup, decay=self.decay)

    @property
    def step_tokens(self) -> int:
        """Predicted tokens per update."""
        return self.batch_size * self.length

    def window(self, step: int) -> tuple[int, int]:
        """Number of windows in the update numbered ``step``, and their length."""
        length = self.length
        if self.long_length is not None and step >= self.steps - self.long_steps:
            length = self.long_length
        return self.step_tokens // length, length

    def to_dict(self) -> dict[str, int | float | str | bool | None]:
        """Plain values for JSON, with the default warm-up resolved."""
        return dataclasses.asdict(self) | {"warmup": self.schedule.warmup}
