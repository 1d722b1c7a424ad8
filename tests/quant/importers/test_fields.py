"""The rules for foreign metadata; no metadata may end in a traceback."""

import json
import math
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tercel.errors import TercelError
from tercel_quant.importers import open_checkpoint
from tercel_quant.importers.fields import (
    Choice,
    Field,
    FieldTable,
    Fixed,
    Flag,
    Integer,
    Listed,
    Nested,
    Number,
    OneOrMore,
    Text,
)
from tercel_quant.importers.gguf_config import ARCHITECTURE_KEYS
from tercel_quant.importers.gguf_config import read_config as read_gguf_config
from tercel_quant.importers.gguf_header import read_header
from tercel_quant.importers.gguf_tokenizer import KEYS, tokenizer_json
from tercel_quant.importers.huggingface_config import read_config
from tercel_quant.importers.huggingface_fields import CONFIG, QUANTISATION, ROPE
from tercel_quant.importers.names import canonical_shapes

MANY = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (Integer(1, 9), [1, 9], [0, 10, 1.0, True, "1", None, [1], math.nan]),
        (Number(0, 9), [1, 0.5, 9.0], [0, 9.1, math.nan, math.inf, True, "1", [1]]),
        (Flag(), [True, False], [0, 1, "true", None]),
        (Text(), ["", "x" * 4096], ["x" * 4097, 3, None, b"x"]),
        (Choice({"a": "b"}), ["a"], ["b", 3, None, ["a"], {}]),
        (Fixed((0, 1), "x are"), [0, 1.0], [2, "0", [0], {}, math.nan]),
        (Listed(Flag()), [[], [True]], [True, [1], {}]),
        (OneOrMore(Integer(0, 3)), [0, [], [1, 2]], [4, [1, 4], "1", [[1]]]),
    ],
)
def test_rules(rule, good, bad):
    for value in good:
        rule.check("f", value)
    for value in bad:
        with pytest.raises(TercelError, match=r"^f(\[\d\])? (must be|is) "):
            rule.check("f", value)


def test_table_reads_defaults_and_refuses_what_it_does_not_know():
    inner = FieldTable(fields={"x": Field(Flag(), True)}, remedy="drop it")
    table = FieldTable(
        fields={"a": Field(Integer(0, 9), required=True), "n": Field(Nested(inner), {})},
        remedy="drop {name}",
        harmless=frozenset({"h"}),
        harmless_prefixes=("_",),
    )
    assert table.read({"a": 1, "h": 2, "_p": 3, "gone": None}) == {"a": 1, "n": {}}
    assert table.read({"a": 1, "n": {}}) == {"a": 1, "n": {"x": True}}
    for found, rule in [
        ({}, "the field t.a is missing"),
        ({"a": None}, "the field t.a is missing"),
        ({"a": 1, "b": "c"}, "t.b \\('c'\\) is not known, .*; drop t.b"),
        ({"a": 1, "n": {"y": 1}}, "t.n.y \\(1\\) is not known, .*; drop it"),
        ({"a": 1, "n": 3}, "t.n must be an object, not 3"),
    ]:
        with pytest.raises(TercelError, match=rule):
            table.read(found, prefix="t.")


def test_long_values_are_shortened():
    with pytest.raises(TercelError) as error:
        Flag().check("f", "x" * 10**6)
    assert len(str(error.value)) < 120


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 70)
    | st.sampled_from(
        [2**31, 10**12, -(10**30), 10**400, 1e12, 0.0, -1.0, 1e-9, math.nan, math.inf]
    )
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["default", "linear", "llama3", "bitnet", "online", "silu", "relu2", "none"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=5,
)
OBJECTS = {
    "rope_parameters": ROPE,
    "rope_scaling": ROPE,
    "quantization_config": QUANTISATION,
}


@st.composite
def changes_of(draw, table, nested=True):
    """Some fields of a table, known and unknown, with any values."""
    names = (
        st.sampled_from(sorted(table.fields))
        | st.sampled_from(sorted(table.harmless))
        | st.text(max_size=4)
    )
    found = {}
    for name in draw(st.lists(names, max_size=3)):
        whole = nested and name in OBJECTS and draw(st.booleans())
        found[name] = draw(changes_of(OBJECTS[name], nested=False) if whole else VALUES)
    return found


def told_or_read(read):
    """True if ``read`` succeeds; a failure must be a :class:`TercelError` of one line."""
    message = None
    try:
        read()
    except TercelError as error:
        message = str(error)
    assert message is None or (message and "\n" not in message)
    return message is None


@pytest.fixture
def readable(llama):
    """A folder that is read, and the fields of its config.json."""
    folder, _ = llama()
    assert told_or_read(lambda: open_checkpoint(folder))
    return folder, json.loads((folder / "config.json").read_text())


LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 64,
    "intermediate_size": 160,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 320,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-5,
    "hidden_act": "silu",
}


@MANY
@given(changes=changes_of(CONFIG), architecture=st.sampled_from(["Llama", "Bitnet", "BitNet"]))
def test_any_config_json_is_read_or_told(tmp_path: Path, changes, architecture):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(LLAMA | {"architectures": [f"{architecture}ForCausalLM"]} | changes))
    told_or_read(lambda: canonical_shapes(read_config(path, "m").model))


@settings(MANY, max_examples=60)
@given(changes=changes_of(CONFIG))
def test_any_config_json_beside_real_tensors_is_read_or_told(readable, changes):
    folder, fields = readable
    (folder / "config.json").write_text(json.dumps(fields | changes))
    told_or_read(lambda: open_checkpoint(folder))


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 100_000, '{"a": 1e999}', '"x"', "\xff", "9" * 9999]
)
def test_any_text_in_place_of_json_is_told(tmp_path, text):
    (tmp_path / "config.json").write_text(text, encoding="latin-1")
    assert not told_or_read(lambda: read_config(tmp_path / "config.json", "m"))


GGUF = {
    "general.architecture": "llama",
    "llama.block_count": 2,
    "llama.embedding_length": 64,
    "llama.feed_forward_length": 160,
    "llama.attention.head_count": 4,
    "llama.context_length": 64,
    "llama.attention.layer_norm_rms_epsilon": 1e-5,
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.tokens": [chr(97 + i) for i in range(20)] + ["ab"],
    "tokenizer.ggml.scores": [0.0] * 21,
    "tokenizer.ggml.merges": ["a b"],
}


@MANY
@given(
    changes=changes_of(ARCHITECTURE_KEYS),
    others=st.dictionaries(
        st.sampled_from(["general.architecture", "general.type", "tokenizer.ggml.tokens"]),
        VALUES,
        max_size=1,
    ),
)
def test_any_gguf_metadata_is_read_or_told(changes, others):
    metadata = GGUF | {f"llama.{name}": value for name, value in changes.items()} | others
    told_or_read(
        lambda: canonical_shapes(read_gguf_config(metadata, name="m", tied_head=True).model)
    )


@MANY
@given(changes=changes_of(KEYS), kind=st.sampled_from(["gpt2", "llama"]))
def test_any_gguf_tokenizer_is_read_or_told(changes, kind):
    metadata = GGUF | {f"tokenizer.ggml.{name}": value for name, value in changes.items()}
    told_or_read(lambda: tokenizer_json(metadata | {"tokenizer.ggml.model": kind}))


@pytest.fixture(scope="module")
def small_gguf(tmp_path_factory):
    path = tmp_path_factory.mktemp("gguf") / "m.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_uint32("llama.block_count", 2)
    writer.add_array("tokenizer.ggml.tokens", ["a", "b"])
    writer.add_array("tokenizer.ggml.scores", [0.5, 1.5])
    writer.add_bool("tokenizer.ggml.add_bos_token", True)
    writer.add_tensor("token_embd.weight", np.ones((2, 4), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_header_equals_that_of_the_library(small_gguf):
    ours, theirs = read_header(small_gguf), gguf.GGUFReader(small_gguf)
    contents = {
        key: field.contents() for key, field in theirs.fields.items() if not key.startswith("GGUF.")
    }
    assert ours.metadata == contents
    (tensor,) = theirs.tensors
    assert ours.tensors["token_embd.weight"].offset == tensor.data_offset
    assert ours.tensors["token_embd.weight"].shape == (2, 4)


@MANY
@given(
    changes=st.lists(st.tuples(st.integers(0, 400), st.binary(min_size=1, max_size=9)), max_size=3),
    length=st.integers(0, 600),
)
def test_any_bytes_of_a_header_are_read_or_told(small_gguf, tmp_path, changes, length):
    """Counts near 2^64 occur; nothing of their size may be allocated."""
    content = bytearray(small_gguf.read_bytes())
    for place, data in changes:
        content[place : place + len(data)] = data
    path = tmp_path / "m.gguf"
    path.write_bytes(bytes(content[: length + 1]))
    told_or_read(lambda: read_header(path))


def test_absurd_counts_end_at_once(small_gguf, tmp_path):
    for place in (8, 16):
        content = bytearray(small_gguf.read_bytes())
        content[place : place + 8] = (2**63).to_bytes(8, "little")
        (tmp_path / "m.gguf").write_bytes(content)
        with pytest.raises(TercelError, match="it announces 9223372036854775808 items"):
            read_header(tmp_path / "m.gguf")
