import dataclasses
import json

import boards
import pytest

from tercel.config import PRESETS
from tercel.errors import TercelError
from tercel_hw.board import load_board


def test_the_largest_model_leaves_the_system_its_memory():
    assert boards.largest(load_board("kv260")) == boards.largest(load_board("ultra96v2")) == "2b"
    assert boards.largest(load_board("pynq-z2")) == "0.7b"
    small = load_board("kv260")
    half = dataclasses.replace(small.ddr, bytes=1 << 29)
    assert boards.largest(dataclasses.replace(small, ddr=half)) == "0.7b"
    none = dataclasses.replace(small.ddr, bytes=1 << 20)
    with pytest.raises(TercelError, match="no model fits the board kv260"):
        boards.largest(dataclasses.replace(small, ddr=none))


def test_image_and_cache_are_counted():
    board = load_board("pynq-z2")
    model = PRESETS["0.7b"]
    cache = 2 * model.layers * model.kv_heads * model.context * (model.head_size + 2)
    assert 1.0 < boards.needed(board, model) / (178e6 + cache) < 1.1


def test_figures_have_a_cell_for_each_head():
    cells = boards.figures(load_board("kv260"), "small")
    assert cells[:2] == ["kv260", "`small`"]
    assert 3000 < float(cells[3].replace(",", "")) < 4000
    assert cells[4].endswith("(K = 8)")
    shares = boards.resources(load_board("zcu104"))
    board = load_board("zcu104")
    lut = json.loads(boards.stored_report(board).read_text())["total"]["lut"]
    assert shares[:2] == ["zcu104", "kv260"]
    assert shares[2] == f"{lut:,} ({lut / board.resources.lut:.0%})"
