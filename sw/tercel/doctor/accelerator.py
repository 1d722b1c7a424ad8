"""Examination of the accelerator itself: overlay, clock, interrupt, memory rate, model."""

from collections.abc import Callable, Iterator

from tercel.doctor.bandwidth import measure_bandwidth, probe_words
from tercel.doctor.finding import Finding
from tercel.doctor.selftest import Selftest
from tercel.errors import TercelError
from tercel.hardware import HardwareBoard
from tercel.hardware.choices import words_for
from tercel.hardware.contiguous_memory import mebibytes
from tercel.hardware.overlay_files import OverlayFiles
from tercel.image import Image

__all__ = ["examine_accelerator"]

LEAST_PART = 0.5
"""Part of the memory's peak that reading reaches on a healthy board."""


def examine_accelerator(
    files: OverlayFiles,
    open_board: Callable[[int], HardwareBoard],
    *,
    image: Image | None = None,
    context: int | None = None,
    selftest: bool = False,
) -> Iterator[Finding]:
    """Examine an accelerator by running it; its memory is overwritten.

    Parameters
    ----------
    files
        The overlay.
    open_board
        Opens a board with so many words of memory.
    image, context
        A model that shall fit, and the positions of its cache.
    selftest
        True to play the recorded passes too.
    """
    try:
        spec, clock_hz = files.spec, files.clock_hz
        passes = Selftest.load()
        needed = max(probe_words(spec), passes.words(spec))
    except TercelError as error:
        yield _failure("overlay", error)
        return
    yield Finding(
        name="overlay",
        level="ok",
        state=f"{files.sidecar}: {spec.nodes} nodes, {spec.layout.ports} ports of "
        f"{8 * spec.layout.port_bytes} bits, {clock_hz / 1e6:.1f} MHz",
    )
    yield from _build(files)
    if image is not None:
        try:
            words = words_for(image, spec, context)
        except TercelError as error:
            yield _failure("model", error)
        else:
            yield Finding(
                name="model",
                level="ok",
                state=f"{image.config.name} needs {mebibytes(words * spec.layout.word_bytes)}",
            )
            needed = max(needed, words)
    try:
        board = open_board(needed)
    except TercelError as error:
        yield _failure("accelerator", error)
        return
    try:
        yield from _running(board, files, passes if selftest else None)
    except TercelError as error:
        yield _failure("accelerator", error)
    finally:
        board.close()


def _build(files: OverlayFiles) -> Iterator[Finding]:
    """Examine the record that the vendor's build left in the overlay's folder."""
    name, again = "build", "copy the whole overlay folder from one build"
    try:
        record = files.build
    except TercelError as error:
        yield Finding(name=name, level="warning", state=str(error), remedy=again)
        return
    if record is None:
        yield Finding(
            name=name, level="note", state="no record of the build, so its timing is not known"
        )
        return
    last = record.tries[-1]
    slacks = (
        f"slack of setup {last.setup:+.3f} (WNS), hold {last.hold:+.3f}, pulse width "
        f"{last.pulse:+.3f} ns"
    )
    made = f"Vivado {record.vivado}, {record.achieved_mhz:.2f} MHz"
    if not files.builds_match:
        yield Finding(
            name=name,
            level="failure",
            state=f"{made}: it is of other Verilog than the sidecar {files.sidecar.name}",
            remedy=again,
        )
    elif not record.met:
        yield Finding(
            name=name,
            level="warning",
            state=f"{made}: timing was not met, {slacks}",
            remedy=f"build it for {record.passing_mhz:.1f} MHz, at which it would pass; until then "
            "results may be wrong: run --selftest",
        )
    else:
        yield Finding(name=name, level="ok", state=f"{made}, timing met, {slacks}")


def _running(
    board: HardwareBoard, files: OverlayFiles, passes: Selftest | None
) -> Iterator[Finding]:
    """Examine an accelerator whose identity and clock are right."""
    measured = board.measured_hz or 0.0
    yield Finding(
        name="clock",
        level="ok",
        state=f"runs at {measured / 1e6:.2f} MHz, built for {board.clock_hz / 1e6:.2f}",
    )
    peak = (files.board.get("memory") or {}).get("peak_gbs")
    rates = measure_bandwidth(board, files.spec)
    ports = files.spec.layout.ports
    state = (
        f"reads {rates.reading / 1e9:.2f} GB/s, {rates.mixed / 1e9:.2f} GB/s with writes: all "
        f"{ports} ports together, each {rates.reading / ports / 1e9:.2f} GB/s, for words are "
        "striped over them"
    )
    if peak and rates.reading < LEAST_PART * peak * 1e9:
        yield Finding(
            name="memory rate",
            level="warning",
            state=f"{state}, of a peak of {peak} GB/s",
            remedy="end other programs that use memory or the display; check the clock",
        )
    else:
        yield Finding(name="memory rate", level="ok", state=state)
    if board.polls:
        yield Finding(
            name="interrupt",
            level="warning",
            state="none arrives, so the status is polled, which takes a core of the host",
            remedy="the device tree must give the accelerator's interrupt to a generic-uio device",
        )
    else:
        yield Finding(name="interrupt", level="ok", state="arrives")
    if passes is not None:
        yield from passes.run(board, files.spec)


def _failure(name: str, error: TercelError) -> Finding:
    """A finding of an error, whose message ends with its remedy."""
    state, _, remedy = str(error).partition("; ")
    return Finding(name=name, level="failure", state=state, remedy=remedy or "see docs/board.md")
