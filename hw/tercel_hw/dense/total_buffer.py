"""The buffer of axpy sums between the cells and their reader."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring

from tercel_hw.dense.config import DenseConfig
from tercel_hw.result_queue import ResultQueue
from tercel_hw.wrap_increment import wrap_increment

__all__ = ["TotalBuffer"]

QUEUE_DEPTH = 4
"""Elements on their way to the reader: for one a cycle."""


class TotalBuffer(wiring.Component):
    """Stores the sums of slices and delivers them element by element.

    A slice is written in ``chain`` cycles, the last cell's sums first. The elements of a half slice
    are the sums of both halves of the beat. An element a cycle; the first of a slice is offered
    ``LATENCY`` cycles after the cycle of cell 0's sums if the command waits. They leave through a
    queue, so that ``o.ready`` enables no register of an element.

    Parameters
    ----------
    config
        Parameters of the engine.

    Members
    -------
    i_valid : In(1)
        The first of ``chain`` successive cycles with sums.
    i : In(config.chain_totals)
    i_command : In(stream.Signature(config.read))
        One for each axpy sweep, of at least two elements; taken with its last element.
    o : Out(stream.Signature(config.totals_read))
    released : Out(1)
        A pulse: the oldest slice has been read.
    """

    LATENCY = 2 + ResultQueue.LATENCY

    i_valid: Signal
    i: data.View
    i_command: stream.Interface
    o: stream.Interface
    released: Signal

    def __init__(self, config: DenseConfig):
        self._config = config
        super().__init__(
            {
                "i_valid": wiring.In(1),
                "i": wiring.In(config.chain_totals),
                "i_command": wiring.In(stream.Signature(config.read)),
                "o": wiring.Out(stream.Signature(config.totals_read)),
                "released": wiring.Out(1),
            }
        )

    @property
    def config(self) -> DenseConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        m.submodules.sums = sums = memory.Memory(
            shape=config.chain_totals,
            depth=config.totals * config.chain,
            init=[],
            attrs={"ram_style": "distributed"},
        )
        filled = self._write(m, sums.write_port())
        read = sums.read_port(domain="comb")
        command = self.i_command.payload
        issued = Signal()
        m.submodules.queue = queue = ResultQueue(config.totals_read, depth=QUEUE_DEPTH)
        wiring.connect(m, queue.o, wiring.flipped(self.o))
        slot, first = Signal(range(config.totals)), Signal(range(config.totals))
        # Index of the element within its slice, of its slice, and of the element in the head slot.
        index, number = Signal(range(config.macs)), Signal(range(config.totals))
        element = Signal.like(command.elements)
        head_slot = Signal(range(config.nodes))
        last_element, last_head_slot, last_of_slice = Signal(), Signal(), Signal()
        m.d.comb += [
            issued.eq(self.i_command.valid & (filled > number) & queue.room),
            last_of_slice.eq(index.all() | last_element),
            self.i_command.ready.eq(issued & last_element & last_head_slot),
            self.released.eq(issued & last_head_slot & last_of_slice),
        ]

        # Known in the second cycle of a head slot, which has more than one element.
        m.d.sync += last_head_slot.eq(head_slot + 1 == command.head_slots)
        with m.If(issued):
            # Computed a cycle ahead for its large fan-out; a head slot has more than one element.
            m.d.sync += last_element.eq(~last_element & (element + 2 == command.elements))
            m.d.sync += [index.eq(index + 1), element.eq(element + 1)]
            with m.If(last_of_slice):
                m.d.sync += [
                    index.eq(0),
                    number.eq(number + 1),
                    slot.eq(wrap_increment(slot, config.totals)),
                ]
            with m.If(last_element):
                m.d.sync += [
                    element.eq(0),
                    number.eq(0),
                    head_slot.eq(Mux(last_head_slot, 0, head_slot + 1)),
                ]
                m.d.sync += slot.eq(Mux(last_head_slot, wrap_increment(slot, config.totals), first))
            with m.If(last_element & last_head_slot):
                m.d.sync += first.eq(wrap_increment(slot, config.totals))

        cell_bits = (config.chain - 1).bit_length()
        cell, chain = index[:cell_bits], index[cell_bits:]
        half = number == command.full
        m.d.comb += read.addr.eq(Cat(cell, slot))
        arrives, last = Signal(), Signal(reset_less=True)
        of_head_slot = Signal.like(head_slot, reset_less=True)
        m.d.sync += [
            arrives.eq(issued),
            of_head_slot.eq(head_slot),
            last.eq(last_element & last_head_slot),
        ]
        m.d.comb += [
            queue.enters.eq(issued),
            queue.arrives.eq(arrives),
            queue.result.head_slot.eq(of_head_slot),
            queue.result.last.eq(last),
        ]
        self._add(m, read.data, chain, half, queue.result)
        return m

    def _write(self, m: Module, write) -> Signal:
        """Write the sums; return the number of complete slices of the sweeps that are not read."""
        config = self._config
        cell = Signal(range(config.chain), init=config.chain - 1)
        slot = Signal(range(config.totals))
        complete = Signal()
        m.d.comb += [
            write.addr.eq(Cat(cell, slot)),
            write.data.eq(self.i),
            write.en.eq(self.i_valid),
            complete.eq(self.i_valid & (cell == 0)),
        ]
        with m.If(self.i_valid):
            m.d.sync += cell.eq(cell - 1)
        with m.If(complete):
            m.d.sync += slot.eq(wrap_increment(slot, config.totals))
        filled = Signal(range(2 * config.totals + 1))
        command = self.i_command
        done = command.valid & command.ready
        # Read slices count until the sweep's last element has left.
        slices = Signal(range(config.totals + 1))
        m.d.comb += slices.eq(command.payload.full + command.payload.half)
        m.d.sync += filled.eq(filled + complete - Mux(done, slices, 0))
        return filled

    def _add(self, m: Module, found, chain, half, result) -> None:
        """Select the chain's sums; in a half slice add those of the upper half's chain."""
        config = self._config
        parts = [found[index].as_value() for index in range(config.chains)]
        middle = config.chains // 2
        chains, upper = Array(parts), Array([*parts[middle:], *parts[:middle]])
        layout = config.totals_read.members["sums"]
        one, two = Signal(layout, reset_less=True), Signal(layout, reset_less=True)
        m.d.sync += [one.eq(chains[chain]), two.eq(Mux(half, upper[chain], 0))]
        m.d.comb += [result.sums[lane].eq(one[lane] + two[lane]) for lane in range(config.nodes)]
