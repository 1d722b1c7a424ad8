"""The order of commands in a program; `test_passes` tests their effect."""

import dataclasses

import pytest

from tercel.program import COMMANDS, Ask, PassEncoder, Request, memory_map, most_commands

NAMES = {command.number: name for name, command in COMMANDS.items()}
LINEAR = ["norm", "tape", "engine", "dequantise"]
ATTENTION = [*LINEAR, "heads", "attention", *LINEAR]
MLP = [*LINEAR, "gate", *LINEAR]


@pytest.fixture(scope="module")
def image(every_image):
    return every_image


@pytest.fixture
def build(image, spec):
    """A program as pairs of name and fields."""

    def make(**fields):
        built = spec(image)
        where = memory_map(config=image.config, spec=built, context=48)
        encoder = PassEncoder(config=image.config, spec=built, memory_map=where)
        program = encoder.encode(dataclasses.replace(whole(image), **fields))
        return [(NAMES[data[0]], COMMANDS[NAMES[data[0]]].decode(data)) for data in program]

    return make


def whole(image):
    return Request(
        config=image.config,
        tokens=(1, 2, 40),
        parents=(-1, 0, 0),
        base=5,
        ask=Ask(top_k=3, logits=(0,), hidden=(0,)),
    )


def names(program, after="rows"):
    """Names from the last ``after`` on."""
    found = [name for name, _ in program]
    return found[len(found) - found[::-1].index(after) :]


def test_the_order_of_a_whole_pass(image, build):
    program = build()
    layer = [*ATTENTION, "residual", *MLP, "residual"]
    operations = layer * image.config.layers
    operations.remove("tape")
    head = ["tape", *["engine", "dequantise"] * image.config.ternary_head, "head"]
    end = ["norm", "residual", "dump", *head, "end"]
    assert [name for name, _ in program[:3]] == ["begin", "tape", "rows"]
    assert names(program) == ["residual", *operations, *end]


def test_room_is_kept_for_the_longest_program(image, spec, build):
    most = most_commands(image.config, spec(image))
    two_stage = image.config.shortlist > 0
    ask = dataclasses.replace(whole(image).ask, logits=(0,) * (not two_stage), two_stage=two_stage)
    assert len(build(ask=ask, tokens=tuple(range(8)), parents=(-1, *range(7)))) == most
    assert len(build(ask=ask, tokens=tuple(range(7)), parents=(-1, *range(6)))) < most


def test_a_two_stage_head_plays_its_shortlist_and_knows_where_the_head_is(image, build):
    size = image.config.shortlist
    if not size:
        return
    program = build(ask=Ask(top_k=3, hidden=(0,), two_stage=True, head_rows=40))
    end = ["norm", "residual", "dump", "tape", "engine", "dequantise", "head", "end"]
    assert names(program)[-len(end) :] == end
    norm, _, _, tape, engine, dequantise, head, _ = (fields for _, fields in program[-len(end) :])
    assert (norm["target"], norm["scale_target"], norm["both"], norm["blocks"]) == (0, 1, 1, 0)
    assert (tape["target"], tape["address"]) == (0, image.segment("shortlist").first_word)
    assert (dequantise["target"], dequantise["row_scales"]) == (3, 1)
    block = image.layout.block_rows
    assert engine["rows"] == head["rows"] == min(-(-40 // block) * block, image.config.vocab_size)
    assert (head["two_stage"], head["ternary"], head["logits"]) == (1, 0, 0)
    assert (head["limit"], head["buckets"]) == (40, size // 4)
    assert head["address"] == image.segment("head").first_word


def test_lanes_without_a_node_are_zeroed_first(image, build):
    token = int(image.config.ternary_head)  # The host decodes rows of a ternary embedding.
    rows = [fields for name, fields in build() if name == "rows"]
    assert [row["kind"] for row in rows] == [3, *[token] * 3, 2, 2, 2]
    full = build(tokens=tuple(range(8)), parents=(-1, *range(7)))
    rows = [fields for name, fields in full if name == "rows"]
    assert [row["kind"] for row in rows] == [token] * 8 + [2] * 8
    assert [row["lane"] for row in rows] == [*range(8), *range(8)]


def test_units_are_told_how_many_nodes_there_are(build):
    told = {name: fields["nodes"] for name, fields in build() if "nodes" in fields}
    assert told == {"heads": 3, "attention": 3, "head": 3}


def test_given_rows_come_one_behind_the_other_in_place_of_tokens(image, spec, build):
    where = memory_map(config=image.config, spec=spec(image), context=48)
    rows = [fields for name, fields in build(tokens=(None, 2, None)) if name == "rows"]
    first, step = where.rows.first_word, where.given_row_words
    if image.config.ternary_head:
        assert [row["kind"] for row in rows] == [3, 1, 1, 1, 2, 2, 2]
        assert [row["address"] for row in rows[1:4]] == [first, first + step, first + 2 * step]
        return
    assert [row["kind"] for row in rows] == [3, 1, 0, 1, 2, 2, 2]
    assert [rows[1]["address"], rows[3]["address"]] == [first, first + step]
    assert [row["lane"] for row in rows[1:4]] == [0, 1, 2]
    tokens = [fields for name, fields in build() if name == "rows"]
    assert rows[2] == tokens[2]


def test_siblings_share_a_position(image, build):
    rows = [fields["address"] for name, fields in build() if name == "rows"][-3:]
    assert rows[1] == rows[2] == rows[0] + image.layout.words(4 * image.config.head_size)


def test_every_row_that_is_given_is_taken(image, build):
    layers = image.config.layers
    for bits in range(1 << 2 * layers):
        parts = [bool(bits >> i & 1) for i in range(2 * layers)]
        mask = tuple(zip(parts[0::2], parts[1::2], strict=True))
        for headed in (False, True):
            for hidden in (False, True):
                ask = Ask(argmax=headed, layer_mask=mask, hidden=(0,) * hidden)
                check(build(ask=ask))


def check(program):
    """Every target of a residual is awaited by the commands right after it."""
    for index, (name, fields) in enumerate(program):
        if name == "residual":
            consumer = "dump" if fields["target"] else "norm"
            assert program[index + 1][0] == consumer
    given = [name for name, fields in program if name == "residual" and fields["target"]]
    assert len(given) == sum(name == "dump" for name, _ in program)


def test_a_pass_of_nothing_plays_nothing(image, build):
    mask = ((False, False),) * image.config.layers
    program = build(ask=Ask(argmax=False, layer_mask=mask))
    assert {name for name, _ in program} == {"begin", "rows", "end"}


def test_each_node_attends_to_its_ancestors(build):
    (fields, *_) = [fields for name, fields in build() if name == "attention"]
    assert fields["ancestors"] == 0b001 | 0b011 << 16 | 0b101 << 32
    assert fields["base"] == 5
