"""The way from the tape of matrices to the row-chunks of the ternary engine."""

from amaranth.hdl import Module, Mux
from amaranth.lib import stream
from amaranth.lib.wiring import connect

from tercel_hw.memory import Gearbox, TapeCutter
from tercel_hw.tlmm import TlmmEngine
from tercel_hw.top.config import AcceleratorConfig

__all__ = ["connect_matrix", "cut_tape"]

MATRIX = ("rows", "chunks", "codes")
"""Fields of the command ``engine`` that the ternary engine takes as they are."""


def cut_tape(
    m: Module,
    config: AcceleratorConfig,
    command: stream.Interface,
    words: stream.Interface,
    codes: stream.Interface,
) -> stream.Interface | None:
    """Add the cutter of the tape: a gearbox, with groups a :class:`TapeCutter`.

    Parameters
    ----------
    command
        Commands ``engine``.
    words
        Words of the tape.
    codes
        The engine's row-chunks.

    Returns
    -------
    The scales of rows, if there are groups.
    """
    fields = command.payload
    if not config.grouped:
        m.submodules.gearbox = gearbox = Gearbox(config=config.gearbox)
        connect(m, words, gearbox.i)
        m.d.comb += [
            gearbox.i_segment.valid.eq(command.valid),
            command.ready.eq(gearbox.i_segment.ready),
            gearbox.i_segment.payload.bytes.eq(fields.bytes),
            gearbox.i_segment.payload.chunks.eq(fields.row_chunks),
            codes.valid.eq(gearbox.o.valid),
            codes.payload.eq(gearbox.o.payload.data),
            gearbox.o.ready.eq(codes.ready),
        ]
        return None
    m.submodules.cutter = cutter = TapeCutter(config=config.blocks)
    connect(m, words, cutter.i)
    matrix = cutter.i_matrix.payload
    m.d.comb += [
        cutter.i_matrix.valid.eq(command.valid),
        command.ready.eq(cutter.i_matrix.ready),
        matrix.blocks.eq(fields.row_scales),
        matrix.rows.eq(fields.rows),
        matrix.chunks.eq(Mux(fields.row_scales, fields.chunks, fields.row_chunks)),
        matrix.bytes.eq(fields.bytes),
        matrix.last_bytes.eq(fields.last_bytes),
        codes.valid.eq(cutter.o.valid),
        codes.payload.eq(cutter.o.payload),
        cutter.o.ready.eq(codes.ready),
    ]
    return cutter.o_scales


def connect_matrix(
    m: Module, config: AcceleratorConfig, command: stream.Interface, engine: TlmmEngine
) -> None:
    """Give the commands ``engine`` to the ternary engine.

    Only grouped matrices have a row-chunk of other codes at the end of a row.
    """
    matrix, fields = engine.i_command.payload, command.payload
    m.d.comb += [
        engine.i_command.valid.eq(command.valid),
        command.ready.eq(engine.i_command.ready),
        *(matrix[name].eq(fields[name]) for name in MATRIX),
    ]
    if config.grouped:
        last = Mux(fields.grouped, fields.last_codes, fields.codes)
        m.d.comb += [matrix.grouped.eq(fields.grouped), matrix.last_codes.eq(last)]
