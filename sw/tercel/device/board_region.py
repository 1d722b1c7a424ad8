"""A part of a board's memory as a board of its own, for several models on one accelerator."""

from collections.abc import Sequence

from tercel.device.board import Board
from tercel.device.facts import DeviceFacts
from tercel.device.registers import REGISTERS
from tercel.errors import TercelError
from tercel.image import TapeLayout
from tercel.program import MemoryRegion

__all__ = ["BoardRegion", "board_regions"]

UNFINISHED = REGISTERS["STATUS_BUSY_MASK"] | REGISTERS["STATUS_ERROR_MASK"]
AT_ONCE = (REGISTERS["CONTROL"], REGISTERS["ERROR"])
"""Registers that are written at once; all others belong to the next pass."""


class BoardRegion(Board):
    """A run of words of a board, with registers that it alone seems to have.

    Addresses of a pass count from the ports' bases, so a model in a region needs other bases and
    nothing else. Written registers are kept and go to the accelerator before each start. Passes of
    different regions take turns: a pass that another region left unfinished, since it was
    interrupted, is reset before the next start.

    Parameters
    ----------
    board
        The whole board.
    layout
        The accelerator's layout of words.
    first_word
        First word of the region on ``board``.
    words
        Size of the region in words.

    Raises
    ------
    TercelError
        If the region is not within the board's memory.
    """

    def __init__(self, board: Board, layout: TapeLayout, *, first_word: int, words: int):
        if not 0 <= first_word <= first_word + words <= board.words:
            raise TercelError(
                f"a region must lie in the words 0..{board.words - 1} of the board, "
                f"not in {first_word}..{first_word + words - 1}"
            )
        self._board = board
        self.memory = MemoryRegion(board, layout, first_word=first_word, words=words)
        self._bases = tuple(base + first_word * layout.port_bytes for base in board.bases)
        self._registers: dict[int, int] = {}

    @property
    def clock_hz(self) -> float:
        return self._board.clock_hz

    @property
    def bases(self) -> tuple[int, ...]:
        return self._bases

    @property
    def simulation_seconds(self) -> float | None:
        return self._board.simulation_seconds

    def facts(self) -> DeviceFacts:
        return self._board.facts()

    def read_register(self, offset: int) -> int:
        return self._board.read_register(offset)

    def write_register(self, offset: int, value: int) -> None:
        if offset not in AT_ONCE:
            self._registers[offset] = value
            return
        if offset == REGISTERS["CONTROL"] and value & REGISTERS["CONTROL_START_MASK"]:
            if self._board.read_register(REGISTERS["STATUS"]) & UNFINISHED:
                self._board.reset()
            for register, kept in self._registers.items():
                self._board.write_register(register, kept)
        self._board.write_register(offset, value)

    def wait(self, timeout: float) -> None:
        self._board.wait(timeout)

    def end_wait(self) -> None:
        self._board.end_wait()


def board_regions(board: Board, layout: TapeLayout, sizes: Sequence[int]) -> list[BoardRegion]:
    """Divide a board into regions of so many words, one behind the other.

    Raises
    ------
    TercelError
        If the board's memory is too small.
    """
    needed = sum(sizes)
    if needed > board.words:
        raise TercelError(
            f"the models need {needed * layout.word_bytes} bytes of the accelerator's memory "
            f"together, but it has {board.words * layout.word_bytes}; "
            "open them with shorter contexts"
        )
    starts = [sum(sizes[:index]) for index in range(len(sizes))]
    return [
        BoardRegion(board, layout, first_word=start, words=size)
        for start, size in zip(starts, sizes, strict=True)
    ]
