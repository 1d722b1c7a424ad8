"""UltraRAM as the vendor's tool packs it."""

import pytest

from tercel_hw.synthesis.ultra_ram import packed_blocks, ultra_blocks


@pytest.mark.parametrize(
    ("width", "words", "blocks"),
    [(512, 16384, 32), (72, 4096, 1), (73, 4096, 2), (72, 4097, 2), (256, 8192, 8), (136, 10, 2)],
)
def test_blocks_are_whole_columns_by_whole_banks(width, words, blocks):
    assert packed_blocks(width, words) == blocks


def test_memories_of_other_styles_are_left_out():
    text = "".join(
        f'  attribute \\ram_style "{style}"\n  memory width {width} size {size} \\m\n'
        for style, width, size in (("ultra", 512, 16384), ("block", 72, 512), ("ultra", 288, 4096))
    )
    assert ultra_blocks(text) == 32 + 4
