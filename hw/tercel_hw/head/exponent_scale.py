"""The scaling of unscaled logits to base-2 logits."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import memory, stream, wiring

from tercel.numerics.functions import EXP2_FRACTION_BITS, LOG2_E
from tercel_hw.float32 import FloatToFixed, Multiplier, Stages, attach
from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.head.config import EXPONENT_BITS, HeadConfig

__all__ = ["ExponentScale"]


class ExponentScale(wiring.Component):
    """``t = fixed(u * (s * log2e))`` with the scales s of the lanes, in one pipeline.

    The multiplier first computes ``s * log2e`` of each scale, then ``t`` of each logit: one a
    cycle, latency 12. There is no flow control: no logit may come while ``busy``.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    i_scale : In(stream.Signature(config.scale))
        Always ready; not in a cycle of a logit. A scale is used until the lane gets another.
    i : In(stream.Signature(config.logit))
        Always ready.
    o : Out(stream.Signature(config.exponent))
        Base-2 logits; the consumer must always be ready.
    busy : Out(1)
        A scale is in the pipeline.
    """

    LATENCY = Multiplier.LATENCY + FloatToFixed.LATENCY

    i_scale: stream.Interface
    i: stream.Interface
    o: stream.Interface
    busy: Signal

    def __init__(self, config: HeadConfig):
        self._config = config
        super().__init__(
            {
                "i_scale": wiring.In(stream.Signature(config.scale)),
                "i": wiring.In(stream.Signature(config.logit)),
                "o": wiring.Out(stream.Signature(config.exponent)),
                "busy": wiring.Out(1),
            }
        )

    @property
    def config(self) -> HeadConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        nodes = self._config.nodes
        # The word after the lanes' holds log2(e), the factor of their scales.
        m.submodules.factors = factors = memory.Memory(
            shape=unsigned(FLOAT32_BITS),
            depth=nodes + 1,
            init=[0] * nodes + [int(LOG2_E.view("uint32"))],
            attrs={"ram_style": "distributed"},
        )
        write, read = factors.write_port(), factors.read_port(domain="comb")
        enable, scales = Const(1), self.i_scale.valid
        stages = Stages(m, enable)
        scale, logit = self.i_scale.payload, self.i.payload
        product = attach(
            m,
            "product",
            Multiplier(),
            enable,
            a=Mux(scales, scale.value, logit.value),
            b=read.data,
        )
        converter = FloatToFixed(fraction_bits=EXP2_FRACTION_BITS, width=EXPONENT_BITS)
        # A bit for each stage of the multiplier: it holds a scale.
        under_way = Signal(Multiplier.LATENCY)
        lane = stages.delay(Mux(scales, scale.lane, logit.lane), Multiplier.LATENCY, "lane")
        m.d.comb += [
            self.i_scale.ready.eq(1),
            self.i.ready.eq(1),
            self.busy.eq(scales | under_way.any()),
            read.addr.eq(Mux(scales, nodes, logit.lane)),
            write.addr.eq(lane),
            write.data.eq(product),
            write.en.eq(under_way[-1]),
            self.o.valid.eq(stages.delay(self.i.valid, self.LATENCY, "valid", reset=True)),
            self.o.payload.value.eq(attach(m, "fixed", converter, enable, x=product)),
            self.o.payload.lane.eq(stages.delay(lane, FloatToFixed.LATENCY, "fixed_lane")),
            self.o.payload.last.eq(stages.delay(logit.last, self.LATENCY, "last")),
        ]
        m.d.sync += under_way.eq(Cat(scales, under_way))
        return m
