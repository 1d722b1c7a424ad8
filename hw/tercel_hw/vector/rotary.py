"""Rotary position embedding of queries and keys."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring

from tercel_hw.float32 import Stages, attach
from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.result_queue import FLOWS, ResultQueue
from tercel_hw.vector.config import VectorConfig, command_layout
from tercel_hw.vector.loads import table_layout
from tercel_hw.vector.pair_buffer import PairBuffer
from tercel_hw.vector.rotation import Rotation
from tercel_hw.vector.row_scale import ONE

__all__ = ["Rotary"]

NEGATIVE_ZERO = 1 << (FLOAT32_BITS - 1)
QUEUE_DEPTH = 32


class Rotary(wiring.Component):
    """``numerics.rotate`` of query and key heads; value heads pass unchanged.

    An element becomes ``x*cosine + y*sine``, where y is its partner, negated in the lower half; in
    a value head it becomes ``x*1 + -0*0``.

    Throughput: one element a cycle, heads back to back; between rows no element is taken for
    ``head_size / 2 + GAP`` cycles. Latency: ``LATENCY`` cycles from element j + half to element j.

    Parameters
    ----------
    config
        Parameters of the vector unit.

    Members
    -------
    i_command : In(stream.Signature(command_layout("heads")))
        One for each row of heads; ``head_size`` a multiple of 16 up to ``config.head_size``.
    i_loaded : In(1)
        The table is loaded; commands begin only while it is high.
    i_table : In(stream.Signature(table_layout(config)))
        Cosines and sines to store; taken while no command runs.
    i : In(stream.Signature(config.row))
        ``last`` on the row's last element.
    o : Out(stream.Signature(config.row))
        In the order of ``i``, with ``last`` on each head's last element.
    """

    LATENCY = PairBuffer.LATENCY + 1 + Rotation.LATENCY + ResultQueue.LATENCY
    GAP = PairBuffer.LATENCY + 1

    i_command: stream.Interface
    i_loaded: Signal
    i_table: stream.Interface
    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: VectorConfig):
        self._config = config
        super().__init__(
            {
                "i_command": wiring.In(stream.Signature(command_layout("heads"))),
                "i_loaded": wiring.In(1),
                "i_table": wiring.In(stream.Signature(table_layout(config))),
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
        m.submodules.pairs = pairs = PairBuffer(config)
        m.submodules.queue = queue = ResultQueue(config.row, depth=QUEUE_DEPTH)
        command = self.i_command.payload
        # A command runs; its row is incomplete; heads left, and those left to be rotated.
        active, taking = Signal(), Signal()
        heads, rotated = Signal(range(3 << 8)), Signal(range(2 << 8))
        half = Signal(range(config.head_size // 2 + 1))
        rotates, last, enters = Signal(), Signal(), Signal()
        m.d.comb += [
            self.i_command.ready.eq(~active & self.i_loaded),
            pairs.half.eq(half),
            pairs.i.payload.eq(self.i.payload.values),
            pairs.i.valid.eq(self.i.valid & taking),
            self.i.ready.eq(pairs.i.ready & taking),
            rotates.eq(rotated != 0),
            last.eq(pairs.o.payload.upper & (pairs.o.payload.index + 1 == half)),
            pairs.o.ready.eq(queue.room),
            enters.eq(pairs.o.valid & queue.room),
        ]
        with m.If(self.i_command.valid & self.i_command.ready):
            m.d.sync += [
                active.eq(1),
                taking.eq(1),
                half.eq(command.head_size >> 1),
                rotated.eq(command.query_heads + command.kv_heads),
                heads.eq(command.query_heads + (command.kv_heads << 1)),
            ]
        with m.If(self.i.valid & self.i.ready & self.i.payload.last):
            m.d.sync += taking.eq(0)
        with m.If(enters & last):
            m.d.sync += [rotated.eq(rotated - rotates), heads.eq(heads - 1)]
            with m.If(heads == 1):
                m.d.sync += active.eq(0)

        self._rotate(
            m, pairs.o.payload, rotates, self._table(m, active, pairs.o.payload.index), queue
        )
        delay = Stages(m, FLOWS).delay
        m.d.comb += [
            queue.enters.eq(enters),
            queue.arrives.eq(delay(enters, 1 + Rotation.LATENCY, "enters", reset=True)),
            queue.result.last.eq(delay(last, 1 + Rotation.LATENCY, "last")),
            self.o.valid.eq(queue.o.valid),
            self.o.payload.eq(queue.o.payload),
            queue.o.ready.eq(self.o.ready),
        ]
        return m

    def _rotate(self, m: Module, pair, rotates: Signal, table: data.View, queue) -> None:
        """Add the lanes' pipelines; the table is read while the pair is ordered."""
        nodes = self._config.nodes
        turned = Signal(reset_less=True)
        m.d.sync += turned.eq(rotates)
        for lane in range(nodes):
            own = Signal(FLOAT32_BITS, name=f"own{lane}", reset_less=True)
            other = Signal(FLOAT32_BITS, name=f"other{lane}", reset_less=True)
            partner = Mux(pair.upper, pair.low[lane], pair.high[lane])
            signed = Cat(partner[:-1], partner[-1] ^ ~pair.upper)
            m.d.sync += [
                own.eq(Mux(pair.upper, pair.high[lane], pair.low[lane])),
                other.eq(Mux(rotates, signed, NEGATIVE_ZERO)),
            ]
            value = attach(
                m,
                f"rotation{lane}",
                Rotation(),
                FLOWS,
                x=own,
                cosine=Mux(turned, table[lane], ONE),
                y=other,
                sine=Mux(turned, table[nodes + lane], 0),
            )
            m.d.comb += queue.result["values"][lane].eq(value)

    def _table(self, m: Module, active: Signal, index: Signal) -> data.View:
        """Add the memory of each lane's cosines and sines; return both, a cycle after ``index``."""
        config = self._config
        nodes = config.nodes
        m.submodules.table = table = memory.Memory(
            shape=data.ArrayLayout(FLOAT32_BITS, 2 * nodes), depth=config.head_size // 2, init=[]
        )
        write, read = table.write_port(granularity=1), table.read_port()
        written = self.i_table.payload
        m.d.comb += [
            self.i_table.ready.eq(~active),
            write.addr.eq(written.index),
            read.addr.eq(index),
        ]
        for position in range(2 * nodes):
            sine, lane = divmod(position, nodes)
            mine = (written.sine == sine) & (written.lane == lane)
            m.d.comb += [
                write.data[position].eq(written.value),
                write.en[position].eq(self.i_table.valid & self.i_table.ready & mine),
            ]
        return read.data
