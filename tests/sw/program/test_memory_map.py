import dataclasses
import itertools

import pytest

from tercel.config import PRESETS
from tercel.errors import TercelError
from tercel.image import TapeLayout
from tercel.program import AcceleratorSpec, memory_map

AREAS = ("tape", "cache", "rows", "program", "summary", "logits", "hidden")


@pytest.fixture
def layout_of(image, spec):
    def make(context, **fields):
        return memory_map(config=image.config, spec=spec(image, **fields), context=context)

    return make


def test_more_memory_than_is_addressed_is_refused():
    """Word addresses beyond the accelerator's would wrap."""
    config = dataclasses.replace(PRESETS["2b"], layers=400)
    spec = AcceleratorSpec(
        layout=TapeLayout(ports=1),
        nodes=8,
        positions=4096,
        hidden=2560,
        columns=6912,
        head_size=128,
        sweeps=20,
        slices=160,
        top_k=8,
        rows=1 << 17,
        address_width=32,
    )
    message = r"needs \d{9} words of memory, but the accelerator addresses 268435456; open it"
    with pytest.raises(TercelError, match=message):
        memory_map(config=config, spec=spec, context=4096)
    wider = dataclasses.replace(spec, address_width=40)
    assert memory_map(config=config, spec=wider, context=4096).words > 1 << 28


def test_areas_follow_each_other(layout_of):
    where = layout_of(20)
    areas = [getattr(where, name) for name in AREAS]
    assert areas[0].first_word == 0
    for before, after in itertools.pairwise(areas):
        assert after.first_word == before.end_word
    assert where.words == areas[-1].end_word


def test_the_tape_lies_as_its_segments_say(image, layout_of):
    assert layout_of(1).tape.end_word == image.segments[-1].end_word


@pytest.mark.parametrize("context", [1, 7, 64])
def test_blocks_of_the_cache_hold_their_rows(image, layout_of, context):
    where, config, size = layout_of(context), image.config, image.layout.word_bytes
    assert size * where.cache_row_words >= context * config.head_size
    assert size * (where.head_stride - 2 * where.cache_row_words) >= 4 * context
    blocks = [
        where.block(layer, head)
        for layer in range(config.layers)
        for head in range(config.kv_heads)
    ]
    assert blocks[0] == where.cache.first_word
    assert [where.block(layer) for layer in range(config.layers)] == blocks[:: config.kv_heads]
    assert {b - a for a, b in itertools.pairwise(blocks)} == {where.head_stride}
    assert blocks[-1] + where.head_stride == where.cache.end_word


def test_results_have_room(image, layout_of):
    where, size = layout_of(20, nodes=5, top_k=6), image.layout.word_bytes
    assert where.line_bytes >= 20
    assert size * where.summary.words >= (6 + 2 * 6) * where.line_bytes
    assert size * where.logits.words >= image.config.vocab_size * where.line_bytes
    assert size * where.hidden.words >= image.config.hidden_size * where.line_bytes
    assert where.rows.words == 5 * where.given_row_words


@pytest.mark.parametrize(
    ("positions", "context", "most"), [(64, 65, 64), (32, 33, 32), (64, 0, 64)]
)
def test_a_context_out_of_range_is_refused(layout_of, positions, context, most):
    message = rf"context must be in 1\.\.{most}, the model's and the accelerator's, not {context}"
    with pytest.raises(TercelError, match=message):
        layout_of(context, positions=positions)


def test_the_map_depends_on_the_longest_program(image, spec):
    short = dataclasses.replace(image.config, layers=1)
    for config in (image.config, short):
        where = memory_map(config=config, spec=spec(image), context=8)
        size = where.program.words * image.layout.word_bytes
        most = 64 * (21 * config.layers + 2 * 8 + 8)
        assert most <= size < most + image.layout.word_bytes
