"""Search of the layers that self-speculation skips (Draft & Verify, arXiv 2309.08168)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import optuna

from tercel.device import Device, KVCache
from tercel.errors import TercelError
from tercel.sampling import Sampler, SamplingConfig
from tercel.speculation.drafters.model_candidates import ModelCandidates
from tercel.speculation.drafters.self_speculation import LayerMask
from tercel_quant.train_drafter.pass_costs import PassCosts

__all__ = [
    "LayerSearchConfig",
    "MaskFigures",
    "OwnText",
    "accepted_by_depth",
    "first_prompts",
    "mask_figures",
    "search_layers",
    "write_texts",
]


@dataclass(frozen=True, kw_only=True)
class LayerSearchConfig:
    """Parameters of a search.

    Raises
    ------
    TercelError
        If a field breaks its rule.
    """

    head_rows: int
    """Rows of the head that a draft runs."""
    top_k: int = 16
    """Candidates of a drafted token; the device's time grows with them."""
    temperature: float = 0.0
    """Temperature of the texts; the drafts share their noise."""
    trials: int = 100
    """Sets of layers to try."""
    texts: int = 8
    prompt: int = 64
    """Tokens of a prompt."""
    length: int = 64
    """Tokens that the model writes behind each prompt."""
    stride: int = 6
    """Tokens from one judged draft to the next."""
    seed: int = 1

    def __post_init__(self):
        for name in ("head_rows", "top_k", "trials", "texts", "prompt", "length", "stride"):
            if (value := getattr(self, name)) < 1:
                raise TercelError(f"{name} of a search of layers must be 1 or more, not {value}")


@dataclass(frozen=True, kw_only=True, eq=False)
class OwnText:
    """A text that the model wrote plainly."""

    tokens: tuple[int, ...]
    starts: tuple[int, ...]
    """Positions of the roots of judged drafts, each with K tokens behind it."""
    cache: KVCache
    sampling: SamplingConfig


@dataclass(frozen=True, kw_only=True, eq=False)
class MaskFigures:
    """A set of layers, judged."""

    mask: LayerMask
    accepted: tuple[float, ...]
    """Share of the drafts that are accepted up to depth 1, 2, ..."""
    drafted: int
    """Tokens of a draft with the highest gain; at least one."""
    gain: float
    """Plain decoding's time of a token divided by this one's."""

    @property
    def description(self) -> str:
        """The layers that are skipped, in words."""
        skipped = []
        for name, column in zip(("attention", "MLP"), zip(*self.mask, strict=True), strict=True):
            layers = [str(layer) for layer, played in enumerate(column) if not played]
            if layers:
                skipped.append(f"{name} {','.join(layers)}")
        return f"without {' and '.join(skipped)}" if skipped else "all layers"


def write_texts(
    device: Device, prompts: Sequence[Sequence[int]], config: LayerSearchConfig
) -> list[OwnText]:
    """Let the model continue prompts plainly.

    Raises
    ------
    TercelError
        If prompt and text do not fit the context, or the text is too short for a draft.
    """
    depth = device.limits.nodes
    last = config.prompt + config.length - depth
    starts = tuple(range(config.prompt, last, config.stride))
    if not starts:
        raise TercelError(
            f"a text must be longer than the {depth} nodes of a pass, but length is {config.length}"
        )
    texts = []
    for index, prompt in enumerate(prompts):
        sampling = SamplingConfig(temperature=config.temperature, seed=config.seed + index)
        limits, rows = device.limits, device.config.vocab_size
        sampler = Sampler(sampling, limits=limits, vocab_size=rows)
        device.reset()
        device.prefill(prompt[:-1])
        tokens = list(prompt)
        for _ in range(config.length):
            result = device.run_pass(tokens[-1:], ask=sampler.ask([0]))
            device.commit([0])
            tokens.append(sampler.choose(result, node=0, position=len(tokens) - 1))
        cache = device.save()
        texts.append(OwnText(tokens=tuple(tokens), starts=starts, cache=cache, sampling=sampling))
    device.reset()
    return texts


