"""The sequencer of a dense engine's beats."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring

from tercel_hw.dense.config import HALVES, DenseConfig
from tercel_hw.dense.dot_sums import beat_layout

__all__ = ["Sequencer"]


class Sequencer(wiring.Component):
    """Accepts a sweep's beats and describes each of them.

    Dot: tile by tile, in a tile the half slice first, then the full ones, so that sums of rows
    leave one by one with the last slice. Axpy: slice by slice, the full ones first, over all rows.

    Throughput: a beat a cycle, with exceptions. A dot's slice takes at least ``chain`` cycles,
    while its vector is read, and one of two rows begins two cycles after the previous one's last
    beat; a dot's beat that completes two sums is followed by an idle cycle; an axpy's slice is
    followed by ``chain - 1`` idle cycles, while its sums are moved out.

    Parameters
    ----------
    config
        Parameters of the engine.

    Members
    -------
    i_command : In(stream.Signature(config.command))
        A tile has at least three words, unless it is the last.
    beat_valid, weight_valid : In(1)
        The next beat is available, and its weights.
    taken, weight_taken : Out(1)
        The beat is taken, and its weights.
    room : In(1)
        There is room for two more sums.
    sums : Out(range(3))
        Number of sums that this beat completes.
    released : In(1)
        The totals of a slice have been read.
    axpy, first, last, load : Out(1)
        Controls of a :class:`CellArray` for the taken beat.
    slice : Out(range(slices))
        The vector's slice, valid with `load`.
    beat : Out(beat_layout(config))
        Description of a dot's beat.
    """

    i_command: stream.Interface
    beat_valid: Signal
    weight_valid: Signal
    taken: Signal
    weight_taken: Signal
    room: Signal
    sums: Signal
    released: Signal
    axpy: Signal
    first: Signal
    last: Signal
    load: Signal
    slice: Signal
    beat: data.View

    def __init__(self, config: DenseConfig):
        self._config = config
        super().__init__(
            {
                "i_command": wiring.In(stream.Signature(config.command)),
                **{name: wiring.In(1) for name in ("beat_valid", "weight_valid", "room")},
                "released": wiring.In(1),
                **{name: wiring.Out(1) for name in ("taken", "weight_taken")},
                "sums": wiring.Out(range(3)),
                **{name: wiring.Out(1) for name in ("axpy", "first", "last", "load")},
                "slice": wiring.Out(range(config.slices)),
                "beat": wiring.Out(beat_layout(config)),
            }
        )

    @property
    def config(self) -> DenseConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        command = Signal(config.command, reset_less=True)
        offered = self.i_command.payload
        busy = Signal()
        # Rows of the tile (axpy: all rows), the same less one, pairs less one; rows after the tile.
        rows, last_row, last_pair, behind = (
            Signal(range(config.rows + 1), reset_less=True) for _ in range(4)
        )
        half, number = Signal(), Signal.like(command.full, reset_less=True)
        # Words of the slice before this one and after it; this is the first, the last.
        word, words = Signal(range(config.rows), reset_less=True), Signal.like(rows)
        first_word, last_word, last_tile = Signal(init=1), Signal(), Signal()
        # Slices of the tile from this one on; this is the last one; a tile has only one.
        slices, last_slice, alone = Signal(range(config.slices + 2)), Signal(), Signal()
        m.d.comb += [
            self.i_command.ready.eq(~busy),
            self.axpy.eq(command.axpy),
            last_tile.eq(command.axpy | (behind == 0)),
        ]
        two_rows = ~half & (last_row == 1)
        free = self._pauses(m, first_word, last_word & two_rows)
        m.d.comb += self.taken.eq(
            busy & self.beat_valid & free & Mux(command.axpy, self.weight_valid, self.room)
        )
        self._tell(m, command, half, number, word, first_word, last_word, last_slice, rows)

        def begin(count) -> None:
            """Begin a tile of ``count`` rows."""
            m.d.sync += [rows.eq(count), last_row.eq(count - 1), last_pair.eq((count - 1) >> 1)]
            m.d.sync += number.eq(0)

        def tile(left, size):
            return Mux(left < size, left, size)

        # Rows of the next tile. A slice of one word is not followed at once, so what is known late
        # of the next one is known in time.
        following = Signal.like(rows)
        one_row, one_pair, one_word = Signal(), Signal(), Signal()
        m.d.sync += [
            following.eq(tile(behind, command.tile)),
            one_row.eq(last_row == 0),
            one_pair.eq(last_pair == 0),
            one_word.eq(Mux(command.half, following <= HALVES, following == 1)),
            last_word.eq(words == 0),
        ]
        with m.If(self.i_command.valid & ~busy):
            count = Mux(offered.axpy, offered.rows, tile(offered.rows, offered.tile))
            begin(count)
            one = Mux(offered.half, offered.full == 0, offered.full == 1)
            pairs = offered.half & (~offered.axpy | (offered.full == 0))

            def at_most(most):
                return (offered.rows <= most) | (~offered.axpy & (offered.tile <= most))

            m.d.sync += [
                word.eq(0),
                words.eq(Mux(pairs, (count - 1) >> 1, count - 1)),
                last_word.eq(Mux(pairs, at_most(HALVES), at_most(1))),
                command.eq(offered),
                busy.eq(1),
                slices.eq(offered.full + offered.half),
                alone.eq(one),
                last_slice.eq(one),
                behind.eq(offered.rows - count),
                half.eq(pairs),
            ]
        with m.If(self.taken):
            m.d.sync += word.eq(Mux(last_word, 0, word + 1))
            m.d.sync += [first_word.eq(last_word), words.eq(words - 1), last_word.eq(words == 1)]
            with m.If(last_word):
                of_pairs = command.axpy & command.half & (slices == 2)
                m.d.sync += [
                    half.eq(of_pairs),
                    words.eq(Mux(of_pairs, last_pair, last_row)),
                    last_word.eq(Mux(of_pairs, one_pair, one_row)),
                    number.eq(number + ~half),
                    slices.eq(slices - 1),
                    last_slice.eq(slices == 2),
                ]
            with m.If(last_word & last_slice):
                begin(following)
                m.d.sync += [slices.eq(command.full + command.half), last_slice.eq(alone)]
                m.d.sync += [
                    behind.eq(behind - following),
                    half.eq(command.half),
                    words.eq(Mux(command.half, (following - 1) >> 1, following - 1)),
                    last_word.eq(one_word),
                    busy.eq(~last_tile),
                ]
        return m

    def _pauses(self, m: Module, first_word: Signal, second_of_two: Value) -> Signal:
        """Return a signal that is high if no pause is due before the next beat."""
        config = self._config
        loading, draining = Signal(range(config.chain)), Signal(range(config.chain))
        paired, late = Signal(), Signal()
        kept = Signal(range(config.totals + 1))
        m.d.sync += [
            loading.eq(Mux(self.load, config.chain - 1, loading - (loading != 0))),
            draining.eq(Mux(self.last, config.chain - 1, draining - (draining != 0))),
            paired.eq(self.sums == 2),
            # A slice that starts at once would reach the second row before its sum is stored.
            late.eq(self.taken & ~self.axpy & second_of_two),
            kept.eq(kept + self.first - self.released),
        ]
        room = Mux(self.axpy, kept != config.totals, (loading == 0) & ~late)
        free = Signal()
        m.d.comb += free.eq((draining == 0) & ~paired & (~first_word | room))
        return free

    def _tell(
        self, m: Module, command, half, number, word, first_word, last_word, last_slice, rows
    ) -> None:
        """Drive the description of the taken beat."""
        beat, dot = self.beat, self.taken & ~command.axpy
        pair = Signal()
        m.d.comb += [
            self.weight_taken.eq(self.taken & command.axpy),
            self.first.eq(self.taken & command.axpy & first_word),
            self.last.eq(self.taken & command.axpy & last_word),
            self.load.eq(dot & first_word),
            self.slice.eq(command.slice + Mux(half, command.full, number)),
            beat.start.eq(Mux(command.half, half, number == 0)),
            beat.final.eq(last_slice),
            beat.half.eq(half),
            # The last pair may lack its second row.
            pair.eq(~(last_word & rows[0])),
            beat.pair.eq(pair),
            beat.row.eq(Mux(half, word << 1, word)),
            self.sums.eq(Mux(dot & last_slice, Mux(half & pair, 2, 1), 0)),
        ]
