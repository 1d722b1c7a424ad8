"""The tokenizer: ids, round trips, determinism, and the encoded corpus file."""

from pathlib import Path

import numpy as np
import pytest

from tercel.errors import TercelError
from tercel_quant.corpus import END_OF_TEXT
from tercel_quant.tokenizer import (
    TokenizerConfig,
    documents,
    encode_corpus,
    load_tokenizer,
    prepare_tokens,
    train_tokenizer,
)

SMALL = TokenizerConfig(vocab_size=280)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """Return a text file of 300 short documents."""
    path = tmp_path / "train.txt"
    lines = [
        f"The year {1790 + number} was a good year for the people.\n\nIt ended well.\n{END_OF_TEXT}"
        for number in range(300)
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_ids_and_round_trip(text: Path, tmp_path: Path):
    tokenizer = train_tokenizer([text], tmp_path / "t" / "tokenizer.json", SMALL)
    assert tokenizer.get_vocab_size() == 280
    assert tokenizer.token_to_id(END_OF_TEXT) == 0
    loaded = load_tokenizer(tmp_path / "t" / "tokenizer.json")
    for sample in ("The people.", "  é\t\N{SNOWMAN}\x00 naïve", "in 1984\n\nand 2026"):
        ids = loaded.encode(sample).ids
        assert ids == tokenizer.encode(sample).ids
        assert loaded.decode(ids) == sample
    assert len(loaded.encode("1790").ids) == 4
    assert loaded.encode(f"a{END_OF_TEXT}").ids[-1] == 0


def test_training_is_deterministic(text: Path, tmp_path: Path):
    for name in ("a.json", "b.json"):
        train_tokenizer([text], tmp_path / name, SMALL)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "b.json", "train.txt"]


def test_encoded_file_holds_the_documents(text: Path, tmp_path: Path):
    tokenizer = train_tokenizer([text], tmp_path / "tokenizer.json", SMALL)
    counts = []
    output = tmp_path / "train.u16"
    total = encode_corpus([text, text], tokenizer, output, counts.append)
    ids = np.memmap(output, dtype="<u2", mode="r")
    assert ids.shape == (total,)
    assert counts[-1] == total
    assert np.count_nonzero(ids == 0) == 600
    assert ids[-1] == 0
    first = ids[: int(np.argmax(ids == 0))]
    assert tokenizer.decode(first.tolist()) == next(documents(text))


def test_prepare_tokens_encodes_both_splits(text: Path, tmp_path: Path):
    (tmp_path / "val.txt").write_text("One more year.", encoding="utf-8")
    counts = prepare_tokens(tmp_path, tmp_path / "tokenizer.json", SMALL)
    assert {name: (tmp_path / f"{name}.u16").stat().st_size for name in counts} == {
        name: 2 * count for name, count in counts.items()
    }


def test_documents_skips_empty_ones(tmp_path: Path):
    path = tmp_path / "text.txt"
    path.write_text(f"a\n{END_OF_TEXT}\n\n{END_OF_TEXT}\nb\n\nc", encoding="utf-8")
    assert list(documents(path)) == ["a", "b\n\nc"]
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(TercelError, match="cannot be read"):
        list(documents(path))


@pytest.mark.parametrize("size", [256, 65537])
def test_vocabulary_must_fit_uint16(size: int):
    with pytest.raises(TercelError, match=f"vocab_size must be 257 to 65536 .*, not {size}"):
        TokenizerConfig(vocab_size=size)


def test_a_text_is_never_the_output(text: Path, tmp_path: Path):
    before = text.read_bytes()
    with pytest.raises(TercelError, match=r"is the input .* too; name another"):
        train_tokenizer([text], text, SMALL)
    tokenizer = train_tokenizer([text], tmp_path / "tokenizer.json", SMALL)
    with pytest.raises(TercelError, match=r"is the input .* too; name another"):
        encode_corpus([text], tokenizer, text)
    assert text.read_bytes() == before


def test_errors_leave_no_file(text: Path, tmp_path: Path):
    path = tmp_path / "tokenizer.json"
    with pytest.raises(TercelError, match="vocab_size must be at most what the text supports"):
        train_tokenizer([text], path)
    with pytest.raises(TercelError, match=r"must be an existing tokenizer.json, not '.*json'"):
        load_tokenizer(path)
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(TercelError, match="cannot be read"):
        load_tokenizer(path)
    tokenizer = train_tokenizer([text], path, SMALL)
    (tmp_path / "empty.txt").touch()
    with pytest.raises(TercelError, match="must hold at least one document, but hold none"):
        encode_corpus([tmp_path / "empty.txt"], tokenizer, tmp_path / "empty.u16")
    with pytest.raises(TercelError, match="cannot be read"):
        encode_corpus([tmp_path / "none.txt"], tokenizer, tmp_path / "empty.u16")
    assert not list(tmp_path.glob("*.u16*")) + list(tmp_path.glob(".*"))
