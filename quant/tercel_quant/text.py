"""Text as windows of tokens, for calibration and evaluation."""

import torch
from torch import Tensor

from tercel.errors import TercelError
from tercel.runtime import TextTokenizer

__all__ = ["text_windows"]


def text_windows(
    text: str, tokenizer: TextTokenizer, *, context: int, tokens: int | None = None
) -> Tensor:
    """Cut a text into windows of ``context`` tokens.

    Each window starts with the tokens that the tokenizer puts in front of every text (the
    begin-of-text token of some models). An incomplete last window is dropped.

    Parameters
    ----------
    text : str
    tokenizer : TextTokenizer
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
    least = len(tokenizer.first_tokens) + 2
    if context < least:
        raise TercelError(f"a window must have at least {least} tokens, not {context}")
    most = None if tokens is None else max(1, tokens // context)
    ids = tokenizer.encode(text, first=False)
    windows, position = [], 0
    while True:
        part = ids[position : position + context]
        window = tokenizer.start(part)
        if len(window) < context:
            break
        windows.append(window[:context])
        position += context - (len(window) - len(part))
    if not windows:
        raise TercelError(
            f"the text has {len(ids)} tokens, which do not fill one window of "
            f"{context - least + 2}; give more text or a shorter context"
        )
    if most is not None and most < len(windows):
        # Spread evenly, so that the sample represents the whole text.
        windows = [windows[index * len(windows) // most] for index in range(most)]
    return torch.tensor(windows)
