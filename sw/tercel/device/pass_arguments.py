"""The rules of a pass's nodes and of what is asked of it."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tercel.config import ModelConfig
from tercel.device.pass_result import Limits
from tercel.errors import TercelError
from tercel.numerics.float32 import Float32
from tercel.program import Ask

__all__ = [
    "Rows",
    "check_ask",
    "check_token_ids",
    "check_two_stage",
    "checked_nodes",
    "checked_parents",
]

Rows = npt.NDArray[np.float32] | Mapping[int, npt.NDArray[np.float32]]


def check_token_ids(tokens: Iterable[int | None], config: ModelConfig) -> list[int]:
    """Check that every token is an id of a model's vocabulary; return them.

    Raises
    ------
    TercelError
        If one is not.
    """
    ids = []
    for token in tokens:
        if not isinstance(token, (int, np.integer)):
            raise TercelError(f"token ids must be integers, but one is {token!r}")
        if not 0 <= token < config.vocab_size:
            raise TercelError(
                f"token ids must be in 0..{config.vocab_size - 1}, but one is {token}; "
                "is this the model's own tokenizer?"
            )
        ids.append(int(token))
    return ids


def checked_nodes(
    tokens: Sequence[int | None] | None, embedding_rows: Rows | None, config: ModelConfig
) -> tuple[tuple[int | None, ...], Float32]:
    """Check the nodes of a pass.

    Returns
    -------
    tokens, rows
        The token of each node, ``None`` if a row is given for it; and the given rows, float32
        ``[rows, hidden_size]`` in the order of nodes.

    Raises
    ------
    TercelError
        If tokens or rows break a rule.
    """
    if isinstance(embedding_rows, Mapping):
        if tokens is None:
            raise TercelError(
                "embedding_rows by node come beside tokens; give the other nodes' tokens, or an "
                "array of all nodes' rows"
            )
        return _mixed_nodes(tokens, embedding_rows, config)
    if tokens is not None and embedding_rows is None:
        ids = check_token_ids(tokens, config)
        return tuple(ids), np.empty((0, config.hidden_size), np.float32)
    if tokens is not None or embedding_rows is None:
        raise TercelError(
            "a pass takes either tokens or embedding_rows of all nodes, exactly one of them; "
            "for some nodes each, give rows as a mapping from node to row"
        )
    shape, width = np.shape(embedding_rows), config.hidden_size
    if len(shape) != 2 or shape[1] != width:
        raise TercelError(f"embedding_rows must have the shape (N, {width}), not {shape}")
    return (None,) * shape[0], _finite(embedding_rows, range(shape[0]))


def _mixed_nodes(
    tokens: Sequence[int | None],
    rows: Mapping[int, npt.NDArray[np.float32]],
    config: ModelConfig,
) -> tuple[tuple[int | None, ...], Float32]:
    nodes = sorted(rows)
    for node in nodes:
        if not 0 <= node < len(tokens):
            raise TercelError(f"embedding_rows may name the nodes 0..{len(tokens) - 1}, not {node}")
        if tokens[node] is not None:
            raise TercelError(
                f"node {node} has the token {tokens[node]!r} and a row in embedding_rows; its "
                "token must be None"
            )
        if (shape := np.shape(rows[node])) != (config.hidden_size,):
            raise TercelError(
                f"embedding_rows[{node}] must have the shape ({config.hidden_size},), not {shape}"
            )
    check_token_ids([token for node, token in enumerate(tokens) if node not in rows], config)
    given = [rows[node] for node in nodes]
    stacked = np.stack(given) if given else np.empty((0, config.hidden_size), np.float32)
    return tuple(None if token is None else int(token) for token in tokens), _finite(stacked, nodes)


def _finite(rows: npt.ArrayLike, nodes: Sequence[int]) -> Float32:
    with np.errstate(over="ignore"):
        rows = np.asarray(rows, np.float32)
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        raise TercelError(
            "embedding_rows must be finite as float32, but row "
            f"{nodes[int(np.argmin(finite))]} has NaN or infinity; check how they were computed"
        )
    return rows


def checked_parents(parents: Sequence[int] | None, nodes: int) -> tuple[int, ...]:
    """Check the parents of a pass; return them, a chain for ``None``.

    Raises
    ------
    TercelError
        If they are no tree with parents before their children.
    """
    if parents is None:
        return tuple(range(-1, nodes - 1))
    parents = tuple(parents)
    if len(parents) != nodes:
        raise TercelError(f"{nodes} nodes need as many parents, not {len(parents)}")
    for node, parent in enumerate(parents):
        lowest = -1 if node == 0 else 0
        if not lowest <= parent < max(node, lowest + 1):
            raise TercelError(
                "parents[0] must be -1 and every other an earlier node, "
                f"but parents[{node}] is {parent}"
            )
    return parents


def check_ask(ask: Ask, nodes: int, *, config: ModelConfig, limits: Limits) -> None:
    """Check what is asked of a pass.

    Raises
    ------
    TercelError
        If a field breaks its rule; the message quotes the field and its value.
    """
    rows = config.vocab_size if ask.head_rows is None else ask.head_rows
    if not 1 <= rows <= config.vocab_size:
        raise TercelError(f"head_rows must be in 1..{config.vocab_size}, not {rows}")
    if ask.two_stage:
        check_two_stage(config, limits)
        if ask.logits:
            raise TercelError(
                "logits must be empty with two_stage: a two-stage head computes logits of the "
                "listed rows alone; ask for the top_k, or run the whole head"
            )
    most = min(limits.most_top_k(two_stage=ask.two_stage), rows)
    if not 0 <= ask.top_k <= most:
        raise TercelError(f"top_k must be in 0..{most}, not {ask.top_k}")
    for name in ("logits", "hidden"):
        for node in getattr(ask, name):
            if not 0 <= node < nodes:
                raise TercelError(f"{name} may name the nodes 0..{nodes - 1}, not {node}")
    if ask.layer_mask is not None and len(ask.layer_mask) != config.layers:
        raise TercelError(
            f"layer_mask must have one pair for each of the {config.layers} layers, "
            f"not {len(ask.layer_mask)}"
        )


def check_two_stage(config: ModelConfig, limits: Limits) -> None:
    """Check that passes may ask for a two-stage head.

    Raises
    ------
    TercelError
        If the model has no shortlist, or the device no such head for it.
    """
    if not config.shortlist:
        raise TercelError(
            f"two_stage needs an image with a shortlist, but {config.name} has none; "
            "make one with `tercel shortlist`"
        )
    if config.shortlist > limits.shortlist:
        raise TercelError(
            f"two_stage needs a device whose two-stage head lists {config.shortlist} rows a node, "
            f"as the shortlist of {config.name} does, but this one's lists {limits.shortlist}; run "
            "the whole head, or use the emulator: --device emulator"
        )
