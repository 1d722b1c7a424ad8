"""The factors of all lanes of a head, computed in one pipeline."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring

from tercel_hw.float32 import Stages, attach
from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.result_queue import FLOWS
from tercel_hw.vector.config import VectorConfig
from tercel_hw.vector.head_scale import HEAD_FACTORS, HeadScale
from tercel_hw.vector.row_scale import ONE

__all__ = ["HeadFactors"]

HEADS = 4
"""Most heads in the block: with 16 lanes and elements three are in the pipeline."""


class HeadFactors(wiring.Component):
    """Computes units and scales of heads from their largest magnitudes, a lane a cycle.

    Throughput: a head every K cycles; the shortest head has 16 elements. Latency: ``latency``
    cycles plus one for each lane. A normed head's lanes wait for their factors.

    Parameters
    ----------
    config
        Parameters of the vector unit.

    Members
    -------
    i : In(stream.Signature(StructLayout({"maxima": config.floats, "cache": 1, "normed": 1})))
        ``cache`` selects the kind of the factors, see :class:`HeadScale`; ``normed`` only with
        ``qk_norm``.
    i_factors : In(stream.Signature(32))
        One for each lane of normed heads. Only with ``qk_norm``.
    o : Out(stream.Signature(StructLayout({"units": floats, "scales": floats, "cache": 1})))
    """

    i: stream.Interface
    i_factors: stream.Interface
    o: stream.Interface

    def __init__(self, config: VectorConfig):
        self._config = config
        normed = {"normed": 1} if config.qk_norm else {}
        self._maxima = data.StructLayout({"maxima": config.floats, "cache": 1, **normed})
        factors = data.StructLayout(
            {"units": config.floats, "scales": config.floats, "cache": 1},
        )
        super().__init__(
            {
                "i": wiring.In(stream.Signature(self._maxima)),
                **(
                    {"i_factors": wiring.In(stream.Signature(FLOAT32_BITS))}
                    if config.qk_norm
                    else {}
                ),
                "o": wiring.Out(stream.Signature(factors)),
            }
        )

    @property
    def config(self) -> VectorConfig:
        return self._config

    @staticmethod
    def latency(config: VectorConfig) -> int:
        """Cycles from the maxima to the factors, without one for each lane."""
        return HeadScale.LATENCY + config.qk_norm * HeadScale.NORM_LATENCY + 1

    def elaborate(self, platform: object) -> Module:
        m = Module()
        nodes = self._config.nodes
        stages = Stages(m, FLOWS)
        taken, issued, complete, steps = (Signal() for _ in range(4))
        maxima = Signal(self._maxima, reset_less=True)
        left, source = Signal(range(nodes + 1)), Signal(range(nodes))
        inside, waiting = Signal(range(HEADS + 1)), Signal(range(HEADS + 1))
        m.d.comb += [
            self.i.ready.eq(((left == 0) | ((left == 1) & steps)) & (inside != HEADS)),
            taken.eq(self.i.valid & self.i.ready),
            self.o.valid.eq(waiting != 0),
            issued.eq(self.o.valid & self.o.ready),
        ]
        m.d.sync += [
            inside.eq(inside + taken - issued),
            waiting.eq(waiting + complete - issued),
        ]
        with m.If(taken):
            m.d.sync += [maxima.eq(self.i.payload), left.eq(nodes), source.eq(0)]
        with m.Elif(steps):
            m.d.sync += [left.eq(left - 1), source.eq(source + 1)]

        operands = {
            "maximum": maxima["maxima"].as_value().word_select(source, FLOAT32_BITS),
            "cache": maxima["cache"],
        }
        if self._config.qk_norm:
            here = ~maxima["normed"] | self.i_factors.valid
            operands["factor"] = Mux(maxima["normed"], self.i_factors.payload, ONE)
            m.d.comb += [
                steps.eq((left != 0) & here),
                self.i_factors.ready.eq((left != 0) & maxima["normed"]),
            ]
        else:
            m.d.comb += steps.eq(left != 0)
        scale = HeadScale(norms=self._config.qk_norm)
        factors = attach(m, "factors", scale, FLOWS, **operands)
        arrives = stages.delay(steps, scale.latency, "arrives", reset=True)
        cached = stages.delay(maxima["cache"], scale.latency, "cached")
        lane = Signal(range(nodes))
        m.d.comb += complete.eq(arrives & (lane == nodes - 1))
        with m.If(arrives):
            m.d.sync += lane.eq(Mux(complete, 0, lane + 1))

        result = data.StructLayout({"factors": HEAD_FACTORS, "cache": 1})
        m.submodules.heads = heads = memory.Memory(
            shape=data.ArrayLayout(result, nodes),
            depth=HEADS,
            init=[],
            attrs={"ram_style": "distributed"},
        )
        write, read = heads.write_port(granularity=1), heads.read_port(domain="comb")
        m.d.sync += [write.addr.eq(write.addr + complete), read.addr.eq(read.addr + issued)]
        m.d.comb += self.o.payload.cache.eq(read.data[0].cache)
        for index in range(nodes):
            m.d.comb += [
                write.en[index].eq(arrives & (lane == index)),
                write.data[index].factors.eq(factors),
                write.data[index].cache.eq(cached),
                self.o.payload.units[index].eq(read.data[index].factors.unit),
                self.o.payload.scales[index].eq(read.data[index].factors.scale),
            ]
        return m
