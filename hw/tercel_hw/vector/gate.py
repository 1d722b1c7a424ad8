"""The gate: products of activated gate and up, the input of the down linear."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring

from tercel_hw.float32 import Stages, attach
from tercel_hw.result_queue import FLOWS, ResultQueue
from tercel_hw.vector.config import VectorConfig, command_layout
from tercel_hw.vector.gated_activation import GatedActivation

__all__ = ["Gate"]


class Gate(wiring.Component):
    """``act(gate) * up`` of each pair of neighbours in a row.

    One element in a cycle, so one out every other cycle; latency 46 from an up to its result. Only
    every other element begins a pair, so two lanes share an activation in turn.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    i_command : In(stream.Signature(command_layout("gate")))
        One for each row, whose end ends the command; ``width`` is ignored.
    i : In(stream.Signature(config.row))
        Gate 0, up 0, gate 1, ...; gates are finite.
    o : Out(stream.Signature(config.row))
    """

    LATENCY = GatedActivation.LATENCY + 1 + ResultQueue.LATENCY

    i_command: stream.Interface
    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: VectorConfig):
        self._config = config
        super().__init__(
            {
                "i_command": wiring.In(stream.Signature(command_layout("gate"))),
                "i": wiring.In(stream.Signature(config.row)),
                "o": wiring.Out(stream.Signature(config.row)),
            }
        )

    @property
    def config(self) -> VectorConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        m.submodules.queue = queue = ResultQueue(config.row, depth=32)
        wiring.connect(m, queue.o, wiring.flipped(self.o))

        running, squared, is_up = Signal(), Signal(), Signal()
        taken, pair = Signal(), Signal()
        m.d.comb += [
            self.i_command.ready.eq(~running),
            self.i.ready.eq(running & queue.room),
            taken.eq(self.i.valid & self.i.ready),
            pair.eq(taken & is_up),
            queue.enters.eq(pair),
        ]
        gates = Signal(config.floats, reset_less=True)
        with m.If(self.i_command.valid & self.i_command.ready):
            m.d.sync += [running.eq(1), squared.eq(self.i_command.payload.activation)]
        with m.If(taken):
            m.d.sync += is_up.eq(~is_up)
            with m.If(~is_up):
                m.d.sync += gates.eq(self.i.payload.values)
        with m.If(pair & self.i.payload.last):
            m.d.sync += running.eq(0)

        # Even lanes enter with their up, odd lanes a cycle later, before the next gate or the next
        # command overwrites their operands; even lanes' results wait for theirs.
        stages = Stages(m, FLOWS)
        odd = stages(turn=pair, ups=self.i.payload.values)
        for lane in range(0, config.nodes, 2):
            self._share(m, stages, gates, odd, squared, lane, queue.result.values)
        cycles = GatedActivation.LATENCY + 1
        m.d.comb += [
            queue.arrives.eq(stages.delay(pair, cycles, "arrives", reset=True)),
            queue.result.last.eq(stages.delay(self.i.payload.last, cycles, "last")),
        ]
        return m

    def _share(
        self, m: Module, stages: Stages, gates, odd, squared: Signal, lane: int, results: data.View
    ) -> None:
        """Add an activation that this lane and the next one share."""
        ups = self.i.payload.values
        alone = lane + 1 == self._config.nodes
        second = lane if alone else lane + 1
        o = attach(
            m,
            f"activation{lane}",
            GatedActivation(),
            FLOWS,
            squared=squared,
            gate=Mux(odd.turn, gates[second], gates[lane]),
            up=Mux(odd.turn, data.View(self._config.floats, odd.ups)[second], ups[lane]),
        )
        m.d.comb += results[lane].eq(stages.delay(o, 1, f"even{lane}"))
        if not alone:
            m.d.comb += results[second].eq(o)
