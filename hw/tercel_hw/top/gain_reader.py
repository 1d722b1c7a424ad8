"""The reader of vector segments: weight scales and norm gains."""

from amaranth.hdl import Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from tercel.image.layout import SCALARS
from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.shallow_fifo import ShallowFifo
from tercel_hw.vector import VectorConfig, command_layout

__all__ = ["GainReader"]

HEAD = 1
"""Target of a norm for which the segment's weight scales are not used."""


class GainReader(wiring.Component):
    """Unpacks vector segments, one float a cycle: 16 weight scales, then the gains of the norms.

    The rest of a segment's last word is dropped. No path leads through the block from stream to
    stream: words and gains wait in queues. The first gain is offered ``LATENCY`` cycles after a
    command and its first word.

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

    LATENCY = 1 + SCALARS + ShallowFifo.LATENCY

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
        weights = Signal(data.ArrayLayout(FLOAT32_BITS, SCALARS), reset_less=True)
        m.submodules.queue = queue = ShallowFifo(unsigned(config.word), depth=2)
        connect(m, flipped(self.i), queue.i)
        # `more`: words of the segment are left.
        place, words, more = Signal(range(config.word_floats)), Signal.like(command.words), Signal()
        value = queue.o.payload.word_select(place, FLOAT32_BITS)
        # What is left of a segment, in this order; `sends`: there are gains.
        scalars, scaling = Signal(range(SCALARS + 1)), Signal()
        gains, sends = Signal.like(command.width), Signal()
        heads = Signal.like(command.head_gains) if config.qk_norm else Const(0, 1)
        open_, waits, steps, offers, to_engine = (Signal() for _ in range(5))
        ends = place == config.word_floats - 1
        ready = self._send(m, waits & ~scaling & sends, value, gains == 0)
        m.d.comb += [
            waits.eq(queue.o.valid & more),
            steps.eq(waits & (scaling | ~sends | ready)),
            queue.o.ready.eq(more & ends & (scaling | ~sends | ready)),
            self.o_weights.payload.eq(weights),
            self.o_weights.valid.eq(offers),
            self.i_command.ready.eq(~open_),
        ]
        with m.If(self.o_weights.valid & self.o_weights.ready):
            m.d.sync += offers.eq(0)
        with m.If(steps):
            m.d.sync += place.eq(place + 1)
            with m.If(scaling):
                m.d.sync += [scalars.eq(scalars - 1), scaling.eq(scalars != 1)]
                # A scale each has an enable of its own: less loads than a shift register's.
                for index in range(SCALARS):
                    with m.If(scalars == SCALARS - index):
                        m.d.sync += weights[index].eq(value)
                with m.If(scalars == 1):
                    m.d.sync += offers.eq(to_engine)
            with m.Elif(gains != 0):
                m.d.sync += [gains.eq(gains - 1), sends.eq((gains != 1) | (heads != 0))]
            if config.qk_norm:
                with m.Elif(heads != 0):
                    m.d.sync += [heads.eq(heads - 1), sends.eq(heads != 1)]
            with m.If(ends):
                m.d.sync += [place.eq(0), words.eq(words - 1), more.eq(words != 1)]

        with m.If(open_ & ~more & ~offers):
            m.d.sync += open_.eq(0)
        with m.If(self.i_command.valid & self.i_command.ready):
            normed = command.normed & (command.width != 0)
            m.d.sync += [
                open_.eq(1),
                words.eq(command.words),
                more.eq(command.words != 0),
                scalars.eq(SCALARS),
                scaling.eq(1),
                gains.eq(Mux(command.normed, command.width, 0)),
                to_engine.eq(command.target != HEAD),
                sends.eq(normed | (command.head_gains != 0) if config.qk_norm else normed),
            ]
            if config.qk_norm:
                m.d.sync += heads.eq(command.head_gains)
        return m

    def _send(self, m: Module, valid: Value, value: Value, head: Value) -> Value:
        """Send gains to their consumer; return a signal that is high if one is taken."""
        layout = data.StructLayout({"value": FLOAT32_BITS, "head": int(self._config.qk_norm)})
        m.submodules.gains = gains = ShallowFifo(layout, depth=2)
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
