"""The dense engine."""

from amaranth.hdl import Const, Module, Signal
from amaranth.lib import stream, wiring

from tercel_hw.dense.array import CellArray, array_latency
from tercel_hw.dense.config import DenseConfig
from tercel_hw.dense.dot_sums import DotSums
from tercel_hw.dense.sequencer import Sequencer
from tercel_hw.dense.total_buffer import TotalBuffer
from tercel_hw.dense.vectors import VectorStore
from tercel_hw.float32.stages import Stages
from tercel_hw.shallow_fifo import ShallowFifo

__all__ = ["DenseEngine", "dense_latency", "totals_latency"]


def dense_latency(config: DenseConfig) -> int:
    """Return the cycles from a row's last beat to its sum: 25 with chains of 16."""
    return array_latency(config) + DotSums.LATENCY + 1


def totals_latency(config: DenseConfig) -> int:
    """Return the cycles from a slice's last beat to its first total: 39 with chains of 16."""
    return array_latency(config) + config.chain - 1 + TotalBuffer.LATENCY


class DenseEngine(wiring.Component):
    """Streams int8 rows past K int8 vectors (dot) or K weights a row (axpy); all sums are exact.

    Rows come in beats of ``macs`` bytes, in slices. A dot sweeps tile by tile: for ``tile`` rows
    (the last tile has the remaining ones), first the half slice, two rows a beat, then the full
    slices, each of all rows of the tile. It gives K sums a row. An axpy sweeps slice by slice, each
    of all rows, the half slice last; it gives the sum over all rows of ``weight[lane] *
    row[element]`` for all elements. Bytes beyond a row's elements are ignored by axpy; a dot
    multiplies them by the vector's, so one of both must be zero. In an axpy's last half beat the
    second of two rows may be missing: its weights must be zero.

    The cycles are those of :class:`Sequencer`. With a row's last beat taken in cycle 0, its sum is
    offered in cycle `dense_latency`; with a slice's last beat taken in cycle 0, its first total is
    offered in cycle `totals_latency`. Nothing stalls the pipeline: beats wait until there is room.

    Parameters
    ----------
    config
        Parameters of the engine.

    Members
    -------
    i_vector : In(stream.Signature(config.column))
        Writes a byte of the lanes' vectors, always ready; not of a slice that a sweep still reads.
    i_command : In(stream.Signature(config.command))
        ``rows`` and the number of slices at least 1. Dot: the full slices of the vectors begin at
        ``slice``, followed by the half one. Axpy: at most ``totals`` slices, and 4128 rows, for
        which the totals are exact.
    i_row : In(stream.Signature(config.beat))
    i_weight : In(stream.Signature(config.weights))
        Axpy: one for each beat.
    o_sum : Out(stream.Signature(config.sums))
        Dot: one for each row.
    i_read : In(stream.Signature(config.read))
        One for each axpy sweep, in order, at any time before; at least two elements.
    o_total : Out(stream.Signature(config.totals_read))
        The totals that ``i_read`` requests.
    """

    i_vector: stream.Interface
    i_command: stream.Interface
    i_row: stream.Interface
    i_weight: stream.Interface
    o_sum: stream.Interface
    i_read: stream.Interface
    o_total: stream.Interface

    def __init__(self, config: DenseConfig):
        self._config = config
        super().__init__(
            {
                "i_vector": wiring.In(stream.Signature(config.column)),
                "i_command": wiring.In(stream.Signature(config.command)),
                "i_row": wiring.In(stream.Signature(config.beat)),
                "i_weight": wiring.In(stream.Signature(config.weights)),
                "o_sum": wiring.Out(stream.Signature(config.sums)),
                "i_read": wiring.In(stream.Signature(config.read)),
                "o_total": wiring.Out(stream.Signature(config.totals_read)),
            }
        )

    @property
    def config(self) -> DenseConfig:
        return self._config

    @property
    def latency(self) -> int:
        return dense_latency(self._config)

    @property
    def totals_latency(self) -> int:
        return totals_latency(self._config)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        m.submodules.sequencer = sequencer = Sequencer(config)
        m.submodules.vectors = vectors = VectorStore(config)
        m.submodules.array = array = CellArray(config)
        m.submodules.sums = sums = DotSums(config)
        m.submodules.totals = totals = TotalBuffer(config)
        wiring.connect(m, wiring.flipped(self.i_command), sequencer.i_command)
        wiring.connect(m, wiring.flipped(self.i_vector), vectors.i)
        wiring.connect(m, wiring.flipped(self.i_read), totals.i_command)
        wiring.connect(m, totals.o, wiring.flipped(self.o_total))
        stages = Stages(m, Const(1))
        latency = array_latency(config)
        drains = stages.delay(sequencer.last, latency, "last", reset=True)
        left = Signal(range(config.chain))
        m.d.comb += [
            sequencer.beat_valid.eq(self.i_row.valid),
            sequencer.weight_valid.eq(self.i_weight.valid),
            self.i_row.ready.eq(sequencer.taken),
            self.i_weight.ready.eq(sequencer.weight_taken),
            vectors.load.eq(sequencer.load),
            vectors.slice.eq(sequencer.slice),
            array.valid.eq(sequencer.taken),
            array.beat.eq(self.i_row.payload),
            array.weights.eq(self.i_weight.payload),
            array.vector.eq(vectors.o),
            sums.valid.eq(
                stages.delay(sequencer.taken & ~sequencer.axpy, latency, "dot", reset=True)
            ),
            sums.beat.eq(stages.delay(sequencer.beat.as_value(), latency, "beat")),
            sums.chains.eq(array.o),
            totals.i.eq(array.o),
            totals.i_valid.eq(drains | (left != 0)),
            sequencer.released.eq(totals.released),
        ]
        for name in "axpy", "first", "last", "load":
            m.d.comb += getattr(array, name).eq(getattr(sequencer, name))
        with m.If(drains):
            m.d.sync += left.eq(config.chain - 1)
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        self._queue(m, sequencer, sums)
        return m

    def _queue(self, m: Module, sequencer: Sequencer, sums: DotSums) -> None:
        """Queue the sums; a beat whose sums might not fit is not taken."""
        config = self._config
        depth = 1 << (dense_latency(config) + 2).bit_length()
        m.submodules.queue = queue = ShallowFifo(config.sums, depth=depth)
        promised = Signal(range(depth + 1))
        m.d.sync += promised.eq(promised + sequencer.sums - (self.o_sum.valid & self.o_sum.ready))
        m.d.comb += [
            sequencer.room.eq(promised <= depth - 2),
            queue.i.valid.eq(sums.o_valid),
            queue.i.payload.eq(sums.o),
        ]
        wiring.connect(m, queue.o, wiring.flipped(self.o_sum))
