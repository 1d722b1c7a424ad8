"""The model's tokenizer: a byte-level BPE trained on the corpus, and the corpus as token ids."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from tercel.errors import TercelError
from tercel.files import make_folder, whole_file, write_whole
from tercel_quant.corpus.build import END_OF_TEXT

__all__ = [
    "TokenizerConfig",
    "documents",
    "encode_corpus",
    "load_tokenizer",
    "prepare_tokens",
    "train_tokenizer",
]

_BYTES = 256
_UINT16_IDS = 1 << 16
_BATCH_DOCUMENTS = 256


@dataclass(frozen=True, kw_only=True)
class TokenizerConfig:
    """Parameters of the tokenizer.

    Attributes
    ----------
    vocab_size : int
        Number of ids, including the end-of-text token (id 0) and the 256 bytes; 257 to 65536.
    """

    vocab_size: int = 4096

    def __post_init__(self) -> None:
        if not _BYTES + 1 <= self.vocab_size <= _UINT16_IDS:
            raise TercelError(
                f"vocab_size must be {_BYTES + 1} to {_UINT16_IDS} (ids are stored as uint16), "
                f"not {self.vocab_size!r}"
            )


def train_tokenizer(
    text_files: list[Path], output: Path, config: TokenizerConfig | None = None
) -> Tokenizer:
    """Train the tokenizer and save it as a ``tokenizer.json``.

    Each digit is a token of its own, words keep their leading space, and every byte has an id, so
    any text round-trips. The same files give the same tokenizer.

    Parameters
    ----------
    text_files : list of Path
        UTF-8 text, documents closed by :data:`~tercel_quant.corpus.END_OF_TEXT` lines.
    output : Path
        The JSON file; its folder is created if missing.
    config : TokenizerConfig, optional

    Returns
    -------
    Tokenizer

    Raises
    ------
    TercelError
        If a file cannot be read, or the text is too small for the vocabulary.
    """
    config = TokenizerConfig() if config is None else config
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=config.vocab_size,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    texts = (text for path in text_files for text in documents(path))
    tokenizer.train_from_iterator(texts, trainer)
    if tokenizer.get_vocab_size() != config.vocab_size:
        raise TercelError(
            f"vocab_size must be at most what the text supports, {tokenizer.get_vocab_size()}, "
            f"not {config.vocab_size}; use a smaller vocabulary or more text"
        )
    make_folder(output.parent)
    write_whole(output, tokenizer.to_str(pretty=True) + "\n", inputs=text_files)
    return tokenizer


def load_tokenizer(path: Path) -> Tokenizer:
    """Load a ``tokenizer.json``.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Tokenizer

    Raises
    ------
    TercelError
        If the file is missing or is not a tokenizer.
    """
    if not path.is_file():
        raise TercelError(f"tokenizer must be an existing tokenizer.json, not {str(path)!r}")
    try:
        return Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except Exception as error:  # the library raises bare Exception for a malformed file
        raise TercelError(f"tokenizer {str(path)!r} cannot be read: {error}") from error


def documents(path: Path) -> Iterator[str]:
    """Yield the documents of a text file, without the lines that end them.

    Parameters
    ----------
    path : Path
        UTF-8 text; the last document may lack its end line.

    Yields
    ------
    str
        A non-empty document without leading and trailing white space.

    Raises
    ------
    TercelError
        If the file cannot be read.
    """
    try:
        with path.open(encoding="utf-8") as file:
            lines: list[str] = []
            for line in file:
                if line.strip() != END_OF_TEXT:
                    lines.append(line)
                    continue
                if text := "".join(lines).strip():
                    yield text
                lines = []
            if text := "".join(lines).strip():
                yield text
    except (OSError, UnicodeDecodeError) as error:
        raise TercelError(f"text file {str(path)!r} cannot be read: {error}") from error


def encode_corpus(
    text_files: list[Path],
    tokenizer: Tokenizer,
    output: Path,
    on_tokens: Callable[[int], None] | None = None,
) -> int:
    """Write the token ids of text files as one flat file of little-endian uint16.

    The end-of-text id follows every document. Documents are encoded in batches to limit memory;
    read the result with ``numpy.memmap(output, dtype="<u2")``.

    Parameters
    ----------
    text_files : list of Path
    tokenizer : Tokenizer
        A tokenizer with an end-of-text token and at most 65536 ids.
    output : Path
        The token file; written under a temporary name and renamed.
    on_tokens : callable, optional
        Called with the number of tokens written so far (progress).

    Returns
    -------
    int
        Number of ids, shape ``(tokens,)`` of the file.

    Raises
    ------
    TercelError
        If the tokenizer does not fit, a file cannot be read, or there is no document.
    """
    end = tokenizer.token_to_id(END_OF_TEXT)
    if end is None:
        raise TercelError(f"tokenizer must have the token {END_OF_TEXT!r}")
    if tokenizer.get_vocab_size() > _UINT16_IDS:
        raise TercelError(
            f"tokenizer must have at most {_UINT16_IDS} ids, not {tokenizer.get_vocab_size()}"
        )
    make_folder(output.parent)
    total = 0
    with whole_file(output, inputs=text_files) as file:
        for batch in _batches(text_files):
            encoded = tokenizer.encode_batch_fast(batch, add_special_tokens=False)
            for item in encoded:
                ids = np.array([*item.ids, end], dtype="<u2")
                file.write(ids.tobytes())
                total += len(ids)
            if on_tokens is not None:
                on_tokens(total)
        if not total:
            raise TercelError("text files must hold at least one document, but hold none")
    return total


def prepare_tokens(
    corpus_dir: Path, tokenizer_path: Path, config: TokenizerConfig | None = None
) -> dict[str, int]:
    """Train the tokenizer on a built corpus and encode both splits.

    Reads ``train.txt`` and ``val.txt`` in the folder, trains on the former only, and writes
    ``train.u16`` and ``val.u16`` beside them.

    Parameters
    ----------
    corpus_dir : Path
        A folder that :func:`~tercel_quant.corpus.build_corpus` wrote.
    tokenizer_path : Path
        The ``tokenizer.json`` to write.
    config : TokenizerConfig, optional

    Returns
    -------
    dict of str to int
        Number of tokens of ``"train"`` and ``"val"``.

    Raises
    ------
    TercelError
        As for :func:`train_tokenizer` and :func:`encode_corpus`.
    """
    tokenizer = train_tokenizer([corpus_dir / "train.txt"], tokenizer_path, config)
    return {
        split: encode_corpus([corpus_dir / f"{split}.txt"], tokenizer, corpus_dir / f"{split}.u16")
        for split in ("train", "val")
    }


def _batches(text_files: list[Path]) -> Iterator[list[str]]:
    batch: list[str] = []
    for path in text_files:
        for text in documents(path):
            batch.append(text)
            if len(batch) == _BATCH_DOCUMENTS:
                yield batch
                batch = []
    if batch:
        yield batch
