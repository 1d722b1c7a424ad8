import dataclasses
import json

import pytest

from tercel.config import PRESETS
from tercel.errors import TercelError
from tercel.image import LAYOUTS, TapeLayout
from tercel.program import AcceleratorSpec

KV260 = AcceleratorSpec(
    layout=LAYOUTS["kv260"],
    nodes=8,
    positions=4096,
    hidden=4096,
    columns=8192,
    head_size=128,
    sweeps=32,
    slices=64,
    top_k=64,
    rows=1 << 18,
    address_width=40,
)


def test_the_register_words():
    assert KV260.caps == 0x01100408
    assert KV260.shape == 511 << 16 | 77
    index5 = dataclasses.replace(KV260, layout=LAYOUTS["kv260-index5"], nodes=16)
    assert index5.caps == 0x00100410
    assert index5.shape == 511 << 16 | 128


@pytest.mark.parametrize(("nodes", "port_bytes", "size"), [(8, 16, 32), (1, 16, 16), (3, 8, 16)])
def test_a_line_is_whole_granules(nodes, port_bytes, size):
    layout = TapeLayout(port_bytes=port_bytes)
    assert dataclasses.replace(KV260, nodes=nodes, layout=layout).line_bytes == size


def test_json_gives_the_same_machine():
    assert AcceleratorSpec.from_json(KV260.to_json()) == KV260


@pytest.mark.parametrize("name", ["0.7b", "tiny", "small"])
def test_the_presets_run(name):
    KV260.check(PRESETS[name], LAYOUTS["kv260"])


@pytest.mark.parametrize(
    "fields",
    [
        {"nodes": 16},
        {"nodes": 1},
        {"rows": (1 << 20) - 16},
        {"head_size": 15 * 64},
        {"layout": TapeLayout(tables=255)},
        {"layout": TapeLayout(tables=7), "columns": 255 * 7 * 5},
        {"layout": TapeLayout(ports=1)},
    ],
    ids=str,
)
def test_the_last_values_within_the_rules_are_taken(fields):
    dataclasses.replace(KV260, **fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"nodes": 17}, r"nodes must be an integer in 1\.\.16, not 17"),
        ({"top_k": True}, r"top_k must be an integer in 1\.\.255, not True"),
        ({"rows": 1 << 20}, r"rows must be an integer in 1\.\.1048560, not 1048576"),
        ({"layout": None}, "layout must be a tape layout, not None"),
        ({"layout": TapeLayout(port_bytes=32)}, "port_bytes must be at most 16, not 32"),
        ({"layout": TapeLayout(ports=3)}, "must divide a command's 64, but are 48"),
        ({"layout": TapeLayout(ports=1, port_bytes=8)}, "of a word, at least 16, must .* are 8"),
        ({"address_width": 31}, r"address_width must be an integer in 32\.\.64, not 31"),
        (
            {"head_size": 1024},
            "at most 15 whole words, but 1024 bytes are 16 of 64; take wider words",
        ),
        ({"layout": TapeLayout(tables=256)}, "tables must be at most 255, not 256"),
        ({"layout": TapeLayout(tables=4)}, "8192 columns are 410; take more tables"),
    ],
)
def test_a_broken_field_is_named(fields, message):
    with pytest.raises(TercelError, match=message):
        dataclasses.replace(KV260, **fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"layers": 65536}, "number of layers of 0.7b must be at most 65535 on"),
        ({"hidden_size": 4097}, "hidden_size of 0.7b must be at most 4096 on this .* but is 4097"),
        ({"ffn_size": 8193}, "widest input of a linear .* at most 8192 .* but is 8193"),
        ({"head_size": 144}, "head_size of 0.7b must be at most 128"),
        ({"heads": 48, "kv_heads": 2}, "number of heads of 0.7b must be at most 32 on"),
        ({"vocab_size": 262145}, "vocab_size .* at most 262144 .*; build one for larger models"),
    ],
)
def test_a_model_that_is_too_large_is_refused(fields, message):
    config = dataclasses.replace(PRESETS["0.7b"], **fields)
    with pytest.raises(TercelError, match=message):
        KV260.check(config, KV260.layout)


@pytest.mark.parametrize(
    ("layout", "hidden", "message"),
    [
        ({"tables": 52}, 65535, "row-chunks of a matrix of wide must be at most 16777215 "),
        ({"block_rows": 1}, 5000, "blocks of rows of a matrix of wide must be at most 65535 "),
    ],
)
def test_a_matrix_whose_command_would_not_hold_it_is_refused(layout, hidden, message):
    """The numbers of the engine's command are not sized by the spec's limits."""
    config = dataclasses.replace(
        PRESETS["tiny"], name="wide", hidden_size=hidden, ffn_size=65535, vocab_size=16
    )
    layout = dataclasses.replace(LAYOUTS["kv260"], **layout)
    wide = dataclasses.replace(KV260, layout=layout, hidden=hidden, columns=65535, slices=1024)
    with pytest.raises(TercelError, match=message):
        wide.check(config, layout)


