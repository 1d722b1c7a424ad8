"""Text files as one array of a model's tokens."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tercel.errors import TercelError
from tercel.image import Image
from tercel.runtime import TextTokenizer
from tercel_quant.tokenizer import documents

__all__ = ["text_tokens"]


def text_tokens(files: Sequence[Path], image: Image) -> npt.NDArray[np.uint32]:
    """Tokens of the documents of text files, each followed by the model's end token if it has one.

    Raises
    ------
    TercelError
        If a file cannot be read, the model has no tokenizer, or there is no document.
    """
    tokenizer = TextTokenizer.of_image(image)
    end = image.config.eos_tokens[:1]
    parts = [
        np.array([*tokenizer.encode(document, first=False), *end], np.uint32)
        for file in files
        for document in documents(file)
    ]
    if not parts:
        raise TercelError(f"there is no text in {', '.join(map(str, files))}")
    return np.concatenate(parts)
