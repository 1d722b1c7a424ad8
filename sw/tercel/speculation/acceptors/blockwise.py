"""The relaxed rules of blockwise parallel decoding."""

from dataclasses import dataclass

from tercel.device import option
from tercel.errors import TercelError
from tercel.speculation.acceptor import StepwiseAcceptor, Verdict
from tercel.speculation.needs import PassNeeds

__all__ = ["Blockwise", "BlockwiseConfig"]


@dataclass(frozen=True, kw_only=True)
class BlockwiseConfig:
    """How far a drafted token may be from the one that plain decoding draws.

    Raises
    ------
    TercelError
        If a field breaks its rule.
    """

    top_n: int = option(2, "accept the tokens of the n highest logits; 1 the drawn one alone")
    distance: int = option(0, "accept ids that differ by at most this, for ordered vocabularies")
    minimum_block: int = option(1, "emit at least so many tokens a round, where they are drafted")

    def __post_init__(self):
        for name, least in (("top_n", 1), ("distance", 0), ("minimum_block", 1)):
            if (value := getattr(self, name)) < least:
                raise TercelError(f"{name} must be {least} or more, not {value}")

    @property
    def exact(self) -> bool:
        """True if nothing but the drawn token is accepted."""
        return self == BlockwiseConfig(top_n=1)


class Blockwise(StepwiseAcceptor):
    """Accepts a token that is drawn, likely, near or early (Stern et al., NeurIPS 2018).

    With ``top_n`` 1, no distance and blocks of at least 1 it is agreement. A disagreement is
    recovered by the drawn token.
    """

    def __init__(self, config: BlockwiseConfig = BlockwiseConfig()):
        self._config = config
        self.lossless = self.keeps_text = config.exact
        self.needs = PassNeeds(top_k=config.top_n if config.top_n > 1 else 0)

    def step(self, verdict: Verdict, node: int) -> tuple[int | None, int]:
        token = verdict.draw(node)
        child = verdict.tree.child(node, token)
        if child is None:
            child = self._relaxed(verdict, node, token)
        return child, token if child is None else verdict.tree.tokens[child]

    def _relaxed(self, verdict: Verdict, node: int, drawn: int) -> int | None:
        """The likeliest child of the top-n, else the nearest one, else the first if it is early."""
        config, tree = self._config, verdict.tree
        if config.top_n > 1:
            for token in verdict.top_tokens(node, config.top_n):
                if (child := tree.child(node, token)) is not None:
                    return child
        children = tree.children(node)
        if not children:
            return None
        nearest = min(children, key=lambda child: abs(tree.tokens[child] - drawn))
        if abs(tree.tokens[nearest] - drawn) <= config.distance:
            return nearest
        emitted = verdict.position_of(node) - verdict.position
        return children[0] if emitted + 1 < config.minimum_block else None
