"""The reader of vector segments: weight scales and norm gains."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from tercel.image.layout import SCALARS
from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.memory import RegisterSlice
from tercel_hw.vector import VectorConfig, command_layout

__all__ = ["GainReader"]

HEAD = 1
"""Target of a norm for which the segment's weight scales are not used."""


class GainReader(wiring.Component):
    """Unpacks vector segments, one float a cycle: 16 weight scales, then the gains of the norms.

    The rest of a segment's last word is dropped. No path leads through the block from stream to
    stream: a word waits in a register before its turn, gains leave through a register slice. The
    first gain is offered ``LATENCY`` cycles after a command and its first word.

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
    o_head_gain : Out(stream.Signature(32))
        ``head_gains`` of each command, which stand behind its other gains. Only with ``qk_norm``.
    """

    LATENCY = 2 + SCALARS + RegisterSlice.LATENCY

    i_command: stream.Interface
    i: stream.Interface
    o_weights: stream.Interface
    o_gain: stream.Interface
    o_head_gain: stream.Interface

    def __init__(self, config: VectorConfig):
        self._config = config
        gain = Out(stream.Signature(FLOAT32_BITS))
        super().__init__(
            {
                "i_command": In(stream.Signature(command_layout("norm"))),
                "i": In(stream.Signature(unsigned(config.word))),
                "o_weights": Out(stream.Signature(data.ArrayLayout(FLOAT32_BITS, SCALARS))),
                "o_gain": gain,
                **({"o_head_gain": gain} if config.qk_norm else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, command = self._config, self.i_command.payload
        weights = Signal(SCALARS * FLOAT32_BITS, reset_less=True)
        word, full = Signal(config.word, reset_less=True), Signal()
        place, words = Signal(range(config.word_floats)), Signal.like(command.words)
        value = word.word_select(place, FLOAT32_BITS)
        # What is left of a segment, in this order.
        scalars, gains = Signal(range(SCALARS + 1)), Signal.like(command.width)
        heads = Signal.like(command.head_gains) if config.qk_norm else Const(0, 1)
        open_, steps, loads, offers, to_engine = (Signal() for _ in range(5))
        ends = place == config.word_floats - 1
        sends = (gains != 0) | (heads != 0)
        ready = self._send(m, full & (scalars == 0) & sends, value, gains == 0)
        m.d.comb += [
            steps.eq(full & ((scalars != 0) | ~sends | ready)),
            # A new word may come in the cycle in which the last float of the old one leaves.
            loads.eq(open_ & (words != 0) & (~full | (ends & steps))),
            self.o_weights.payload.eq(weights),
            self.o_weights.valid.eq(offers),
            self.i_command.ready.eq(~open_),
        ]
        with m.If(self.o_weights.valid & self.o_weights.ready):
            m.d.sync += offers.eq(0)
        with m.If(steps):
            m.d.sync += [place.eq(place + 1), full.eq(~ends)]
            with m.If(scalars != 0):
                m.d.sync += scalars.eq(scalars - 1)
                m.d.sync += weights.eq(Cat(weights[FLOAT32_BITS:], value))
                with m.If(scalars == 1):
                    m.d.sync += offers.eq(to_engine)
            with m.Elif(gains != 0):
                m.d.sync += gains.eq(gains - 1)
            if config.qk_norm:
                with m.Elif(heads != 0):
                    m.d.sync += heads.eq(heads - 1)

        # The next word waits, so that `ready` leaves a register.
        waiting, next_word = Signal(), Signal(config.word, reset_less=True)
        m.d.comb += self.i.ready.eq(~waiting)
        with m.If(~waiting):
            m.d.sync += next_word.eq(self.i.payload)
            m.d.sync += waiting.eq(self.i.valid)
        with m.If(waiting & loads):
            m.d.sync += waiting.eq(0)
            m.d.sync += [word.eq(next_word), full.eq(1), words.eq(words - 1)]

        with m.If(open_ & (words == 0) & ~full & ~offers):
            m.d.sync += open_.eq(0)
        with m.If(self.i_command.valid & self.i_command.ready):
            m.d.sync += [
                open_.eq(1),
                words.eq(command.words),
                scalars.eq(SCALARS),
                gains.eq(Mux(command.normed, command.width, 0)),
                to_engine.eq(command.target != HEAD),
            ]
            if config.qk_norm:
                m.d.sync += heads.eq(command.head_gains)
        return m

    def _send(self, m: Module, valid: Value, value: Value, head: Value) -> Value:
        """Send gains to their consumer; return a signal that is high if one is taken."""
        layout = data.StructLayout({"value": FLOAT32_BITS, "head": int(self._config.qk_norm)})
        m.submodules.gains = gains = RegisterSlice(layout)
        m.d.comb += [gains.i.valid.eq(valid), gains.i.payload.value.eq(value)]
        consumers = [self.o_gain]
        if self._config.qk_norm:
            consumers.append(self.o_head_gain)
            m.d.comb += gains.i.payload.head.eq(head)
        for number, consumer in enumerate(consumers):
            mine = gains.o.payload.head == number
            m.d.comb += [
                consumer.valid.eq(gains.o.valid & mine),
                consumer.payload.eq(gains.o.payload.value),
            ]
            with m.If(mine):
                m.d.comb += gains.o.ready.eq(consumer.ready)
        return gains.i.ready
