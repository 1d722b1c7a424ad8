"""Requests of the passes that are predicted and measured: chains of nodes."""

from tercel.config import ModelConfig
from tercel.program import Ask, Request

__all__ = ["chain_request"]


def chain_request(
    model: ModelConfig,
    *,
    nodes: int,
    base: int,
    head_rows: int | None,
    top_k: int,
    layer_mask: tuple[tuple[bool, bool], ...] | None = None,
    two_stage: bool = False,
) -> Request:
    """Return the request of a chain; with a head it asks for argmax.

    Parameters
    ----------
    nodes
        Tokens of the pass.
    base
        Positions in the cache.
    head_rows
        Rows of the head without padding; ``None``: no head.
    top_k
        Requested k of top-k, with the sums of exponentials; ignored without a head.
    layer_mask
        Per layer, whether its attention and its MLP are run; ``None`` runs all.
    two_stage
        True for a two-stage head.
    """
    headed = head_rows is not None
    return Request(
        config=model,
        tokens=(0,) * nodes,
        parents=tuple(range(-1, nodes - 1)),
        base=base,
        ask=Ask(
            argmax=headed,
            top_k=top_k if headed else 0,
            head_rows=head_rows,
            layer_mask=layer_mask,
            two_stage=two_stage,
        ),
    )
