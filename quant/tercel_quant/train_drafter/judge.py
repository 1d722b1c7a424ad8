"""Training of a judge: which drafted tokens do no harm although the model prefers others.

Labels are found automatically, as in AutoJudge (arXiv 2504.20039): a token that is not the model's
first choice is put in its place, the model continues after both, and the token is harmless if the
two continuations meet again.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from tercel.errors import TercelError
from tercel.speculation.acceptors.judge import JudgeHead
from tercel_quant.train_drafter.frozen_model import FrozenModel, Past

__all__ = [
    "JudgeConfig",
    "JudgeExamples",
    "TrainedJudge",
    "choose_windows",
    "judge_examples",
    "train_judge",
]

WINDOWS = 4
"""Windows that are processed together."""


@dataclass(frozen=True, kw_only=True)
class JudgeConfig:
    """Parameters of labels and training.

    Raises
    ------
    TercelError
        If a field breaks its rule.
    """

    places: int = 32
    """Tokens of a window that are replaced, each on its own."""
    horizon: int = 24
    """Tokens of a continuation."""
    meeting: int = 6
    """Equal tokens in a row in which two continuations meet."""
    penalty: float = 0.1
    """Weight of the squared weights in the loss."""
    harm: float = 0.1
    """Fraction of the harmful tokens that the threshold lets pass on the held-out windows."""
    seed: int = 1

    def __post_init__(self):
        for name in ("places", "meeting"):
            if (value := getattr(self, name)) < 1:
                raise TercelError(f"{name} must be 1 or more, not {value}")
        if self.horizon <= self.meeting:
            raise TercelError(
                f"horizon must be more than the {self.meeting} tokens of a meeting, "
                f"not {self.horizon}"
            )
        if not self.penalty >= 0:
            raise TercelError(f"penalty must be 0 or more, not {self.penalty}")
        if not 0 < self.harm < 1:
            raise TercelError(f"harm must be between 0 and 1, not {self.harm}")


@dataclass(frozen=True, kw_only=True, eq=False)
class JudgeExamples:
    """Replaced tokens with their labels."""

    hidden: Tensor
    """``[windows, places, hidden_size]`` residual stream at the token's own node."""
    harmless: Tensor
    """bool ``[windows, places]``."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainedJudge:
    """A head and its figures on the held-out windows."""

    head: JudgeHead
    examples: int
    harmless: float
    """Fraction of all examples that are harmless."""
    area: float
    """Area under the curve: chance that a harmless token scores above a harmful one."""
    passed: float
    """Fraction of the harmless tokens that pass the threshold."""


def choose_windows(
    tokens: npt.NDArray[np.integer], *, windows: int, length: int, seed: int
) -> Tensor:
    """Choose pieces ``[windows, length]`` of a text at random, none twice.

    Raises
    ------
    TercelError
        If the text has fewer pieces.
    """
    pieces = len(tokens) // length
    if not 0 < windows <= pieces:
        raise TercelError(f"the text has {pieces} pieces of {length} tokens, not {windows}")
    chosen = np.sort(np.random.default_rng(seed).permutation(pieces)[:windows])
    whole = tokens[: pieces * length].reshape(pieces, length)
    return torch.from_numpy(whole[chosen].astype(np.int64))


def _continue(
    model: FrozenModel, past: Past, places: Tensor, first: Tensor, length: int
) -> tuple[Tensor, Tensor]:
    """Continue greedily after tokens that follow chosen positions, each on its own.

    Parameters
    ----------
    places : Tensor, int64, shape (places,)
    first : Tensor, int64, shape (windows, places)

    Returns
    -------
    Tensor, int64, shape (windows, places, length)
        The tokens, the first included.
    Tensor, float32, shape (windows, places, hidden_size)
        Residual stream of the first.
    """
    text = torch.arange(past.time) <= places[:, None]
    own = torch.eye(len(places), dtype=torch.bool)
    tokens, streams = [first], []
    for step in range(length - 1):
        visible = torch.cat((text, own.repeat(1, step + 1)), dim=1)
        nodes = model.run(model.embed(tokens[-1]), places + 1 + step, past, visible)
        streams.append(nodes.stream)
        tokens.append(model.logits(nodes.stream).argmax(-1))
        past = Past(
            keys=[torch.cat(pair, dim=2) for pair in zip(past.keys, nodes.keys, strict=True)],
            values=[torch.cat(pair, dim=2) for pair in zip(past.values, nodes.values, strict=True)],
            stream=torch.cat((past.stream, nodes.stream), dim=1),
        )
    return torch.stack(tokens, dim=-1), streams[0]


def _meet(one: Tensor, other: Tensor, length: int) -> Tensor:
    """Flag, by row, that two rows of tokens have ``length`` equal ones in a row in common."""
    runs = one.unfold(-1, length, 1), other.unfold(-1, length, 1)
    return (runs[0].unsqueeze(-2) == runs[1].unsqueeze(-3)).all(-1).flatten(-2).any(-1)


@torch.no_grad()
def judge_examples(model: FrozenModel, text: Tensor, config: JudgeConfig) -> JudgeExamples:
    """Replace tokens by draws from the model's distribution without its first choice.

    Parameters
    ----------
    model : FrozenModel
    text : Tensor, int64, shape (windows, time)
    config : JudgeConfig

    Raises
    ------
    TercelError
        If windows are too short, or the context has no room for the continuations.
    """
    time = text.shape[1]
    if time < config.places or time + config.horizon > model.config.context:
        raise TercelError(
            f"windows need {config.places} to {model.config.context - config.horizon} tokens, "
            f"not {time}"
        )
    generator = torch.Generator().manual_seed(config.seed)
    hidden, harmless = [], []
    for windows in text.split(WINDOWS):
        places = torch.randperm(time, generator=generator)[: config.places].sort().values
        past = model.read(windows)
        chances = model.logits(past.stream[:, places]).softmax(-1)
        best = chances.argmax(-1)
        chances.scatter_(-1, best[..., None], 0)
        drawn = torch.multinomial(chances.flatten(0, 1), 1, generator=generator).view_as(best)
        kept, _ = _continue(model, past, places, best, config.horizon)
        replaced, stream = _continue(model, past, places, drawn, config.horizon)
        hidden.append(stream)
        harmless.append(_meet(kept[..., 1:], replaced[..., 1:], config.meeting))
    return JudgeExamples(hidden=torch.cat(hidden), harmless=torch.cat(harmless))


def train_judge(examples: JudgeExamples, config: JudgeConfig) -> TrainedJudge:
    """Fit a head on four fifths of the windows; measure it and choose its threshold on the rest.

    Both labels have the same weight in the loss.

    Raises
    ------
    TercelError
        If either part lacks a label.
    """
    hidden = examples.hidden / examples.hidden.square().mean(-1, keepdim=True).sqrt()
    held = max(1, len(hidden) // 5)
    train, test = hidden[:-held].flatten(0, 1), hidden[-held:].flatten(0, 1)
    labels, truth = examples.harmless[:-held].flatten(), examples.harmless[-held:].flatten()
    for part in (labels, truth):
        if len(part) == 0 or part.all() or not part.any():
            raise TercelError("there are too few examples to have both labels; give more text")
    weights = torch.where(labels, 0.5 / labels.sum(), 0.5 / (~labels).sum())
    weight = torch.zeros(train.shape[1], requires_grad=True)
    bias = torch.zeros(1, requires_grad=True)
    solver = torch.optim.LBFGS([weight, bias], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        solver.zero_grad()
        value = functional.binary_cross_entropy_with_logits(
            train @ weight + bias, labels.float(), weights, reduction="sum"
        )
        value = value + config.penalty * weight.square().sum()
        value.backward()
        return value

    solver.step(loss)
    with torch.no_grad():
        scores = (test @ weight + bias).sigmoid()
    good, bad = scores[truth], scores[~truth]
    threshold = float(bad.quantile(1 - config.harm))
    head = JudgeHead(
        weight=np.ascontiguousarray(weight.detach().numpy()),
        bias=bias.item(),
        threshold=threshold,
    )
    return TrainedJudge(
        head=head,
        examples=examples.harmless.numel(),
        harmless=float(examples.harmless.float().mean()),
        area=float((good[:, None] > bad).float().mean()),
        passed=float((good > threshold).float().mean()),
    )
