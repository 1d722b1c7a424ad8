import re
from pathlib import Path

import pytest

from tercel.errors import TercelError
from tercel_hw.board import board_names, load_board, parse_board
from tercel_hw.export.bundle import STORED, read_resources
from tercel_hw.export.interfaces import describe_interfaces
from tercel_hw.export.vivado import check_board
from tercel_hw.registers import accelerator_registers
from tercel_hw.target import Target
from tercel_hw.top.config import ACCELERATORS

FOLDER = Path(__file__).parents[2] / "boards"
TEXT = (FOLDER / "kv260" / "board.toml").read_text()


@pytest.mark.parametrize("name", board_names())
def test_a_board_fits_its_accelerator(name):
    board = load_board(name)
    config = ACCELERATORS[board.preset]
    check_board(board, config)
    assert accelerator_registers(config.control).size <= board.control_bytes
    assert min(vars(board.resources).values()) > 0


@pytest.mark.parametrize("name", board_names())
def test_the_stored_report_is_of_a_boards_accelerator(name):
    board = load_board(name)
    report = read_resources(ACCELERATORS[board.preset], board.target, board.folder / STORED)
    assert all(report["total"][kind] <= amount for kind, amount in vars(board.resources).items())


@pytest.mark.parametrize("name", board_names())
def test_pins_of_the_script_exist(name):
    board = load_board(name)
    interfaces = describe_interfaces(ACCELERATORS[board.preset])
    ports = {port for bus in interfaces.values() for port in bus["ports"]}
    script = (board.folder / "build.tcl").read_text()
    assert set(re.findall(r"\$accelerator/(\w+)\]", script)) <= ports
    assert script.count("{") == script.count("}")
    assert script.count("[") == script.count("]")


def test_the_kv260_is_what_its_datasheet_says():
    board = load_board("kv260")
    assert (board.part, board.target) == ("xck26-sfvc784-2LV-c", Target.ULTRASCALE_PLUS)
    assert board.memory_ports == tuple(f"S_AXI_HP{port}_FPD" for port in range(4))
    assert (board.resources.lut, board.resources.uram, board.clock_mhz) == (117120, 64, 250)
    assert load_board("kv260") == parse_board(TEXT, "kv260", FOLDER / "kv260")


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("mhz = 250", "", "the board new lacks the field mhz"),
        ("[clock]", "[clocks]", "the board new lacks the field clock"),
        ("mhz = 250", "mhz = 250\nphase = 0", "the board new has unknown fields: phase"),
        ("lut = 117120", "luts = 1", "the resources of the board new: .*'luts'"),
        ("mhz = 250", "mhz =", "the board new is not valid TOML"),
        ('family = "ultrascale+"', "", "the board new lacks the field family"),
        (
            'family = "ultrascale+"',
            'family = "7series"',
            "the family of the board new must be one of portable, ultrascale\\+, not '7series'",
        ),
    ],
)
def test_errors_name_the_field(before, after, message):
    with pytest.raises(TercelError, match=message):
        parse_board(TEXT.replace(before, after, 1), "new", FOLDER)


def test_an_unknown_board_is_refused():
    with pytest.raises(TercelError, match=r"board must be one of kv260, not '\.\.'"):
        load_board("..")
