"""The board behind pynq: the rules of every board, and what only hardware can do wrong."""

import conformance
import pytest

from tercel.hardware.overlay_files import OverlayFiles
from tercel.hardware.pynq_board import PynqBoard
from tercel.hardware.pynq_driver import AcceleratorDriver

WORDS = 2048


@pytest.fixture
def board(simulated, overlay):
    simulated()
    made = PynqBoard(OverlayFiles(overlay), words=WORDS)
    yield made
    made.close()


@pytest.mark.parametrize("check", conformance.CHECKS, ids=lambda check: check.__name__)
def test_the_rules_of_boards(check, board, accelerator):
    check(board, accelerator.spec)


def test_pynq_binds_the_driver(board):
    assert type(board.overlay.accelerator) is AcceleratorDriver
    assert board.overlay.is_loaded()
    assert board.measured_hz == pytest.approx(250e6, rel=1e-3)
    assert not board.polls
