"""The store of a row of activations, replayed for every block of rows."""

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data, memory, stream, wiring

from tercel.numerics.blocks import BLOCK
from tercel_hw.result_queue import ResultQueue
from tercel_hw.vector.config import VectorConfig, command_layout

__all__ = ["ActivationStore"]


class ActivationStore(wiring.Component):
    """Collects columns into groups of activations, a weight code each, and replays them.

    A column in and a group out a cycle. In the first round a group is offered ``LATENCY`` cycles
    after its last column. The next row's columns are taken when the last round has ended.

    In an accelerator with groups, rows may be ``grouped``: then a block of 64 columns is 13 groups,
    whose last activation is zero.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    i_command : In(stream.Signature(command_layout("engine")))
        One for each row: ``groups`` of a round and ``blocks``, the rounds, none zero; ``grouped``.
        Other fields are the engine's.
    i : In(stream.Signature(config.shifted_column))
        At most ``columns``, and no more than the groups hold.
    o : Out(stream.Signature(ArrayLayout(ArrayLayout(signed(8), nodes), group)))
        Column ``g * group + t`` of a row is trit t of group g. Columns beyond the row are zeros.
        In an accelerator with groups a structure of these ``values`` and of the ``shifts`` of the
        group's block, which are defined if the row is grouped and has columns in the block.
    """

    LATENCY = 3

    i_command: stream.Interface
    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: VectorConfig):
        self._config = config
        self._values = data.ArrayLayout(data.ArrayLayout(signed(8), config.nodes), config.group)
        self._groups = self._values
        if config.grouped:
            members = {"values": self._values, "shifts": config.shifts}
            self._groups = data.StructLayout(members)
        super().__init__(
            {
                "i_command": wiring.In(stream.Signature(command_layout("engine"))),
                "i": wiring.In(stream.Signature(config.shifted_column)),
                "o": wiring.Out(stream.Signature(self._groups)),
            }
        )

    @property
    def config(self) -> VectorConfig:
        return self._config

    @property
    def _blocks(self) -> int:
        """Blocks of the widest row."""
        return -(-self._config.columns // BLOCK)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        depth = -(-config.columns // config.group)
        if config.grouped:
            depth = self._blocks * config.block_codes
        m.submodules.store = store = memory.Memory(
            shape=self._values, depth=depth, init=[], attrs={"ram_style": "block"}
        )
        m.submodules.queue = queue = ResultQueue(self._groups, depth=4)
        wiring.connect(m, queue.o, wiring.flipped(self.o))

        # ``stored`` groups are in the memory; ``ended`` is set when the row is complete.
        running, ended, finishes = Signal(), Signal(), Signal()
        stored = Signal(range(depth + 1))
        command = self.i_command.payload
        groups, blocks = Signal.like(command.groups), Signal.like(command.blocks)
        m.d.comb += self.i_command.ready.eq(~running)
        with m.If(self.i_command.valid & ~running):
            m.d.sync += [groups.eq(command.groups), blocks.eq(command.blocks), running.eq(1)]
        # The group that is collected has no fifth column.
        short = Signal() if config.grouped else None
        open_ = running & ~ended
        begun, written = self._collect(m, store.write_port(), open_, stored, ended, short)

        group = Signal.like(groups)
        issues, last, beyond = Signal(), Signal(), Signal()
        read = store.read_port()
        m.d.comb += [
            issues.eq(running & queue.room & (ended | (group != stored))),
            last.eq(group + 1 == groups),
            finishes.eq(issues & last & (blocks == 1)),
            read.addr.eq(group),
            queue.enters.eq(issues),
            (queue.result["values"] if config.grouped else queue.result).eq(
                Mux(beyond, 0, read.data)
            ),
        ]
        m.d.sync += [queue.arrives.eq(issues), beyond.eq(group >= stored)]
        with m.If(issues):
            m.d.sync += group.eq(Mux(last, 0, group + 1))
            with m.If(last):
                m.d.sync += blocks.eq(blocks - 1)
        with m.If(finishes):
            m.d.sync += [running.eq(0), ended.eq(0), stored.eq(0)]
        if short is not None:
            shifts = self._shifts(m, begun, written, short, issues, last)
            m.d.comb += queue.result.shifts.eq(shifts)
        return m

    def _shifts(
        self,
        m: Module,
        begun: Value,
        written: Value,
        short: Signal,
        issues: Signal,
        last: Signal,
    ) -> Value:
        """Keep the shifts of each block; return those of the group that was issued a cycle ago."""
        grouped, row_ends = Signal(), self.i.payload.last
        with m.If(self.i_command.valid & self.i_command.ready):
            m.d.sync += grouped.eq(self.i_command.payload.grouped)
        m.submodules.shifts = store = memory.Memory(
            shape=self._config.shifts, depth=self._blocks, init=[], attrs={"ram_style": "block"}
        )
        write, read = store.write_port(), store.read_port()
        code, write_block = self._count(m, "written", written, row_ends)
        _, read_block = self._count(m, "issued", issues, last)
        m.d.comb += [
            short.eq(grouped & (code == self._config.block_codes - 1)),
            write.addr.eq(write_block),
            # With the first column alone: later ones come while the block's first group is read.
            write.en.eq(begun & (code == 0)),
            write.data.eq(self.i.payload.shifts),
            read.addr.eq(read_block),
        ]
        return read.data.as_value()

    def _count(self, m: Module, name: str, steps: Value, ends: Value) -> tuple[Signal, Signal]:
        """Count groups; return the group's place in its block, and the block."""
        place = Signal(range(self._config.block_codes), name=f"{name}_place")
        block = Signal(range(self._blocks), name=f"{name}_block")
        with m.If(steps):
            m.d.sync += place.eq(place + 1)
            with m.If(place == self._config.block_codes - 1):
                m.d.sync += [place.eq(0), block.eq(block + 1)]
            with m.If(ends):
                m.d.sync += [place.eq(0), block.eq(0)]
        return place, block

    def _collect(
        self, m: Module, write: memory.WritePort, open_, stored, ended, short: Signal | None
    ) -> tuple[Value, Value]:
        """Write a group when its last column arrives or the row ends.

        Return signals that are high when a group's first column is taken and when it is written.
        """
        size = self._config.group
        column = self.i.payload.values
        trit = Signal(range(size))
        before = [Signal(column.shape(), name=f"before{t}") for t in range(size - 1)]
        complete, taken = Signal(), Signal()
        whole = trit == size - 1
        if short is not None:
            whole |= short & (trit == size - 2)
        m.d.comb += [
            self.i.ready.eq(open_),
            taken.eq(self.i.valid & open_),
            complete.eq(self.i.payload.last | whole),
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
        return taken & (trit == 0), write.en
