"""Judge decoding: a trained head lets harmless disagreements pass."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tercel.device import option
from tercel.errors import TercelError
from tercel.image import Image
from tercel.speculation.acceptor import StepwiseAcceptor, Verdict
from tercel.speculation.acceptors.agreement import Agreement
from tercel.speculation.drafter_file import drafter_path, load_drafter, save_drafter
from tercel.speculation.needs import PassNeeds

__all__ = ["KIND", "Judge", "JudgeConfig", "JudgeHead", "load_judge", "save_judge"]

KIND = "judge"


@dataclass(frozen=True, kw_only=True)
class JudgeConfig:
    """Options of the rule.

    Raises
    ------
    TercelError
        If a field breaks its rule.
    """

    threshold: float | None = option(
        None, "score above which a token passes; by default the head's own"
    )

    def __post_init__(self):
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise TercelError(f"threshold must be in 0..1, not {self.threshold!r}")


@dataclass(frozen=True, kw_only=True, eq=False)
class JudgeHead:
    """A logistic classifier of tokens by their own residual stream."""

    weight: npt.NDArray[np.float32]
    """``[hidden_size]``, of the stream divided by its root mean square."""
    bias: float
    threshold: float
    """Score above which few harmful tokens were seen."""

    def score(self, hidden: npt.NDArray[np.float32]) -> float:
        """Probability that a token is harmless, given the stream ``[hidden_size]`` at its node."""
        stream = hidden.astype(np.float64)
        size = math.sqrt(float(stream @ stream) / len(stream))
        logit = float(self.weight @ stream) / size + self.bias if size else self.bias
        return 0.5 + 0.5 * math.tanh(logit / 2)


class Judge(StepwiseAcceptor):
    """Accepts what another rule accepts, and what the head finds harmless (arXiv 2501.19309).

    The head sees the drafted token's own node, and is asked at disagreements alone, as in AutoJudge
    (arXiv 2504.20039). Of several children the one of the highest score is taken.
    """

    lossless = False

    def __init__(
        self,
        head: JudgeHead,
        config: JudgeConfig = JudgeConfig(),
        inner: StepwiseAcceptor | None = None,
    ):
        self._head = head
        self._threshold = head.threshold if config.threshold is None else config.threshold
        self._inner = Agreement() if inner is None else inner
        self.needs = PassNeeds(hidden=True) | self._inner.needs
        self.reads_proposals = self._inner.reads_proposals

    def step(self, verdict: Verdict, node: int) -> tuple[int | None, int]:
        child, token = self._inner.step(verdict, node)
        children = verdict.tree.children(node)
        if child is not None or not children:
            return child, token
        scores = {child: self._head.score(verdict.hidden(child)) for child in children}
        best = max(children, key=lambda child: scores[child])
        if scores[best] > self._threshold:
            return best, verdict.tree.tokens[best]
        return None, token


def save_judge(path: Path, head: JudgeHead, *, image: Image, settings: dict[str, object]) -> None:
    """Write a head, with settings of its training.

    Raises
    ------
    TercelError
        If the file cannot be written.
    """
    tensors = {"weight": head.weight, "bias": np.array([head.bias], np.float32)}
    save_drafter(
        path,
        kind=KIND,
        image=image,
        tensors=tensors,
        settings=settings | {"threshold": head.threshold},
    )


def load_judge(image: Image) -> JudgeHead:
    """Read the head beside an image.

    Raises
    ------
    TercelError
        If there is none, or it is damaged or of another model.
    """
    path = drafter_path(image.path, KIND)
    if not path.exists():
        raise TercelError(
            f"the acceptor 'judge' needs {path}, which does not exist; "
            f"train it with `tercel train-drafter {KIND}`"
        )
    file = load_drafter(path, kind=KIND, image=image)
    shapes = {name: tensor.shape for name, tensor in file.tensors.items()}
    threshold = file.settings.get("threshold")
    if shapes != {"weight": (image.config.hidden_size,), "bias": (1,)} or not isinstance(
        threshold, float
    ):
        raise TercelError(f"{path} is no judge of this model; train it again")
    return JudgeHead(
        weight=np.array(file.tensors["weight"], np.float32),
        bias=float(file.tensors["bias"][0]),
        threshold=threshold,
    )
