"""SentencePiece models against sentencepiece and transformers, on a thousand texts each."""

import io
import json
from pathlib import Path

import pytest
import sentencepiece
from text_samples import PARTS, text_samples
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from tercel.errors import TercelError
from tercel.image import Image
from tercel.runtime import TextTokenizer
from tercel_quant.convert import convert
from tercel_quant.importers.gguf_tokenizer import tokenizer_json
from tercel_quant.importers.sentencepiece_folder import convert_folder
from tercel_quant.importers.sentencepiece_model import Kind, Piece, SentencePieceModel
from tercel_quant.importers.sentencepiece_tokenizer import sentencepiece_tokenizer

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*script_method:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:builtin type .* has no __module__:DeprecationWarning"),
]

DOCS = Path(__file__).parents[3] / "docs"
LLAMA_2 = {
    "byte_fallback": True,
    "normalization_rule_name": "identity",
    "remove_extra_whitespaces": False,
    "split_digits": True,
    "allow_whitespace_only_pieces": True,
}
"""Settings of Llama 2's vocabulary."""
SPECIAL = ("<s>", "</s>")


def train(**settings) -> bytes:
    text = (DOCS / "numerics.md").read_text()[:20000] + "".join(PARTS) * 3
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(text.split("\n")),
        model_writer=model,
        vocab_size=600,
        num_threads=1,
        minloglevel=2,
        character_coverage=0.995,
        **{"model_type": "bpe"} | settings,
    )
    return model.getvalue()


@pytest.fixture(scope="module")
def llama_2() -> bytes:
    return train(**LLAMA_2)


@pytest.mark.parametrize(
    "settings",
    [
        LLAMA_2,
        LLAMA_2 | {"byte_fallback": False},
        LLAMA_2 | {"remove_extra_whitespaces": True},
        LLAMA_2 | {"add_dummy_prefix": False},
        LLAMA_2 | {"user_defined_symbols": ["<tool>", "\n\n", "▁▁", "ünï"]},
    ],
    ids=["llama-2", "no-bytes", "squeezed", "no-prefix", "user-defined"],
)
def test_texts_are_split_as_sentencepiece_does(settings):
    model = train(**settings)
    theirs = sentencepiece.SentencePieceProcessor(model_proto=model)
    ours = sentencepiece_tokenizer(SentencePieceModel.parse(model))
    for text in text_samples(1000, 0, ["<tool>"]):
        assert ours.encode(text, add_special_tokens=False).ids == theirs.encode(text), repr(text)


def folder(path: Path, model: bytes, added=None, **config) -> Path:
    path.mkdir(exist_ok=True)
    (path / "tokenizer.model").write_bytes(model)
    fields = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"} | config
    (path / "tokenizer_config.json").write_text(json.dumps(fields))
    if added:
        (path / "added_tokens.json").write_text(json.dumps(added))
    return path


@pytest.mark.parametrize("begins", [True, False])
@pytest.mark.parametrize(
    "config",
    [
        {"tokenizer_class": "BitnetTokenizer"},
        {"tokenizer_class": "LlamaTokenizer", "legacy": True},
        {"tokenizer_class": "LlamaTokenizer", "legacy": False},
        {"tokenizer_class": "LlamaTokenizerFast"},
    ],
    ids=["bitnet", "llama-legacy", "llama", "llama-fast"],
)
def test_folders_are_read_as_by_transformers(tmp_path, llama_2, config, begins):
    path = folder(tmp_path / "m", llama_2, add_bos_token=begins, **config)
    theirs = AutoTokenizer.from_pretrained(path)
    data = convert_folder(path)
    ours = TextTokenizer(data)
    assert ours.first_tokens == ((1,) if begins else ())
    whole = Tokenizer.from_str(data.decode())
    for text in text_samples(1000, 1, SPECIAL):
        expected = theirs(text).input_ids
        assert whole.encode(text).ids == expected, repr(text)
    assert ours.decode(theirs("the ü 你 weights").input_ids).strip() == "the ü 你 weights"


@pytest.mark.parametrize("newer", [True, False])
def test_added_tokens_follow_those_of_the_model(tmp_path, llama_2, newer):
    """bitnet_b1_58-large has 32,000 pieces and two more tokens."""
    if newer:
        options = {"lstrip": False, "rstrip": False, "single_word": False, "normalized": False}
        decoder = {
            "600": {"content": "<pad>", "special": True} | options,
            "601": {"content": "<x>", "special": False} | options,
        }
        path = folder(tmp_path / "m", llama_2, added_tokens_decoder=decoder)
    else:
        path = folder(tmp_path / "m", llama_2, {"<x>": 601, "<pad>": 600})
    theirs = AutoTokenizer.from_pretrained(path)
    ours = Tokenizer.from_str(convert_folder(path).decode())
    assert ours.get_vocab_size() == len(theirs) == 602
    for text in text_samples(300, 2, [*SPECIAL, "<pad>", "<x>"]):
        assert ours.encode(text).ids == theirs(text).input_ids, repr(text)


