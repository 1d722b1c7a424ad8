"""Text as windows of tokens, for calibration and evaluation."""

import torch
from tokenizers import Tokenizer
from torch import Tensor

from tercel.errors import TercelError

__all__ = ["text_windows"]


def text_windows(text: str, tokenizer: bytes, *, context: int, tokens: int | None = None) -> Tensor:
    """Cut a text into windows of ``context`` tokens, each starting as a text starts.

    Tokens that the tokenizer puts in front of every text (the begin-of-text token of some models)
    stand in front of every window. What does not fill a last window is left out.

    Parameters
    ----------
    text : str
    tokenizer : bytes
        A ``tokenizer.json``.
    context : int
    tokens : int, optional
        Most tokens in all windows together.

    Returns
    -------
    Tensor, int64, shape (windows, context)

    Raises
    ------
    TercelError
        If the context is too short or the text does not fill a window.
    """
    encoder = Tokenizer.from_str(tokenizer.decode())
    prefix = encoder.encode("").ids
    width = context - len(prefix)
    if width < 2:
        raise TercelError(f"a window must have at least {len(prefix) + 2} tokens, not {context}")
    most = None if tokens is None else max(1, tokens // context)
    ids = encoder.encode(text, add_special_tokens=False).ids
    count = len(ids) // width
    if count == 0:
        raise TercelError(
            f"the text has {len(ids)} tokens, which do not fill one window of {width}; "
            "give more text or a shorter context"
        )
    windows = torch.tensor(ids[: count * width]).view(count, width)
    if most is not None and most < count:
        # Evenly over the text, so that a part of a long text stands for all of it.
        windows = windows[torch.arange(most) * count // most]
    return torch.cat((torch.tensor(prefix, dtype=torch.int64).expand(len(windows), -1), windows), 1)
