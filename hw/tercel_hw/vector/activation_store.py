"""The store of a row of activations, replayed for every block of rows."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, memory, stream, wiring

from tercel_hw.vector.config import VectorConfig, command_layout
from tercel_hw.vector.result_queue import ResultQueue

__all__ = ["ActivationStore"]


class ActivationStore(wiring.Component):
    """Collects columns into groups of activations, a weight code each, and replays them.

    A column in and a group out a cycle. In the first round a group is offered ``LATENCY`` cycles
    after its last column. The next row's columns are taken when the last round has ended.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    i_command : In(stream.Signature(command_layout("engine")))
        One for each row: ``groups`` of a round and ``blocks``, the rounds, none zero. Other fields
        are the engine's.
    i : In(stream.Signature(config.column))
        At most ``columns``, and no more than the groups hold.
    o : Out(stream.Signature(ArrayLayout(ArrayLayout(signed(8), nodes), group)))
        Column ``g * group + t`` of a row is trit t of group g. Columns beyond the row are zeros.
    """

    LATENCY = 3

    i_command: stream.Interface
    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: VectorConfig):
        self._config = config
        self._groups = data.ArrayLayout(data.ArrayLayout(signed(8), config.nodes), config.group)
        super().__init__(
            {
                "i_command": wiring.In(stream.Signature(command_layout("engine"))),
                "i": wiring.In(stream.Signature(config.column)),
                "o": wiring.Out(stream.Signature(self._groups)),
            }
        )

    @property
    def config(self) -> VectorConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        depth = -(-config.columns // config.group)
        shape = self._groups
        m.submodules.store = store = memory.Memory(
            shape=shape, depth=depth, init=[], attrs={"ram_style": "block"}
        )
        m.submodules.queue = queue = ResultQueue(shape, depth=4)
        wiring.connect(m, queue.o, wiring.flipped(self.o))

        # ``stored`` groups are in the memory; ``ended`` is set when the row is complete.
        running, ended, finishes = Signal(), Signal(), Signal()
        stored = Signal(range(depth + 1))
        command = self.i_command.payload
        groups, blocks = Signal.like(command.groups), Signal.like(command.blocks)
        m.d.comb += self.i_command.ready.eq(~running)
        with m.If(self.i_command.valid & ~running):
            m.d.sync += [groups.eq(command.groups), blocks.eq(command.blocks), running.eq(1)]
        self._collect(m, store.write_port(), running & ~ended, stored, ended)

        group = Signal.like(groups)
        issues, last, beyond = Signal(), Signal(), Signal()
        read = store.read_port()
        m.d.comb += [
            issues.eq(running & queue.room & (ended | (group != stored))),
            last.eq(group + 1 == groups),
            finishes.eq(issues & last & (blocks == 1)),
            read.addr.eq(group),
            queue.enters.eq(issues),
            queue.result.eq(Mux(beyond, 0, read.data)),
        ]
        m.d.sync += [queue.arrives.eq(issues), beyond.eq(group >= stored)]
        with m.If(issues):
            m.d.sync += group.eq(Mux(last, 0, group + 1))
            with m.If(last):
                m.d.sync += blocks.eq(blocks - 1)
        with m.If(finishes):
            m.d.sync += [running.eq(0), ended.eq(0), stored.eq(0)]
        return m

    def _collect(self, m: Module, write: memory.WritePort, open_, stored, ended) -> None:
        """Write a group when its last column arrives or the row ends."""
        size = self._config.group
        column = self.i.payload.values
        trit = Signal(range(size))
        before = [Signal(column.shape(), name=f"before{t}") for t in range(size - 1)]
        complete, taken = Signal(), Signal()
        m.d.comb += [
            self.i.ready.eq(open_),
            taken.eq(self.i.valid & open_),
            complete.eq(self.i.payload.last | (trit == size - 1)),
            write.addr.eq(stored),
            write.en.eq(taken & complete),
        ]
        for index in range(size):
            earlier = before[index] if index < size - 1 else 0
            m.d.comb += write.data[index].eq(Mux(trit == index, column, earlier))
        with m.If(taken):
            m.d.sync += trit.eq(Mux(complete, 0, trit + 1))
            for index in range(size - 1):
                with m.If(complete):
                    m.d.sync += before[index].eq(0)
                with m.Elif(trit == index):
                    m.d.sync += before[index].eq(column)
            with m.If(complete):
                m.d.sync += stored.eq(stored + 1)
            with m.If(self.i.payload.last):
                m.d.sync += ended.eq(1)