def test_queries_and_stream_must_fit_the_slices():
    config = dataclasses.replace(PRESETS["0.7b"], heads=32, kv_heads=32)
    few = dataclasses.replace(KV260, slices=63)
    with pytest.raises(
        TercelError, match=r"heads of 2 slices of 0\.7b must be at most 31 .* is 32"
    ):
        few.check(config, few.layout)
    few = dataclasses.replace(KV260, slices=32, sweeps=16)
    with pytest.raises(TercelError, match=r"slices of hidden_size .* at most 32 .* is 33"):
        few.check(dataclasses.replace(PRESETS["0.7b"], hidden_size=2049), few.layout)


def test_a_tape_of_another_layout_is_refused():
    message = "with code 'base3', but the image's is 'index5'; build the image with"
    with pytest.raises(TercelError, match=message):
        KV260.check(PRESETS["0.7b"], LAYOUTS["kv260-index5"])


def sidecar(**changes):
    content = {"format": "tercel accelerator", "version": 2, "spec": json.loads(KV260.to_json())}
    return json.dumps(content | changes)


def test_a_sidecar_is_read(tmp_path):
    path = tmp_path / "tercel.json"
    path.write_text(sidecar())
    assert AcceleratorSpec.load(path) == KV260


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not valid JSON"),
        ("[" * 100_000, "is not valid JSON"),
        ("[]", "is no sidecar of an accelerator: its format must be 'tercel accelerator'"),
        (sidecar(format="other"), "is no sidecar of an accelerator"),
        (sidecar(version=1), r"has the version 1, but this tercel reads 2; write it again"),
        (sidecar(spec=None), "the spec must be a JSON object, not NoneType"),
        (sidecar(spec={"nodes": 8}), "the spec lacks the fields"),
    ],
)
def test_a_file_that_is_no_sidecar_is_refused(tmp_path, text, message):
    path = tmp_path / "tercel.json"
    path.write_text(text)
    with pytest.raises(TercelError, match=message):
        AcceleratorSpec.load(path)


def test_a_missing_sidecar_is_named(tmp_path):
    with pytest.raises(TercelError, match=r"sidecar .*none.json cannot be read: No such file"):
        AcceleratorSpec.load(tmp_path / "none.json")


SCALED, NORMED = "scales of rows or groups", "q/k norms"


@pytest.mark.parametrize(
    ("fields", "missing", "parts"),
    [
        ({"granularity": "row"}, SCALED, "a scale for each row"),
        (
            {"granularity": "group", "ternary_head": True},
            SCALED,
            "scales of groups and a ternary head",
        ),
        ({"qk_norm": True}, NORMED, "q/k norms"),
        ({"shortlist": 512}, SCALED, "a shortlist"),
        (
            {"granularity": "group", "qk_norm": True},
            f"{SCALED} and no {NORMED}",
            "scales of groups and q/k norms",
        ),
    ],
)
def test_models_of_version_3_are_refused_with_the_remedy(fields, missing, parts):
    config = dataclasses.replace(PRESETS["tiny"], **fields)
    message = f"plays no {missing}, but tiny has {parts}; take one .* or run it on the emulator"
    for layout in LAYOUTS.values():  # before the layout, which would be another remedy
        with pytest.raises(TercelError, match=message):
            KV260.check(config, layout)
    assert KV260.lacks(PRESETS["tiny"]) is None
    groups = dataclasses.replace(KV260, layout=LAYOUTS["kv260-groups"], groups=3)
    whole = dataclasses.replace(groups, qk_norm=True)
    whole.check(config, whole.layout)
    assert (groups.lacks(config) is None) == ("qk_norm" not in fields)


def test_what_an_accelerator_has_for_version_3_is_in_its_spec_and_its_caps():
    """An accelerator that has none of it is written as before, and a spec without it is read."""
    assert not {"groups", "qk_norm", "shortlist"} & set(json.loads(KV260.to_json()))
    groups = dataclasses.replace(KV260, layout=LAYOUTS["kv260-groups"], groups=3)
    whole = dataclasses.replace(groups, qk_norm=True)
    lists = dataclasses.replace(groups, shortlist=2048)
    for spec in (KV260, groups, whole, lists):
        assert AcceleratorSpec.from_json(spec.to_json()) == spec
    assert (lists.caps, lists.shape ^ groups.shape) == (groups.caps, 11 << 8)
    assert (groups.caps ^ KV260.caps, whole.caps ^ KV260.caps) == (1 << 28, 3 << 28)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"groups": 3}, "groups must be those of the layout's 77 tables, 2, or 0, not 3"),
        ({"groups": True}, "groups must be .* not True"),
        ({"qk_norm": 1}, "qk_norm must be true or false, not 1"),
        ({"shortlist": 64}, "groups must not be 0 with a shortlist"),
        ({"shortlist": 48}, r"shortlist must be a power of two in 32\.\.4096, or 0 .*, not 48"),
    ],
)
def test_what_an_accelerator_has_for_version_3_is_checked(fields, message):
    with pytest.raises(TercelError, match=message):
        dataclasses.replace(KV260, **fields)
