"""Methods of speculation by name."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from tercel.device import Device
from tercel.errors import TercelError
from tercel.image import Image
from tercel.speculation.acceptor import Acceptor
from tercel.speculation.adaptive import Adaptive
from tercel.speculation.controller import Controller, FixedSize
from tercel.speculation.drafter import Drafter
from tercel.speculation.drafter_file import (
    DrafterFile,
    MissingDrafterError,
    drafter_path,
    load_drafter,
)
from tercel.speculation.drafters import deer, ppd, sdsat
from tercel.speculation.drafters.adaptive_trigrams import AdaptiveTrigrams
from tercel.speculation.drafters.blockwise import BlockwiseDrafter
from tercel.speculation.drafters.deer import BlockDiffusion
from tercel.speculation.drafters.draft_model import DraftModel, DraftModelConfig
from tercel.speculation.drafters.hydra import HydraDrafter
from tercel.speculation.drafters.medusa import MedusaDrafter
from tercel.speculation.drafters.ngram import NgramDrafter
from tercel.speculation.drafters.ppd import PromptDecoding
from tercel.speculation.drafters.prompt_lookup import PromptLookup
from tercel.speculation.drafters.safety_expert import SafetyExpert
from tercel.speculation.drafters.sdsat import AdaptiveTokens
from tercel.speculation.drafters.self_speculation import SelfSpeculation
from tercel.speculation.drafters.suffix import SuffixDrafter
from tercel.speculation.drafters.token_recycling import TokenRecycling
from tercel.speculation.drafters.union import Union
from tercel.speculation.speculator import Speculator

__all__ = [
    "AUTO",
    "METHODS",
    "NONE",
    "DraftSources",
    "Method",
    "open_controller",
    "open_drafters",
    "open_speculator",
]

AUTO, NONE = "auto", "none"
AUTOMATIC = (("hydra",), ("union", "suffix"))
"""Methods among which ``auto`` chooses: of each group the first one that can be opened."""


@dataclass(frozen=True, kw_only=True)
class DraftSources:
    """The things that drafters are opened from."""

    image: Image
    """The model; trained parts lie beside its file."""
    device: Device
    """The device that verifies."""
    draft_model: Image | None = None
    """A small model with the same vocabulary."""
    heads: list[HydraDrafter] = field(default_factory=list, compare=False)
    """The recurrent head once it is open: further ones share its arrays."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """A way to draft."""

    summary: str
    """One line for the user."""
    small_model: bool = False
    """True if it drafts with :attr:`DraftSources.draft_model`."""
    open: Callable[[DraftSources], Drafter]
    """Opens the drafter.

    Raises
    ------
    TercelError
        If a trained part is missing or belongs to another model.
    """


def _small_model(sources: DraftSources, method: str) -> Image:
    """The image of --draft-model."""
    if sources.draft_model is None:
        raise TercelError(
            f"the method {method!r} needs a small model with the same vocabulary; "
            "name its image with --draft-model"
        )
    return sources.draft_model


def _trained(sources: DraftSources, kind: str) -> DrafterFile:
    """The file of a kind beside the image."""
    return load_drafter(drafter_path(sources.image.path, kind), kind=kind, image=sources.image)


def _open_hydra(sources: DraftSources) -> HydraDrafter:
    if not sources.heads:
        sources.heads.append(HydraDrafter.open(sources.image, sources.device))
    return sources.heads[0].share()


def _open_union(sources: DraftSources) -> Union:
    """Suffixes, and the first of the other methods that can be opened."""
    # A further part gained nothing, and each takes its time.
    for name in ("hydra", "store"):
        with suppress(MissingDrafterError):
            return Union([SuffixDrafter(), METHODS[name].open(sources)])
    return Union([SuffixDrafter(), TokenRecycling()])


def _open_prompt_decoding(sources: DraftSources) -> Drafter:
    costs = (1.0,) * sources.device.limits.nodes  # the controller knows what a node costs
    return PromptDecoding.from_file(_trained(sources, ppd.KIND), costs)


def _open_block_diffusion(sources: DraftSources) -> Drafter:
    return BlockDiffusion.from_file(_trained(sources, deer.KIND), sources.image)


def _open_adaptive_tokens(sources: DraftSources) -> Drafter:
    return AdaptiveTokens.from_file(_trained(sources, sdsat.KIND))


def _of_model(kind: type, summary: str) -> Method:
    """The method of a drafter that is opened from the model and its trained parts."""
    return Method(summary=summary, open=lambda sources: kind.open(sources.image, sources.device))


METHODS: dict[str, Method] = {
    "ngram": _of_model(PromptLookup, "what followed the last tokens earlier in the text"),
    "suffix": _of_model(SuffixDrafter, "what followed the longest repeated end, by frequency"),
    "recycle": _of_model(TokenRecycling, "the likeliest successors when a token was last seen"),
    "store": _of_model(NgramDrafter, "n-grams of a corpus"),
    "aded": _of_model(AdaptiveTrigrams, "a search over trigrams that adapt to the text"),
    "union": Method(
        summary="suffix, and hydra, or else store, or else recycle, in one tree", open=_open_union
    ),
    "hydra": Method(summary="a trained recurrent head on the hidden state", open=_open_hydra),
    "medusa": _of_model(MedusaDrafter, "trained heads on the hidden state, a tree"),
    "blockwise": _of_model(BlockwiseDrafter, "trained heads of blockwise decoding, a chain"),
    ppd.KIND: Method(
        summary="trained prompt tokens in the pass, which guess the tokens after the next",
        open=_open_prompt_decoding,
    ),
    sdsat.KIND: Method(
        summary="adaptive tokens of a model that was tuned for them", open=_open_adaptive_tokens
    ),
    deer.KIND: Method(
        summary="a small diffusion model that fills a draft in one step, on the host",
        open=_open_block_diffusion,
    ),
    "self": _of_model(SelfSpeculation, "the model itself with layers left out"),
    "draft": Method(
        summary="a small model on the host, given by --draft-model",
        small_model=True,
        open=lambda sources: DraftModel.open(sources.image, _small_model(sources, "draft")),
    ),
    "draft-drawn": Method(
        summary="the same, drawn at random, for the acceptors rejection and block",
        small_model=True,
        open=lambda sources: DraftModel.open(
            sources.image,
            _small_model(sources, "draft-drawn"),
            config=DraftModelConfig(shape="drawn"),
        ),
    ),
    "expert": Method(
        summary="a safe small model, given by --draft-model, for the acceptor safety",
        small_model=True,
        open=lambda sources: SafetyExpert.open(sources.image, _small_model(sources, "expert")),
    ),
}
"""Methods by name; :data:`NONE` and :data:`AUTO` are not among them."""


def open_drafters(
    method: str, sources: DraftSources, note: Callable[[str], None] = lambda line: None
) -> list[Drafter]:
    """Open the drafters of a method: none for plain decoding, for ``auto`` those whose trained
    parts are there.

    Parameters
    ----------
    method
    sources
    note
        Called with the error of each part that is there but refused, so that ``auto`` does
        without it.

    Raises
    ------
    TercelError
        If there is no such method or a part of it is missing.
    """
    if method == NONE:
        return []
    if method == AUTO:
        refused: dict[str, None] = {}
        found = [_first_of(group, sources, refused) for group in AUTOMATIC]
        for error in refused:
            note(error)
        return [drafter for drafter in found if drafter is not None]
    if method not in METHODS:
        known = ", ".join([AUTO, NONE, *METHODS])
        raise TercelError(f"there is no method {method!r} of speculation, only {known}")
    return [METHODS[method].open(sources)]


def _first_of(
    group: Sequence[str], sources: DraftSources, refused: dict[str, None]
) -> Drafter | None:
    """The first method that can be opened; adds the errors of files that are there."""
    for name in group:
        try:
            return METHODS[name].open(sources)
        except MissingDrafterError:
            continue
        except TercelError as error:
            refused[str(error)] = None
    return None


def open_controller(method: str, drafters: Sequence[Drafter], nodes: int) -> Controller:
    """The controller of a method: ``auto`` drafts only where that has been faster than plain
    decoding, a method that is named always.

    Parameters
    ----------
    method
    drafters
        The drafters of the method.
    nodes
        Most nodes of a draft.
    """
    if not drafters or nodes == 0:
        return FixedSize(0)
    if method == AUTO:
        return Adaptive(drafters=len(drafters), nodes=nodes)
    return FixedSize(nodes)


def open_speculator(
    method: str,
    sources: DraftSources,
    *,
    acceptor: Acceptor | None = None,
    draft_nodes: int | None = None,
    note: Callable[[str], None] = lambda line: None,
) -> Speculator:
    """Open a method by name.

    Parameters
    ----------
    method
    sources
    acceptor
        By default agreement with the draws of plain decoding.
    draft_nodes
        Most nodes of a draft; ``None`` is what fits into a pass.
    note
        As in :func:`open_drafters`.

    Raises
    ------
    TercelError
        If there is no such method, a part of it is missing, the acceptor needs more than the
        device or the method gives, or ``draft_nodes`` is negative.
    """
    limit = sources.device.limits.top_k
    if acceptor is not None and acceptor.needs.top_k > limit:
        raise TercelError(
            f"the acceptor needs the {acceptor.needs.top_k} highest logits, but the device gives "
            f"{limit}; choose a smaller number"
        )
    nodes = sources.device.limits.nodes - 1 if draft_nodes is None else draft_nodes
    if nodes < 0:
        raise TercelError(f"a draft has 0 or more nodes, not {nodes}")
    drafters = open_drafters(method, sources, note)
    return Speculator(drafters, acceptor, open_controller(method, drafters, nodes))
