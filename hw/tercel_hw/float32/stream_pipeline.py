"""A primitive with streams as input and output."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring

from tercel_hw.float32.primitive import Primitive
from tercel_hw.float32.stages import Stages

__all__ = ["StreamPipeline"]


class StreamPipeline(wiring.Component):
    """A primitive with valid bits, stalled as a whole while its result waits.

    One transfer a cycle; the latency is the primitive's. ``i.ready`` follows ``o.ready``
    combinationally. Gaps between operands stay gaps between results.

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
        return self._primitive.latency

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.primitive = primitive = self._primitive
        enable = Signal()
        stages = Stages(m, enable)
        valid = stages.delay(self.i.valid, self.latency, "valid", reset=True)
        m.d.comb += [
            enable.eq(~valid | self.o.ready),
            self.i.ready.eq(enable),
            primitive.enable.eq(enable),
            self.o.valid.eq(valid),
            self.o.payload.value.eq(primitive.o),
            self.o.payload.tag.eq(stages.delay(self.i.payload.tag, self.latency, "tag")),
        ]
        for name in primitive.operands:
            m.d.comb += getattr(primitive, name).eq(self.i.payload[name])
        return m
