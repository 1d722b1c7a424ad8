"""The residual stream and the addition of linears' outputs to it."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, memory, stream, wiring

from tercel_hw.float32 import Adder, Stages, attach
from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.result_queue import FLOWS, ResultQueue
from tercel_hw.vector.config import VectorConfig, command_layout
from tercel_hw.vector.loads import element_layout
from tercel_hw.vector.targets import send_to_target, targeted_row

__all__ = ["Residual"]

STORED_BITS = 36
"""Bits of a stored float: two share an UltraRAM word of 72 bits with an enable each; a block RAM
has words of as many."""
NEGATIVE_ZERO = 1 << (FLOAT32_BITS - 1)
"""-0.0, which added to any float leaves it unchanged."""
TARGETS = 2


class Residual(wiring.Component):
    """Stores a row of floats that linears add to and norms read.

    One element a cycle, latency 11, for ``add`` and ``replay``. The next command begins when the
    writes of the previous one are done, ``WRITES`` cycles after its last element.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    i_command : In(stream.Signature(command_layout("residual")))
        ``operation`` 0, add: each of the first ``width`` elements becomes the sum of itself and
        one of ``i``, and is sent to the target. 1, replay: they are sent unchanged, and written
        back. ``width`` is 1 to ``hidden``.
    i : In(stream.Signature(config.row))
        The elements to add, ``width`` of them; ``last`` is ignored.
    i_element : In(stream.Signature(element_layout(config)))
        An element of one lane to store; with ``zero``, 0.0 of all lanes. Taken while no command
        runs.
    i_loaded : In(1)
        All elements are loaded; commands begin only while it is high.
    o : Out(stream.Signature(config.row)).array(2)
        Rows, to the command's target: 0 norm, 1 dump.
    """

    WRITES = 2 + Adder.LATENCY
    """Cycles from an element's read to its write: memory, output register and adder."""
    LATENCY = WRITES + ResultQueue.LATENCY

    i_command: stream.Interface
    i: stream.Interface
    i_element: stream.Interface
    i_loaded: Signal
    o: list[stream.Interface]

    def __init__(self, config: VectorConfig):
        self._config = config
        super().__init__(
            {
                "i_command": wiring.In(stream.Signature(command_layout("residual"))),
                "i": wiring.In(stream.Signature(config.row)),
                "i_element": wiring.In(stream.Signature(element_layout(config))),
                "i_loaded": wiring.In(1),
                "o": wiring.Out(stream.Signature(config.row)).array(TARGETS),
            }
        )

    @property
    def config(self) -> VectorConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        command = Signal(command_layout("residual"))
        address = Signal(range(config.hidden))
        running, moves, last = Signal(), Signal(), Signal()
        m.submodules.queue = queue = ResultQueue(targeted_row(config, TARGETS), depth=16)
        send_to_target(m, queue.o, self.o)

        replay = command.operation
        moving = Signal(self.WRITES)
        m.d.sync += moving.eq(Cat(moves, moving))
        m.d.comb += [
            self.i_element.ready.eq(~running & ~moving.any()),
            self.i_command.ready.eq(
                ~running & ~moving.any() & self.i_loaded & ~self.i_element.valid
            ),
            self.i.ready.eq(running & ~replay & queue.room),
            moves.eq(running & queue.room & (replay | self.i.valid)),
            queue.enters.eq(moves),
            last.eq(address + 1 == command.width),
        ]
        with m.If(self.i_command.valid & self.i_command.ready):
            m.d.sync += [command.eq(self.i_command.payload), running.eq(1)]
        with m.If(moves):
            m.d.sync += address.eq(Mux(last, 0, address + 1))
            with m.If(last):
                m.d.sync += running.eq(0)

        stages = Stages(m, FLOWS)
        before = self._store(m, stages, address, moving[-1], queue.result.row.values)
        neutral = Const(sum(NEGATIVE_ZERO << (FLOAT32_BITS * i) for i in range(config.nodes)))
        added = Mux(replay, neutral, self.i.payload.values.as_value())
        added = data.View(config.floats, stages.delay(added, 2, "added"))
        for lane in range(config.nodes):
            total = attach(m, f"total{lane}", Adder(), FLOWS, a=before[lane], b=added[lane])
            m.d.comb += queue.result.row.values[lane].eq(total)
        m.d.comb += [
            queue.arrives.eq(moving[-1]),
            queue.result.row.last.eq(stages.delay(last, self.WRITES, "last")),
            queue.result.target.eq(command.target),
        ]
        return m

    def _store(self, m: Module, stages: Stages, address, written, totals) -> list:
        """Add the memory, to which totals are written back; return the lanes' elements."""
        config = self._config
        m.submodules.store = store = memory.Memory(
            shape=unsigned(STORED_BITS * config.nodes),
            depth=config.hidden,
            init=[],
            attrs={"ram_style": config.ram_style},
        )
        write, read = store.write_port(granularity=STORED_BITS), store.read_port()
        m.d.comb += read.addr.eq(address)
        fetched = stages(word=read.data).word

        element = self.i_element.payload
        taken = self.i_element.valid & self.i_element.ready
        value = Mux(element.zero, 0, element.value)
        m.d.comb += write.addr.eq(
            Mux(written, stages.delay(address, self.WRITES, "to"), element.address)
        )
        floats = []
        for lane in range(config.nodes):
            start = STORED_BITS * lane
            enters = taken & (element.zero | (element.lane == lane))
            m.d.comb += [
                write.en[lane].eq(written | enters),
                write.data[start : start + FLOAT32_BITS].eq(Mux(written, totals[lane], value)),
            ]
            floats.append(fetched[start : start + FLOAT32_BITS])
        return floats
