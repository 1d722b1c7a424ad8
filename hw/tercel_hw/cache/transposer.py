"""The transposer of columns of all lanes to rows of one lane after the other."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, memory, stream, wiring

from tercel_hw.cache.config import CacheConfig
from tercel_hw.result_queue import ResultQueue

__all__ = ["Transposer"]

QUEUE_DEPTH = 4


class Transposer(wiring.Component):
    """Takes a head by columns, a byte of each lane; delivers it slice by slice in granules.

    A slice is delivered row by row. A lane's row lies in lookup tables that are written by the
    byte. With two banks, a head is taken while the previous one is delivered.

    Throughput: one column and one granule a cycle. Latency: the first granule of a head is offered
    ``LATENCY`` cycles after its last column was taken.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    i : In(stream.Signature(config.vector.column))
        Heads; ``last`` on each head's last element.
    i_rows : In(stream.Signature(config.rows))
        One for each head; at least one row of one granule.
    o : Out(stream.Signature(config.piece))
        ``last`` with a slice's last granule. Granules beyond a row's end come too, without strobes.
    """

    LATENCY = 3

    i: stream.Interface
    i_rows: stream.Interface
    o: stream.Interface

    def __init__(self, config: CacheConfig):
        self._config = config
        super().__init__(
            {
                "i": wiring.In(stream.Signature(config.vector.column)),
                "i_rows": wiring.In(stream.Signature(config.rows)),
                "o": wiring.Out(stream.Signature(config.piece)),
            }
        )

    @property
    def config(self) -> CacheConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        filled = Signal(range(3))
        write, written = self._write(m, filled)
        bank = Signal()
        rows = Signal(config.rows)
        ports = config.writer.ports
        # A granule within its part of the slice, and within the row; granules before the slice.
        node, granule = Signal(range(config.vector.nodes)), Signal(range(ports))
        place, before = (Signal(range(config.slices * ports)) for _ in range(2))
        number = Signal(range(config.slices + 1))
        active, issued, row_ends, slice_ends, ends = (Signal() for _ in range(5))
        # Registers that follow the counters: a half slice, the last slice, the last node.
        half, last_slice, last_node = Signal(), Signal(), Signal()
        there = Signal()
        m.submodules.queue = queue = ResultQueue(config.piece, depth=QUEUE_DEPTH)
        m.d.comb += [
            issued.eq(active & (filled != 0) & queue.room),
            there.eq(place < rows.granules),
            row_ends.eq(granule == Mux(half, max(ports // 2, 1), ports) - 1),
            slice_ends.eq(row_ends & last_node),
            ends.eq(issued & slice_ends & last_slice),
            self.i_rows.ready.eq(~active | ends),
            queue.enters.eq(issued),
        ]
        m.d.sync += filled.eq(filled + written - ends)
        with m.If(issued):
            m.d.sync += [granule.eq(granule + 1), place.eq(place + 1)]
            with m.If(row_ends):
                m.d.sync += [granule.eq(0), place.eq(before)]
                m.d.sync += [node.eq(node + 1), last_node.eq(node + 2 == rows.nodes)]
            with m.If(slice_ends):
                m.d.sync += [
                    node.eq(0),
                    last_node.eq(rows.nodes == 1),
                    before.eq(before + ports),
                    place.eq(before + ports),
                    number.eq(number + 1),
                ]
                self._follow(m, rows, number + 1, half, last_slice)
        with m.If(ends):
            m.d.sync += [bank.eq(~bank), active.eq(0)]
        with m.If(self.i_rows.valid & self.i_rows.ready):
            offered = self.i_rows.payload
            m.d.sync += [rows.eq(offered), active.eq(1), last_node.eq(offered.nodes == 1)]
            m.d.sync += [before.eq(0), place.eq(0), number.eq(0)]
            self._follow(m, offered, 0, half, last_slice)

        address = Cat(place[: (config.head_granules - 1).bit_length()], bank)
        row = [self._lane(m, lane, write, address) for lane in range(config.vector.nodes)]
        late_node, late_there = Signal.like(node), Signal()
        m.d.sync += [
            queue.arrives.eq(issued),
            queue.result.last.eq(slice_ends),
            late_node.eq(node),
            late_there.eq(there),
        ]
        m.d.comb += [
            queue.result.data.eq(Array(row)[late_node]),
            queue.result.strobe.eq(late_there.replicate(config.port_bytes)),
        ]
        wiring.connect(m, queue.o, wiring.flipped(self.o))
        return m

    @staticmethod
    def _follow(
        m: Module, rows: data.View, number: Value | int, half: Signal, last: Signal
    ) -> None:
        """Register the properties of the slice that is the next one."""
        is_half = rows.full == number
        m.d.sync += half.eq(is_half)
        m.d.sync += last.eq(is_half | ((rows.full == number + 1) & ~rows.half))

    def _write(self, m: Module, filled: Signal) -> tuple[data.View, Signal]:
        """Return the offered column's place, and a signal that is high if it completes a head."""
        config = self._config
        place = Signal(
            data.StructLayout(
                {
                    "byte": unsigned(config.byte_bits),
                    "granule": range(config.head_granules),
                    "bank": 1,
                }
            )
        )
        taken, written = Signal(), Signal()
        m.d.comb += [
            self.i.ready.eq(filled != 2),
            taken.eq(self.i.valid & self.i.ready),
            written.eq(taken & self.i.payload.last),
        ]
        with m.If(written):
            m.d.sync += [place.byte.eq(0), place.granule.eq(0), place.bank.eq(~place.bank)]
        with m.Elif(taken):
            column = Cat(place.byte, place.granule)
            m.d.sync += column.eq(column + 1)
        return place, written

    def _lane(self, m: Module, lane: int, place: data.View, address: Value) -> Value:
        """Add a lane's two rows; return the granule that was addressed a cycle ago."""
        config = self._config
        m.submodules[f"lane{lane}"] = rows = memory.Memory(
            shape=unsigned(8 * config.port_bytes),
            depth=1 << len(address),
            init=[],
            attrs={"ram_style": "distributed"},
        )
        write, read = rows.write_port(granularity=8), rows.read_port()
        byte = self.i.payload["values"][lane]
        m.d.comb += [
            write.addr.eq(Cat(place.granule, place.bank)),
            write.data.eq(byte.as_unsigned().replicate(config.port_bytes)),
            write.en.eq((self.i.valid & self.i.ready) << place.byte),
            read.addr.eq(address),
        ]
        return read.data
