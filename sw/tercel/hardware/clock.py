"""The accelerator's clock, measured against the host's."""

import numpy as np

from tercel.device.board import Board
from tercel.device.registers import REGISTERS, error_names
from tercel.errors import TercelError
from tercel.hardware.timer import Timer
from tercel.program import COMMANDS

__all__ = ["check_clock", "measure_clock"]

SAMPLES = 8
"""Readings of which the fastest one counts."""
RESOLUTIONS = 2000
"""Length of a measurement in resolutions of the timer, so that it is exact to a thousandth."""
TOLERANCE = 0.01
"""Largest relative deviation of a right clock: of achieved from nominal, and of two crystals."""


def measure_clock(board: Board, timer: Timer) -> float:
    """Measure the accelerator's clock in Hz by the cycles of a pass that waits until it is reset.

    The first words of the memory are overwritten; the watchdog is off afterwards.

    Raises
    ------
    TercelError
        If the program cannot run, the cycles do not count, or the reset does not end.
    """
    caps, shape = (board.read_register(REGISTERS[name]) for name in ("CAPS", "SHAPE"))
    # A dump waits for a row of the residual stream, which nothing sends.
    program = COMMANDS["begin"].encode(caps=caps, shape=shape)
    program += COMMANDS["dump"].encode(address=0, width=1) + COMMANDS["end"].encode()
    word_bytes = (caps >> 8 & 0xFF) * (caps >> 16 & 0xFF)
    board.reset()
    board.write(0, np.frombuffer(program, np.uint8).reshape(-1, word_bytes))
    settings = {REGISTERS["WATCHDOG"]: 0, REGISTERS["PROGRAM_LENGTH"]: 3}
    longs = {REGISTERS["PROGRAM_ADDRESS"]: 0}
    longs |= {REGISTERS["TAPE_BASE0"] + 8 * port: base for port, base in enumerate(board.bases)}
    for offset, value in longs.items():
        settings |= {offset: value & 0xFFFFFFFF, offset + 4: value >> 32}
    for offset, value in settings.items():
        board.write_register(offset, value)
    board.write_register(REGISTERS["CONTROL"], REGISTERS["CONTROL_START_MASK"])
    try:
        first, earlier = _sample(board, timer)
        reported = board.read_register(REGISTERS["ERROR"])
        timer.sleep(RESOLUTIONS * timer.resolution)
        last, later = _sample(board, timer)
    finally:
        board.reset()
    if reported:
        names = error_names(len(board.bases))
        found = [name for bit, name in enumerate(names) if reported >> bit & 1]
        raise TercelError(
            f"the accelerator cannot run a program from its memory (errors {', '.join(found)}): "
            "its ports must reach the buffers' addresses, and the host's cache must be flushed; "
            "check the overlay's address map"
        )
    cycles = (later - earlier) & 0xFFFFFFFF
    if not cycles:
        raise TercelError(
            "the accelerator's clock stands still: its cycles do not count; load its bitstream "
            "again"
        )
    return cycles / (last - first)


def check_clock(measured: float, expected: float) -> None:
    """Compare the measured clock with that for which the overlay was built, both in Hz.

    Raises
    ------
    TercelError
        If they differ by more than 1 %.
    """
    if abs(measured / expected - 1) <= TOLERANCE:
        return
    consequence = (
        f"passes take {expected / measured:.2f} times as long"
        if measured < expected
        else "its results may be wrong"
    )
    raise TercelError(
        f"the accelerator's clock runs at {measured / 1e6:.1f} MHz, but its overlay was built for "
        f"{expected / 1e6:.1f} MHz, so {consequence}; load the overlay again, and see "
        "`tercel doctor`"
    )


def _sample(board: Board, timer: Timer) -> tuple[float, int]:
    """The time and the low half of the cycles at that time."""
    readings = []
    for _ in range(SAMPLES):
        before = timer.now()
        cycles = board.read_register(REGISTERS["CYCLES"])
        after = timer.now()
        readings.append((after - before, (before + after) / 2, cycles))
    _, moment, cycles = min(readings)
    return moment, cycles
