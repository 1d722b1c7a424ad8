"""Drafts by the model itself with some of its layers skipped (Draft & Verify)."""

from dataclasses import dataclass, field

import numpy as np

from tercel.config import ModelConfig
from tercel.device import Device
from tercel.errors import TercelError
from tercel.image import Image
from tercel.sampling import Distribution
from tercel.speculation.draft_tree import ROOT, DraftTree
from tercel.speculation.drafter import DraftBudget, Drafter, DraftState
from tercel.speculation.drafter_file import drafter_path, load_drafter
from tercel.speculation.drafters.draft_threshold import DraftThreshold, ThresholdConfig
from tercel.speculation.drafters.drawn_tokens import draw_tokens
from tercel.speculation.drafters.growing_pass import GrowingPass
from tercel.speculation.drafters.int8_matrix import read_array
from tercel.speculation.drafters.model_candidates import ModelCandidates
from tercel.speculation.drafters.shared_noise import round_seed
from tercel.speculation.round import Round

__all__ = ["KIND", "LayerMask", "SelfSpeculation", "SelfSpeculationConfig", "early_exit"]

KIND = "self"
"""Kind of the file of a searched set of layers."""
LayerMask = tuple[tuple[bool, bool], ...]
"""Per layer, whether its attention and its MLP run in a draft."""


def early_exit(model: ModelConfig, layers: int) -> LayerMask:
    """The mask that runs the first layers alone (LayerSkip, arXiv 2404.16710).

    Raises
    ------
    TercelError
        If the model has fewer layers.
    """
    if not 0 <= layers <= model.layers:
        raise TercelError(
            f"an early exit is after 0..{model.layers} layers of {model.name}, not {layers}"
        )
    return tuple((layer < layers, layer < layers) for layer in range(model.layers))


@dataclass(frozen=True, kw_only=True)
class SelfSpeculationConfig:
    """Parameters of drafts."""

    layer_mask: LayerMask
    head_rows: int | None = None
    """Rows of the head that a draft runs, so tokens from there on are never drafted; ``None`` is
    the whole vocabulary."""
    top_k: int = 64
    """Most candidates of a token, sorted by the device; 0 takes every token that the filters
    leave."""
    drawn: bool = False
    """Draw the tokens at random, with proposals for acceptors by rejection, instead of by the noise
    of the draws to guess."""
    threshold: ThresholdConfig = field(default_factory=ThresholdConfig)


class SelfSpeculation(Drafter):
    """Drafts chains by passes of the verifying device under a layer mask.

    A masked pass writes its keys and values to the slots behind the committed positions. So drafts
    run after the commit of the round before, every draft pass has all tokens of the chain so far
    instead of a commit, and the verifying pass writes all slots anew.

    Parameters
    ----------
    device
        The device that verifies.
    config

    Raises
    ------
    TercelError
        If the mask or the rows are not the model's.
    """

    def __init__(self, device: Device, config: SelfSpeculationConfig):
        model = device.config
        if len(config.layer_mask) != model.layers:
            raise TercelError(
                f"a layer mask of {model.name} has {model.layers} pairs, "
                f"not {len(config.layer_mask)}"
            )
        self._rows = model.vocab_size if config.head_rows is None else config.head_rows
        if not 1 <= self._rows <= model.vocab_size:
            raise TercelError(
                f"head_rows of {model.name} must be in 1..{model.vocab_size}, not {self._rows}"
            )
        self._device = device
        self._config = config
        self._threshold: DraftThreshold | None = None
        self._drafted: tuple[int, ...] = ()
        """Tokens of a draft that was not observed yet."""
        self._most = 0
        """Most tokens that it could have."""
        self._interrupted = False

    @classmethod
    def open(cls, image: Image, device: Device) -> "SelfSpeculation":
        """Open the set of layers that was searched for a model, from its file beside the image.

        Raises
        ------
        TercelError
            If there is none, or it belongs to another model.
        """
        found = load_drafter(drafter_path(image.path, KIND), kind=KIND, image=image)
        mask = tuple((bool(a), bool(m)) for a, m in read_array(found.tensors, "layer_mask"))
        rows, top_k = (int(read_array(found.tensors, name)[0]) for name in ("head_rows", "top_k"))
        return cls(device, SelfSpeculationConfig(layer_mask=mask, head_rows=rows, top_k=top_k))

    @property
    def config(self) -> SelfSpeculationConfig:
        return self._config

    @property
    def threshold(self) -> float | None:
        """The probability below which a draft ends; ``None`` before the first draft of a text."""
        return None if self._threshold is None else self._threshold.value

    def reset(self) -> None:
        self._threshold = None
        self._drafted = ()

    def interrupt(self) -> None:
        self._interrupted = True

    def propose(self, state: DraftState, budget: DraftBudget) -> DraftTree:
        self._interrupted = False
        config, device = self._config, self._device
        if self._threshold is None:
            self._threshold = DraftThreshold(config.threshold, greedy=state.sampling.greedy)
        candidates = ModelCandidates(
            state.sampling, top_k=config.top_k, limits=device.limits, rows=self._rows
        )
        grown = GrowingPass(
            device,
            lambda node: candidates.ask(node, config.layer_mask),
            lambda: self._interrupted,
        )
        self._most = min(budget.nodes, budget.depth)
        waiting = state.position - device.length + 1
        chain, last = list(state.tokens[-waiting:]), -1
        drafted: list[tuple[int, float]] = []
        proposals: dict[int, Distribution] = {}
        while len(drafted) < self._most:
            last, result = grown.grow(chain, last)
            position = state.position + len(drafted)
            if config.drawn:
                q = candidates.distribution(result, node=last)
                proposals[len(drafted) + ROOT] = q
                seed = round_seed(state.sampling, state.position)
                drafted += [(token, 1.0) for token in draw_tokens(q, seed=seed, position=position)]
            else:
                drafted += candidates.rank(result, node=last, position=position, most=1)
            chain = [drafted[-1][0]]
            if candidates.probability(result, node=last, token=chain[0]) < self._threshold.value:
                break
        tokens, chances = zip(*drafted, strict=True)
        self._drafted = tokens
        return DraftTree(
            tokens=tokens,
            parents=tuple(range(ROOT, len(tokens) - 1)),
            estimates=() if config.drawn else tuple(np.cumprod(chances).tolist()),
            proposals=proposals,
        )

    def observe(self, round: Round) -> None:
        """Adapt the threshold to what was accepted of the part of the draft that was verified."""
        tree, node, drafted, accepted = round.verdict.tree, ROOT, 0, 0
        for token in self._drafted:
            child = tree.child(node, token)
            if child is None:
                break
            node = child
            drafted += 1
            accepted += node in round.outcome.path
        if drafted and self._threshold is not None:
            longest = len(self._drafted) == self._most
            self._threshold.observe(accepted=accepted, drafted=drafted, longest=longest)
        self._drafted = ()
