"""A primitive with streams as input and output."""

from amaranth.hdl import Module
from amaranth.lib import data, stream, wiring

from tercel_hw.float32.primitive import Primitive
from tercel_hw.float32.stages import Stages
from tercel_hw.result_queue import FLOWS, ResultQueue

__all__ = ["StreamPipeline"]


class StreamPipeline(wiring.Component):
    """A primitive that never stalls, with a queue that has room for all results in flight.

    One transfer a cycle; latency: the primitive's and a cycle for the queue. ``i.ready`` leaves a
    register, so ``o.ready`` reaches only counters.

    Parameters
    ----------
    primitive
        Primitive, which becomes a submodule.
    tag_bits
        Width of a tag that is passed along with the operands; 0 for none.

    Members
    -------
    i : In(stream.Signature(StructLayout({**primitive.operands, "tag": tag_bits})))
    o : Out(stream.Signature(StructLayout({"value": primitive.result, "tag": tag_bits})))

    Raises
    ------
    TypeError
        If ``primitive`` is not a :class:`Primitive`, or ``tag_bits`` no integer.
    ValueError
        If ``tag_bits`` is negative.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, primitive: Primitive, *, tag_bits: int = 0):
        if not isinstance(primitive, Primitive):
            raise TypeError(f"primitive must be a Primitive, not {primitive!r}")
        if not isinstance(tag_bits, int):
            raise TypeError(f"tag_bits must be an integer, not {tag_bits!r}")
        if tag_bits < 0:
            raise ValueError(f"tag_bits must not be negative, but is {tag_bits}")
        self._primitive = primitive
        operands = data.StructLayout({**primitive.operands, "tag": tag_bits})
        result = data.StructLayout({"value": primitive.result, "tag": tag_bits})
        super().__init__(
            {
                "i": wiring.In(stream.Signature(operands)),
                "o": wiring.Out(stream.Signature(result)),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from the transfer of operands to the offer of their result, without stalls."""
        return self._primitive.latency + ResultQueue.LATENCY

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.primitive = primitive = self._primitive
        cycles, stages = primitive.latency, Stages(m, FLOWS)
        result = self.o.payload.shape()
        m.submodules.queue = queue = ResultQueue(result, depth=self.latency + 1)
        wiring.connect(m, queue.o, wiring.flipped(self.o))
        m.d.comb += [
            primitive.enable.eq(FLOWS),
            self.i.ready.eq(queue.room),
            queue.enters.eq(self.i.valid & queue.room),
            queue.arrives.eq(stages.delay(queue.enters, cycles, "valid", reset=True)),
            queue.result.value.eq(primitive.o),
            queue.result.tag.eq(stages.delay(self.i.payload.tag, cycles, "tag")),
        ]
        for name in primitive.operands:
            m.d.comb += getattr(primitive, name).eq(self.i.payload[name])
        return m
