from pathlib import Path

import pytest

from tercel.errors import TercelError
from tercel_hw.board import board_names, load_board, parse_board
from tercel_hw.export.bundle import read_resources, stored_report
from tercel_hw.export.vivado import check_board
from tercel_hw.processor import Processor
from tercel_hw.registers import accelerator_registers
from tercel_hw.target import Target
from tercel_hw.top.config import ACCELERATORS
from tercel_sim.ddr import DDR

FOLDER = Path(__file__).parents[2] / "boards"
TEXT = (FOLDER / "kv260" / "board.toml").read_text()


@pytest.mark.parametrize("name", board_names())
def test_a_board_fits_its_accelerator(name):
    board = load_board(name)
    config = ACCELERATORS[board.preset]
    check_board(board, config)
    assert accelerator_registers(config.control).size <= board.control_bytes
    assert min(count for kind, count in vars(board.resources).items() if kind != "uram") > 0
    assert board.processor.protocol == ("AXI3" if board.target is Target.SERIES_7 else "AXI4")
    assert config.ultra_ram <= (board.resources.uram > 0)


@pytest.mark.parametrize("name", board_names())
def test_the_stored_report_is_of_a_boards_accelerator(name):
    board = load_board(name)
    report = read_resources(ACCELERATORS[board.preset], board.target, stored_report(board))
    assert all(report["total"][kind] <= amount for kind, amount in vars(board.resources).items())


@pytest.mark.parametrize("name", board_names())
def test_words_carry_what_the_memory_does(name):
    """The clock is no higher than the memory needs, and at most a fifth lower."""
    board = load_board(name)
    config, memory = ACCELERATORS[board.preset], DDR[board.ddr.simulated]
    words = config.word_bytes * board.clock_mhz / 1000
    assert words > 0.95 * memory.sustained_gbs
    assert memory.clock_mhz == board.clock_mhz
    assert memory.sustained_gbs == pytest.approx(0.78 * board.ddr.peak_gbs, rel=0.01)


def test_the_kv260_is_what_its_datasheet_says():
    board = load_board("kv260")
    assert (board.part, board.target) == ("xck26-sfvc784-2LV-c", Target.ULTRASCALE_PLUS)
    assert (board.processor, board.ddr.peak_gbs) == (Processor.ZYNQMP, 19.2)
    assert board.memory_ports == tuple(f"S_AXI_HP{port}_FPD" for port in range(4))
    assert (board.resources.lut, board.resources.uram, board.clock_mhz) == (117120, 64, 250)
    assert load_board("kv260") == parse_board(TEXT, "kv260", FOLDER / "kv260")


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("mhz = 250", "", "the board new lacks the field mhz"),
        ("[clock]", "[clocks]", "the board new lacks the field clock"),
        ("mhz = 250", "mhz = 250\nphase = 0", "the board new has unknown fields: phase"),
        ("lut = 117120", "luts = 1", "the resources of the board new must have .*; odd: lut, luts"),
        ("bits = 64 #", "#", "the ddr of the board new must have .*; odd: bits"),
        ("base = 0x0,", "", "a segment of the board new must have .*; odd: base"),
        (
            "bytes = 0x8000_0000 },",
            "bytes = 0x4000_0000 },",
            "must be all of its memory, 4294967296",
        ),
        ("mhz = 250", "mhz =", "the board new is not valid TOML"),
        ('family = "ultrascale+"', "", "the board new lacks the field family"),
        (
            'family = "ultrascale+"',
            'family = "versal"',
            "the family of the board new must be one of portable, 7series, .*, not 'versal'",
        ),
        (
            'processor = "zynqmp"',
            'processor = "versal"',
            "the processor of the board new must be one of zynq7, zynqmp, not 'versal'",
        ),
    ],
)
def test_errors_name_the_field(before, after, message):
    with pytest.raises(TercelError, match=message):
        parse_board(TEXT.replace(before, after, 1), "new", FOLDER)


def test_an_unknown_board_is_refused():
    with pytest.raises(TercelError, match=r"board must be one of kr260, kv260, .*, not '\.\.'"):
        load_board("..")
