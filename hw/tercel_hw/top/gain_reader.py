"""The reader of vector segments: weight scales and norm gains."""

from amaranth.hdl import Cat, Module, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from tercel.image.layout import SCALARS
from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.vector import VectorConfig, command_layout

__all__ = ["GainReader"]

HEAD = 1
"""Target of a norm for which the segment's weight scales are not used."""


class GainReader(wiring.Component):
    """Unpacks vector segments, one float a cycle: 16 weight scales, then the gains of the norm.

    The rest of a segment's last word is dropped.

    Parameters
    ----------
    config
        Parameters of the vector unit.

    Members
    -------
    i_command : In(stream.Signature(command_layout("norm")))
    i : In(stream.Signature(config.word))
        ``words`` of each command.
    o_weights : Out(stream.Signature(ArrayLayout(32, 16)))
        The weight scales, once for each command whose target is the engine.
    o_gain : Out(stream.Signature(32))
        ``width`` gains for each command that is ``normed``.
    """

    i_command: stream.Interface
    i: stream.Interface
    o_weights: stream.Interface
    o_gain: stream.Interface

    def __init__(self, config: VectorConfig):
        self._config = config
        super().__init__(
            {
                "i_command": In(stream.Signature(command_layout("norm"))),
                "i": In(stream.Signature(unsigned(config.word))),
                "o_weights": Out(stream.Signature(data.ArrayLayout(FLOAT32_BITS, SCALARS))),
                "o_gain": Out(stream.Signature(FLOAT32_BITS)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, command = self._config, Signal(command_layout("norm"))
        word = Signal(config.word, reset_less=True)
        held = Signal(range(config.word_floats + 1))
        words, scalars = Signal.like(command.words), Signal(range(SCALARS + 1))
        gains = Signal.like(command.width)
        weights = Signal(SCALARS * FLOAT32_BITS, reset_less=True)
        shift, open_, offers = Signal(), Signal(), Signal()
        m.d.comb += [
            # A new word may come in the cycle in which the last float of the old one leaves.
            self.i.ready.eq(open_ & (words != 0) & ((held == 0) | ((held == 1) & shift))),
            self.o_weights.payload.eq(weights),
            self.o_weights.valid.eq(offers),
            self.o_gain.payload.eq(word[:FLOAT32_BITS]),
            self.o_gain.valid.eq((held != 0) & (scalars == 0) & (gains != 0)),
        ]
        with m.If(held != 0):
            with m.If(scalars != 0):
                m.d.comb += shift.eq(1)
            with m.Elif(gains != 0):
                m.d.comb += shift.eq(self.o_gain.ready)
            with m.Else():
                m.d.comb += shift.eq(1)
        with m.If(shift):
            m.d.sync += [word.eq(word >> FLOAT32_BITS), held.eq(held - 1)]
            with m.If(scalars != 0):
                m.d.sync += [
                    scalars.eq(scalars - 1),
                    weights.eq(Cat(weights[FLOAT32_BITS:], word[:FLOAT32_BITS])),
                ]
                with m.If(scalars == 1):
                    m.d.sync += offers.eq(command.target != HEAD)
            with m.Elif(gains != 0):
                m.d.sync += gains.eq(gains - 1)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [word.eq(self.i.payload), held.eq(config.word_floats), words.eq(words - 1)]
        with m.If(self.o_weights.valid & self.o_weights.ready):
            m.d.sync += offers.eq(0)

        ended = Signal()
        m.d.comb += [
            ended.eq(open_ & (words == 0) & (held == 0) & ~offers),
            self.i_command.ready.eq(~open_),
        ]
        with m.If(ended):
            m.d.sync += open_.eq(0)
        with m.If(self.i_command.valid & self.i_command.ready):
            taken = self.i_command.payload
            m.d.sync += [
                command.eq(taken),
                open_.eq(1),
                words.eq(taken.words),
                scalars.eq(SCALARS),
            ]
            with m.If(taken.normed):
                m.d.sync += gains.eq(taken.width)
            with m.Else():
                m.d.sync += gains.eq(0)
        return m
