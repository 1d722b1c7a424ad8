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
