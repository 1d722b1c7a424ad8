"""The norm of query and key heads before their rotation."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import fifo, memory, stream, wiring

from tercel.numerics.quantise import TREE
from tercel_hw.float32 import Lanes, Multiplier, Stages, attach
from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.result_queue import FLOWS, ResultQueue
from tercel_hw.vector.config import VectorConfig, command_layout
from tercel_hw.vector.head_squares import HeadSquares
from tercel_hw.vector.inverse_rms import InverseRms
from tercel_hw.vector.row_scale import ONE

__all__ = ["HeadNorm"]

HEADS = 8
"""Most heads whose factors are not all taken: eight of 16 elements come until the first's are."""
QUEUE_DEPTH = 16


class HeadNorm(wiring.Component):
    """``numerics.head_norm`` of query and key heads: rows times gains, and factors beside them.

    A normed row's gains are stored first, then its heads pass: those of queries and keys times
    their gains, those of values as they are. Rows that are not normed pass as they are, without
    gains and factors.

    Throughput: one element a cycle, heads back to back, if their factors are taken in time; the
    next command is taken when all have been. Latency: ``LATENCY``; a head's first factor is offered
    ``factors_latency`` cycles after its last element was taken.

    Parameters
    ----------
    config
        Parameters of the vector unit, with ``qk_norm``.

    Members
    -------
    i_command : In(stream.Signature(command_layout("heads")))
        One for each row of heads; ``head_size`` a multiple of 16 up to ``config.head_size``.
    i_gain : In(stream.Signature(32))
        For each normed row ``head_size`` gains of queries, then as many of keys.
    i : In(stream.Signature(config.row))
        ``last`` on the row's last element.
    o : Out(stream.Signature(config.row))
        As ``i``.
    o_factors : Out(stream.Signature(32))
        Inverse root mean squares, one for each lane of each query and key head of normed rows.
    """

    LATENCY = 1 + Multiplier.LATENCY + ResultQueue.LATENCY

    i_command: stream.Interface
    i_gain: stream.Interface
    i: stream.Interface
    o: stream.Interface
    o_factors: stream.Interface

    def __init__(self, config: VectorConfig):
        if not config.qk_norm:
            raise ValueError("HeadNorm needs a configuration with qk_norm")
        self._config = config
        floats, row = stream.Signature(FLOAT32_BITS), stream.Signature(config.row)
        super().__init__(
            {
                "i_command": wiring.In(stream.Signature(command_layout("heads"))),
                "i_gain": wiring.In(floats),
                "i": wiring.In(row),
                "o": wiring.Out(row),
                "o_factors": wiring.Out(floats),
            }
        )

    @property
    def config(self) -> VectorConfig:
        return self._config

    @staticmethod
    def factors_latency(config: VectorConfig) -> int:
        """Cycles from a head's last element to its first factor."""
        return HeadSquares.latency(config) + InverseRms.LATENCY + 1

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, command = self._config, self.i_command.payload
        epsilon, inverse = (Signal(FLOAT32_BITS, reset_less=True) for _ in range(2))
        size = Signal(range(config.head_size + 1))
        # Heads of queries and of keys that are left, of a normed row.
        queries, keys = Signal.like(command.query_heads), Signal.like(command.kv_heads)
        active, loading, taking, taken = (Signal() for _ in range(4))
        place, of_keys = Signal(range(config.head_size)), Signal()
        ends, normed, room = (Signal() for _ in range(3))
        waiting = self._factors(m, taken & normed, place, size, inverse, epsilon)
        m.d.comb += [
            self.i_command.ready.eq(~active),
            self.i_gain.ready.eq(loading),
            normed.eq((queries != 0) | (keys != 0)),
            # A head begins only if there is room for its factors.
            self.i.ready.eq(taking & room & (~normed | (place != 0) | (waiting != HEADS))),
            taken.eq(self.i.valid & self.i.ready),
            ends.eq(place == size - 1),
        ]
        with m.If(self.i_command.valid & self.i_command.ready):
            m.d.sync += [
                active.eq(1),
                loading.eq(command.normed),
                taking.eq(~command.normed),
                size.eq(command.head_size),
                inverse.eq(command.inverse_head_size),
                epsilon.eq(command.epsilon),
                queries.eq(Mux(command.normed, command.query_heads, 0)),
                keys.eq(Mux(command.normed, command.kv_heads, 0)),
            ]
        loads = self.i_gain.valid & self.i_gain.ready
        with m.If(loads | taken):
            m.d.sync += place.eq(Mux(ends, 0, place + 1))
        with m.If(loads & ends):
            m.d.sync += of_keys.eq(~of_keys)
            with m.If(of_keys):
                m.d.sync += [loading.eq(0), taking.eq(1)]
        with m.If(taken & ends):
            with m.If(queries != 0):
                m.d.sync += queries.eq(queries - 1)
            with m.Elif(keys != 0):
                m.d.sync += keys.eq(keys - 1)
        with m.If(taken & self.i.payload.last):
            m.d.sync += taking.eq(0)
        with m.If(active & ~loading & ~taking & (waiting == 0)):
            m.d.sync += active.eq(0)

        m.submodules.gains = gains = memory.Memory(
            shape=FLOAT32_BITS, depth=2 << len(place), init=[]
        )
        write, read = gains.write_port(), gains.read_port()
        m.d.comb += [
            write.en.eq(loads),
            write.addr.eq(Cat(place, of_keys)),
            write.data.eq(self.i_gain.payload),
            read.en.eq(taken),
            read.addr.eq(Cat(place, queries == 0)),
        ]
        self._multiply(m, taken, normed, read.data, room)
        return m

    def _multiply(self, m: Module, taken: Value, normed: Value, gain: Value, room: Signal) -> None:
        """Multiply the elements taken by a gain that comes a cycle later, or by one."""
        config, stages = self._config, Stages(m, FLOWS)
        m.submodules.queue = queue = ResultQueue(config.row, depth=QUEUE_DEPTH)
        element = stages(values=self.i.payload["values"].as_value(), normed=normed)
        product = attach(
            m,
            "product",
            Lanes([Multiplier() for _ in range(config.nodes)]),
            FLOWS,
            a=element.values,
            b=Mux(element.normed, gain, ONE).replicate(config.nodes),
        )
        latency = 1 + Multiplier.LATENCY
        m.d.comb += [
            room.eq(queue.room),
            queue.enters.eq(taken),
            queue.arrives.eq(stages.delay(taken, latency, "taken", reset=True)),
            queue.result["values"].eq(product),
            queue.result.last.eq(stages.delay(self.i.payload.last, latency, "last")),
        ]
        wiring.connect(m, queue.o, wiring.flipped(self.o))

    def _factors(
        self,
        m: Module,
        taken: Value,
        place: Signal,
        size: Signal,
        inverse: Signal,
        epsilon: Signal,
    ) -> Signal:
        """Compute the factors of heads from the elements taken; return the heads that wait."""
        nodes = self._config.nodes
        m.submodules.squares = squares = HeadSquares(self._config)
        m.d.comb += [
            squares.count.eq(size // TREE),
            squares.i["values"].eq(self.i.payload["values"]),
            squares.i.present.eq(taken),
            squares.i.place.eq(place),
        ]
        factor = attach(
            m,
            "factor",
            InverseRms(),
            FLOWS,
            squares=squares.o.value,
            inverse_width=inverse,
            epsilon=epsilon,
        )
        m.submodules.factors = factors = fifo.SyncFIFO(width=FLOAT32_BITS, depth=HEADS * nodes)
        arrives = Stages(m, FLOWS).delay(
            squares.o.present, InverseRms.LATENCY, "arrives", reset=True
        )
        waiting, lane = Signal(range(HEADS + 1)), Signal(range(nodes))
        leaves, left = self.o_factors.valid & self.o_factors.ready, Signal()
        m.d.comb += [
            factors.w_en.eq(arrives),
            factors.w_data.eq(factor),
            self.o_factors.valid.eq(factors.r_rdy),
            self.o_factors.payload.eq(factors.r_data),
            factors.r_en.eq(self.o_factors.ready),
            left.eq(leaves & (lane == nodes - 1)),
        ]
        with m.If(leaves):
            m.d.sync += lane.eq(Mux(left, 0, lane + 1))
        # A head counts from its first element on.
        m.d.sync += waiting.eq(waiting + (taken & (place == 0)) - left)
        return waiting