def accepted_by_depth(
    device: Device, texts: Sequence[OwnText], mask: LayerMask, config: LayerSearchConfig
) -> tuple[float, ...]:
    """Share of drafts under a mask that are accepted up to each depth.

    One masked pass judges a draft of K tokens: its nodes are the root and the text behind it, which
    are the draft's own tokens as long as it is right.
    """
    nodes = device.limits.nodes
    counts, drafts = np.zeros(nodes), 0
    for text in texts:
        candidates = ModelCandidates(
            text.sampling, top_k=config.top_k, limits=device.limits, rows=config.head_rows
        )
        for start in text.starts:
            device.restore(text.cache, start)
            tokens = text.tokens[start : start + nodes + 1]
            result = device.run_pass(tokens[:nodes], ask=candidates.ask(0, mask))
            for node in range(nodes):
                ranked = candidates.rank(result, node=node, position=start + node, most=1)
                if ranked[0][0] != tokens[node + 1]:
                    break
                counts[node] += 1
            drafts += 1
    device.reset()
    return tuple((counts / drafts).tolist())


def mask_figures(mask: LayerMask, accepted: Sequence[float], costs: PassCosts) -> MaskFigures:
    """The best length of drafts under a mask, and its gain.

    A round with a draft of d tokens takes masked passes of 1 to d nodes and a whole one of d + 1,
    and emits one token and those that are accepted.
    """
    most = len(costs.whole) - 1
    emitted = 1 + np.cumsum(accepted[:most])
    seconds = np.cumsum(costs.draft(mask)[:most]) + costs.whole[1:]
    gains = emitted * costs.whole[0] / seconds
    best = int(np.argmax(gains))
    return MaskFigures(
        mask=mask, accepted=tuple(accepted), drafted=best + 1, gain=float(gains[best])
    )


def search_layers(
    judge: Callable[[LayerMask], MaskFigures],
    *,
    layers: int,
    config: LayerSearchConfig,
    progress: Callable[[MaskFigures], None] = lambda figures: None,
) -> list[MaskFigures]:
    """Search the set of layers with the highest gain by a tree of Parzen estimators.

    The first trials are all layers, every early exit, and all layers but one attention or MLP.

    Parameters
    ----------
    judge
        The figures of a set of layers; called once for each set.
    progress
        Called with each new set.

    Returns
    -------
    All sets that were judged, the best first.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=config.seed)
    )
    names = [f"{part}{layer}" for layer in range(layers) for part in ("attention", "mlp")]
    for start in _starts(layers):
        flat = [played for pair in start for played in pair]
        study.enqueue_trial(dict(zip(names, flat, strict=True)))
    known: dict[LayerMask, MaskFigures] = {}

    def objective(trial: optuna.Trial) -> float:
        flat = [trial.suggest_categorical(name, [False, True]) for name in names]
        mask: LayerMask = tuple(zip(flat[0::2], flat[1::2], strict=True))
        if mask not in known:
            known[mask] = judge(mask)
            progress(known[mask])
        return known[mask].gain

    study.optimize(objective, n_trials=config.trials)
    return sorted(known.values(), key=lambda figures: -figures.gain)


def _starts(layers: int) -> Iterator[LayerMask]:
    """Sets that are worth a trial in every model."""
    whole = ((True, True),) * layers
    yield whole
    for exit in range(layers - 1, 0, -1):
        yield tuple((layer < exit, layer < exit) for layer in range(layers))
    for layer in range(layers):
        for pair in ((False, True), (True, False)):
            yield (*whole[:layer], pair, *whole[layer + 1 :])


def first_prompts(
    tokens: npt.NDArray[np.unsignedinteger], config: LayerSearchConfig
) -> list[list[int]]:
    """Prompts from even places of a text.

    Raises
    ------
    TercelError
        If the text is shorter than the prompts together.
    """
    if len(tokens) < config.texts * config.prompt:
        raise TercelError(
            f"{config.texts} prompts of {config.prompt} tokens need a longer text than "
            f"{len(tokens)} tokens; give more text or ask for fewer"
        )
    places = np.linspace(0, len(tokens) - config.prompt, config.texts).astype(int)
    return [tokens[place : place + config.prompt].tolist() for place in places]
