"""End tokens as checkpoints name them: one id, several, or none."""

from typing import Any

__all__ = ["end_tokens"]


def end_tokens(*named: Any) -> tuple[Any, ...]:
    """The different ids of all values together, in order.

    Parameters
    ----------
    named
        Each an id, a list of ids, or ``None``; the ids are checked by the model config.
    """
    found = []
    for ids in named:
        for token in ids if isinstance(ids, list) else [ids]:
            if token is not None and token not in found:
                found.append(token)
    return tuple(found)
