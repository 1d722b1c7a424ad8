import dataclasses

import pytest

from tercel.config import PRESETS
from tercel.image import LAYOUTS, Image, PassBytes, TapeLayout, footprint, segments


@pytest.mark.parametrize(("name", "bits"), [("kv260", 1.6), ("kv260-index5", 5 / 3)])
@pytest.mark.parametrize("model", ["0.7b", "2b"])
def test_bits_per_weight_are_near_the_code(model, name, bits):
    config, layout = PRESETS[model], LAYOUTS[name]
    found = footprint(config, layout)
    assert bits < found.bits_per_weight < 1.01 * bits
    head = config.vocab_size * (config.hidden_size + 4)
    ideal = config.ternary_weights * bits / 8 + head
    assert ideal < found.tape < 1.02 * ideal


def test_sizes_sum_to_the_tape(odd_config):
    layout = TapeLayout()
    found = footprint(odd_config, layout)
    assert found.tape == segments(odd_config, layout)[-1].end_word * 64
    assert found.tape == found.played + found.fetched


def test_kv_of_one_position():
    assert footprint(PRESETS["0.7b"], TapeLayout()).kv_per_position == 24 * 2 * (1536 + 16 * 2)
    assert footprint(PRESETS["2b"], TapeLayout()).kv_per_position == 30 * 2 * (640 + 5 * 2)


@pytest.mark.parametrize("tied", [True, False])
def test_a_whole_pass_reads_what_is_played_and_its_rows(build, odd_config, tied_config, tied):
    image = Image.open(build(tied_config if tied else odd_config)[0])
    rows = 2 * 64 + 64
    assert image.bytes_per_pass() == image.footprint.played + rows
    assert image.bytes_per_pass(nodes=3) == image.footprint.played + 3 * rows


def test_masked_layers_and_short_heads_are_not_read(odd_config):
    layout = TapeLayout()
    table = segments(odd_config, layout)
    size = {segment.name: segment.words * 64 for segment in table}
    read = PassBytes(table, layout)
    whole = read.count()
    mask = [(False, True), (True, False)]
    skipped = [
        *("layers.0.qkv", "layers.0.qkv.vector", "layers.0.o", "layers.0.o.vector"),
        *("layers.1.gate_up", "layers.1.gate_up.vector", "layers.1.down", "layers.1.down.vector"),
    ]
    masked = read.count(layer_mask=mask)
    assert whole - masked == sum(size[name] for name in skipped)
    assert whole - read.count(head_rows=0) == size["head"] + size["head.vector"]
    assert whole - read.count(head_rows=17) == size["head"] // 3
    assert whole == read.count(head_rows=37)


def test_groups_take_1_7_bits_a_weight():
    config = dataclasses.replace(PRESETS["2b"], granularity="group", ternary_head=True)
    found = footprint(config, LAYOUTS["kv260-groups"])
    # 82 bytes for three groups of 128 weights are 1.708 bits; a row scale adds 32 bits a row.
    assert 1.708 < found.bits_per_weight < 1.73
    assert found.head < 0.22 * config.vocab_size * config.hidden_size


def test_a_pass_with_a_ternary_head_reads_whole_blocks(groups_config):
    config = dataclasses.replace(groups_config, ternary_head=True, vocab_size=37)
    layout = TapeLayout(tables=78, block_rows=16)
    table = segments(config, layout)
    read = PassBytes(table, layout)
    (head,) = [segment for segment in table if segment.name == "head"]
    block = 64 + -(-16 * 28 // 64) * 64  # 16 row scales, then a group of 26 codes and 10 bits
    assert head.words * 64 == 2 * block + 64 + -(-5 * 28 // 64) * 64
    whole = read.count()
    assert whole - read.count(head_rows=17) == head.words * 64 - 2 * block
    assert whole - read.count(head_rows=32) == head.words * 64 - 2 * block
    assert whole == read.count(head_rows=33) == read.count(head_rows=37)
    # A row of the embedding is its scale, and a row-chunk that may begin anywhere in a word.
    assert read.count(nodes=2) - whole == 64 + 2 * 64 + 64


@pytest.mark.parametrize("tied", [True, False])
def test_a_ternary_head_is_a_head(groups_config, tied):
    config = dataclasses.replace(groups_config, ternary_head=True, tied_head=tied)
    layout = LAYOUTS["kv260-groups"]
    found = footprint(config, layout)
    size = {segment.name: segment.words * 64 for segment in segments(config, layout)}
    assert found.head == size["head"]
    assert found.fetched == size["rope"] + (0 if tied else size["embedding"])
    assert found.tape == found.played + found.fetched


@pytest.mark.parametrize("tied", [True, False])
def test_a_two_stage_head_reads_the_shortlist_and_the_listed_rows(odd_config, tied):
    whole = dataclasses.replace(odd_config, vocab_size=1300, tied_head=tied)
    config, layout = dataclasses.replace(whole, shortlist=32), LAYOUTS["kv260-groups"]
    table = segments(config, layout)
    size = {segment.name: segment.words * 64 for segment in table}
    found = footprint(config, layout)
    assert found.shortlist == size["shortlist"]
    assert found.tape == found.played + found.fetched + found.shortlist == table[-1].end_word * 64
    assert found.played == footprint(whole, layout).played
    assert found.bits_per_weight == footprint(whole, layout).bits_per_weight
    read, row = PassBytes(table, layout), 64 + 64  # a row of 23 columns, and the word of its scale
    assert read.count(listed=40) == read.count() - size["head"] + size["shortlist"] + 40 * row
    block = 512 * (4 + 5)  # row scales and a row-chunk of five codes a row
    for head_rows, blocks in ((1, 1), (512, 1), (513, 2), (1024, 2)):
        short = read.count(head_rows=head_rows, listed=32)
        assert short == read.count() - size["head"] + blocks * block + 32 * row
    assert read.count(head_rows=0, listed=0) == read.count(head_rows=0)