def test_gguf_has_the_same_vocabulary(tmp_path, llama_2):
    model = SentencePieceModel.parse(llama_2)
    metadata = {
        "model": "llama",
        "tokens": [piece.text for piece in model.pieces],
        "scores": [piece.score for piece in model.pieces],
        "token_type": [int(piece.kind) for piece in model.pieces],
        "bos_token_id": 1,
        "unknown_token_id": 0,
        "add_bos_token": True,
    }
    data = tokenizer_json({f"tokenizer.ggml.{key}": value for key, value in metadata.items()})
    path = folder(tmp_path / "m", llama_2, add_bos_token=True)
    assert data is not None
    ours, theirs = Tokenizer.from_str(data.decode()), AutoTokenizer.from_pretrained(path)
    for text in text_samples(1000, 3, SPECIAL):
        assert ours.encode(text).ids == theirs(text).input_ids, repr(text)


def pieces(*more: Piece, **fields) -> SentencePieceModel:
    first = Piece(text="<unk>", kind=Kind.UNKNOWN)
    return SentencePieceModel(pieces=[first, *more], algorithm=2, **fields)


def test_bytes_written_in_a_text_are_no_byte_tokens():
    more = [Piece(text=text, score=-1.0) for text in ("<", "0", "x", "4", "1", ">", "▁")]
    byte = Piece(text="<0x41>", kind=Kind.BYTE)
    for user in ([], [Piece(text="!", kind=Kind.USER_DEFINED)]):
        model = pieces(byte, *more, *user, byte_fallback=True, prefix=False, squeeze=False)
        tokenizer = sentencepiece_tokenizer(model)
        assert tokenizer.encode("<0x41>").tokens == ["<", "0", "x", "4", "1", ">"]
        assert tokenizer.encode("A").tokens == ["<0x41>"]


@pytest.mark.parametrize(
    ("model", "rule"),
    [
        (pieces(Piece(text="a"), Piece(text="a")), "a token of the vocabulary occurs twice"),
        (pieces(Piece(text="a" * 513)), "a token has 513 characters, but at most 512 are read"),
        (pieces(Piece(text="a", score=float("nan"))), "the score of the token 1 is no number"),
        (pieces(unknown=1), "its unknown token must be below the 1 pieces, not 1"),
        (pieces(escape=False), r"spaces must start pieces as U\+2581, but here they do not"),
        (pieces(charsmap=True), "it normalises texts by a table, which is not supported"),
        (pieces(suffix=True), r"spaces must start pieces as U\+2581"),
    ],
)
def test_models_refused(model, rule):
    with pytest.raises(TercelError, match=rule):
        sentencepiece_tokenizer(model)


@pytest.mark.parametrize("kind", ["unigram", "word", "char"])
def test_other_ways_of_splitting_are_refused(tmp_path, kind):
    settings = {} if kind == "unigram" else {"use_all_vocab": True, "hard_vocab_limit": False}
    path = folder(tmp_path / "m", train(model_type=kind, **settings))
    rule = f"tokenizer.model: its pieces must be made by BPE, but they are {kind}; give a tokenizer"
    with pytest.raises(TercelError, match=rule):
        convert_folder(path)


@pytest.mark.parametrize(
    ("added", "config", "rule"),
    [
        ({"<x>": 605}, {}, "the added token '<x>' must have the id 600, which follows those"),
        ({"<x>": "1"}, {}, "added_tokens.json: '<x>' must be an integer"),
        ({}, {"added_tokens_decoder": {"x": {}}}, "added_tokens_decoder.x must be the description"),
        ({}, {"added_tokens_decoder": {"600": {}}}, "added_tokens_decoder.600.content must be a"),
        ({}, {"added_tokens_decoder": [1]}, "added_tokens_decoder must be an object, not a list"),
    ],
)
def test_added_tokens_refused(tmp_path, llama_2, added, config, rule):
    with pytest.raises(TercelError, match=rule):
        convert_folder(folder(tmp_path / "m", llama_2, added, **config))


def test_missing_begin_token_is_refused(tmp_path):
    path = folder(tmp_path / "m", train(**LLAMA_2, bos_id=-1), add_bos_token=True)
    with pytest.raises(TercelError, match="add_bos_token is set, but the model has no begin token"):
        convert_folder(path)


def test_checkpoint_with_a_model_converts(tmp_path, llama, llama_2):
    """The image of a folder with ``tokenizer.model`` encodes as transformers does."""
    source, _ = llama(vocab_size=600)
    (source / "tokenizer.json").unlink()
    folder(source, llama_2, tokenizer_class="BitnetTokenizer", add_bos_token=True)
    convert(source, tmp_path / "m.tercel", method="absmean")
    tokenizer = TextTokenizer.of_image(Image.open(tmp_path / "m.tercel"))
    theirs = AutoTokenizer.from_pretrained(source)
    for text in ("the weights 你", "  two\n"):
        assert tokenizer.encode(text) == theirs(text).input_ids
