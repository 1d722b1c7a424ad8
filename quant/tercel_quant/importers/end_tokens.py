"""End tokens in a checkpoint's metadata: one id, several, or none."""

from typing import Any

__all__ = ["end_tokens"]


def end_tokens(*named: Any) -> tuple[Any, ...]:
    """The distinct ids of all values, in order.

    Parameters
    ----------
    named
        Values that are each an id, a list of ids, or ``None``; the model config checks the ids.
    """
    found = []
    for ids in named:
        for token in ids if isinstance(ids, list) else [ids]:
            if token is not None and token not in found:
                found.append(token)
    return tuple(found)
