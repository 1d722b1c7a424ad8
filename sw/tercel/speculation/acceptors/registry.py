"""Acceptors by name, with their options."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tercel.device.options import parse_options
from tercel.errors import TercelError
from tercel.image import Image
from tercel.speculation.acceptor import Acceptor
from tercel.speculation.acceptors.agreement import Agreement
from tercel.speculation.acceptors.block_verification import BlockVerification
from tercel.speculation.acceptors.blockwise import Blockwise, BlockwiseConfig
from tercel.speculation.acceptors.judge import Judge, JudgeConfig, load_judge
from tercel.speculation.acceptors.rejection import Rejection
from tercel.speculation.acceptors.safety import SafetyComposite, SafetyConfig
from tercel.speculation.acceptors.threshold import Threshold, ThresholdConfig
from tercel.speculation.acceptors.truncation import TruncateAt
from tercel.speculation.acceptors.typical import Typical, TypicalConfig
from tercel.speculation.acceptors.verilog import VerilogBoundary

__all__ = ["ACCEPTORS", "AcceptorKind", "AcceptorResources", "make_acceptor"]


@dataclass(frozen=True, kw_only=True)
class AcceptorResources:
    """Parts of the model that some rules read."""

    image: Image
    token_bytes: Callable[[int], bytes]
    """The bytes of a token's text."""


@dataclass(frozen=True, kw_only=True)
class NoOptions:
    """Options of a rule that has none."""


@dataclass(frozen=True, kw_only=True)
class AcceptorKind:
    """A rule that the command line knows."""

    description: str
    """One line for the user."""
    lossless: bool
    """True if the rule is lossless with its default options."""
    make: Callable[[Any, AcceptorResources], Acceptor]
    config: type = NoOptions
    """Dataclass of its options, each made by :func:`tercel.device.option`."""


ACCEPTORS = {
    "agreement": AcceptorKind(
        description="follow the draws of plain decoding: the same text",
        lossless=True,
        make=lambda config, resources: Agreement(),
    ),
    "rejection": AcceptorKind(
        description="rejection sampling of chains and trees: the same law, another text",
        lossless=True,
        make=lambda config, resources: Rejection(),
    ),
    "block": AcceptorKind(
        description="verify a drafted chain as a block: the same law, another text",
        lossless=True,
        make=lambda config, resources: BlockVerification(),
    ),
    "blockwise": AcceptorKind(
        description="accept the n likeliest tokens, near ids, or blocks of a least size",
        lossless=False,
        make=lambda config, resources: Blockwise(config),
        config=BlockwiseConfig,
    ),
    "typical": AcceptorKind(
        description="accept tokens that are likely enough for how open the text is (Medusa)",
        lossless=False,
        make=lambda config, resources: Typical(config),
        config=TypicalConfig,
    ),
    "threshold": AcceptorKind(
        description="accept tokens above a least probability (XSpecMesh)",
        lossless=False,
        make=lambda config, resources: Threshold(config),
        config=ThresholdConfig,
    ),
    "judge": AcceptorKind(
        description="agreement, and what a trained head finds harmless (judge decoding)",
        lossless=False,
        make=lambda config, resources: Judge(load_judge(resources.image), config),
        config=JudgeConfig,
    ),
    "safety": AcceptorKind(
        description="choose between the model and a safe expert that drafts (SSD)",
        lossless=False,
        make=lambda config, resources: SafetyComposite(config),
        config=SafetyConfig,
    ),
    "verilog": AcceptorKind(
        description="agreement, cut back to the last complete syntax token of Verilog",
        lossless=True,
        make=lambda config, resources: TruncateAt(
            VerilogBoundary(resources.token_bytes), Agreement()
        ),
    ),
}
"""The rules by name; ``agreement`` is the default."""


def make_acceptor(text: str, resources: AcceptorResources) -> Acceptor:
    """Make an acceptor from ``NAME[:option=value,...]``.

    Raises
    ------
    TercelError
        If there is no such rule or option, or a value breaks its rule.
    """
    name, _, listed = text.partition(":")
    if name not in ACCEPTORS:
        raise TercelError(
            f"there is no acceptor {name!r}; the known ones are: {', '.join(ACCEPTORS)}"
        )
    settings = {}
    for setting in listed.split(",") if listed else []:
        key, equals, value = setting.partition("=")
        if not key or not equals:
            raise TercelError(f"an option is given as name=value, not {setting!r}")
        if key in settings:
            raise TercelError(f"the option {key} is given twice; leave one of them out")
        settings[key] = value
    kind = ACCEPTORS[name]
    config = parse_options(
        kind.config, settings, owner=f"the acceptor {name!r}", remedy="correct its name"
    )
    return kind.make(config, resources)
