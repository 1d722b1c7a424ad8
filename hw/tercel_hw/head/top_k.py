"""Top-k of each lane."""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, memory, stream, wiring
from amaranth.utils import exact_log2

from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.head.config import PLACE_BITS, PLACES, HeadConfig
from tercel_hw.head.float_order import key_of, value_of

__all__ = ["PLACES", "TopK"]


class TopK(wiring.Component):
    """``numerics.top_k`` of every lane; ties go to the lower row, -0.0 equals 0.0.

    One memory holds the lanes' lists, each in descending order, in words of four entries. A logit
    takes a cycle; one that enters its list takes three more, and one for each word that it moves up
    from the last. Of n rows in random order about ``k ln(n / k)`` enter a list of k.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    size : In(range(config.top_k + 1))
        Requested entries, at least 1; constant during a sweep.
    i : In(stream.Signature(config.logit))
        Every lane's rows in their order; row 0, or with a shortlist ``rank`` 0, begins a new list.
    idle : Out(1)
        No logit is in the block.
    read : In(1)
    rank : In(config.rank)
    entry : Out(config.entry)
        Entry of the ``rank`` when ``read`` was high the last time but one; only while ``idle``.
    """

    size: Signal
    i: stream.Interface
    idle: Signal
    read: Signal
    rank: data.View
    entry: data.View

    def __init__(self, config: HeadConfig):
        self._config = config
        super().__init__(
            {
                "size": wiring.In(range(config.top_k + 1)),
                "i": wiring.In(stream.Signature(config.logit)),
                "idle": wiring.Out(1),
                "read": wiring.In(1),
                "rank": wiring.In(config.rank),
                "entry": wiring.Out(config.entry),
            }
        )

    @property
    def config(self) -> HeadConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        entry = data.StructLayout({"key": FLOAT32_BITS, "row": range(config.rows)})
        word_bits = exact_log2(config.list_words)
        words = data.ArrayLayout(entry, PLACES)
        m.submodules.lists = lists = memory.Memory(
            shape=words,
            depth=config.nodes << word_bits,
            init=[],
            attrs={"ram_style": "block"},
        )
        # The last key of each full list.
        m.submodules.bars = bars = memory.Memory(
            shape=unsigned(FLOAT32_BITS),
            depth=config.nodes,
            init=[],
            attrs={"ram_style": "distributed"},
        )
        write, read = lists.write_port(), lists.read_port()
        lower, bar = bars.write_port(), bars.read_port(domain="comb")

        # A logit is compared with its lane's last key; one that enters the list stalls the input.
        lane_and_word = {"lane": range(config.nodes), "word": word_bits}
        held = data.StructLayout({"entry": entry, **lane_and_word, "place": PLACE_BITS})
        compared, new = Signal(held, reset_less=True), Signal(held, reset_less=True)
        waiting, full, inserting = (Signal() for _ in range(3))
        starts, begins, first, ends = (Signal() for _ in range(4))
        offered = self.i.payload
        last_word = (self.size - 1)[PLACE_BITS:][:word_bits]
        order = offered.rank if config.shortlist else offered.row
        fits = order[PLACE_BITS:] <= last_word
        m.d.comb += [self.i.ready.eq(~inserting), bar.addr.eq(compared.lane)]
        with m.If(~inserting):
            m.d.sync += [
                waiting.eq(self.i.valid),
                full.eq(~fits),
                compared.entry.key.eq(key_of(offered.value)),
                compared.entry.row.eq(offered.row),
                compared.lane.eq(offered.lane),
                compared.word.eq(Mux(fits, order[PLACE_BITS:], last_word)),
                compared.place.eq(Mux(fits, order[:PLACE_BITS], PLACES - 1)),
                new.eq(compared),
                inserting.eq(waiting & (~full | (compared.entry.key > bar.data))),
            ]
        m.d.sync += [starts.eq(~inserting), begins.eq(starts), first.eq(begins)]

        # A word is written when the one above it has been read, whose last entry may move down.
        # The comparisons begin at a register behind the block RAM.
        found, word = Signal(words, reset_less=True), Signal(words, reset_less=True)
        moves, moved = Signal(PLACES), Signal(PLACES, reset_less=True)
        above, keys = found[PLACES - 1], [found[place].key for place in range(PLACES)]
        m.d.comb += [
            moves.eq(Cat(new.entry.key > key for key in keys)),
            ends.eq(~moves[-1] | (new.word == 0)),
            write.addr.eq(Cat(new.word, new.lane)),
            write.en.eq(inserting & ~starts & ~begins),
            # In a full list the last word is written first.
            lower.addr.eq(new.lane),
            lower.data.eq(write.data[PLACES - 1].key),
            lower.en.eq(write.en & first),
        ]
        for place in range(PLACES):
            enters = ~moved[place - 1] if place else ends
            before = word[place - 1] if place else above
            with m.If(~moved[place]):
                m.d.comb += write.data[place].eq(word[place])
            with m.Elif(enters):
                m.d.comb += write.data[place].eq(new.entry)
            with m.Else():
                m.d.comb += write.data[place].eq(before)
        with m.If(inserting):
            m.d.sync += [word.eq(found), moved.eq(moves)]
            with m.If(begins):
                # Entries beyond the list's end are replaced.
                m.d.sync += moved.eq(moves | ~0 << new.place)
        with m.If(write.en):
            m.d.sync += [inserting.eq(~ends), new.word.eq(new.word - 1)]

        # Words are read one after the other upwards, whether or not the logit goes that far.
        above_word = Signal(word_bits)
        m.d.sync += above_word.eq(Mux(inserting, above_word, compared.word) - 1)
        places = [Signal(PLACE_BITS, name=f"place{age}") for age in range(2)]
        with m.If(self.read):
            m.d.sync += [places[0].eq(self.rank.rank[:PLACE_BITS]), places[1].eq(places[0])]
        with m.If(read.en):
            m.d.sync += found.eq(read.data)
        rank = Cat(self.rank.rank[PLACE_BITS:], self.rank.lane)
        waits = Mux(waiting, Cat(compared.word, compared.lane), rank)
        shown = found[places[1]]
        m.d.comb += [
            self.idle.eq(~waiting & ~inserting),
            read.en.eq(~self.idle | self.read),
            read.addr.eq(Mux(inserting, Cat(above_word, new.lane), waits)),
            self.entry.value.eq(value_of(shown.key)),
            self.entry.row.eq(shown.row),
        ]
        return m
