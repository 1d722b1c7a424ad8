"""The shortlist of a two-stage head: the rows of each lane's best approximate logits."""

from itertools import pairwise
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, memory, stream, wiring

from tercel.numerics.shortlist import DEPTH
from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.head.config import HeadConfig
from tercel_hw.head.float_order import key_of

__all__ = ["Shortlist"]


class Shortlist(wiring.Component):
    """``numerics.shortlist`` of every lane, and the union of the lanes' rows.

    Row r is in bucket ``r mod buckets``. A memory has a word for each bucket and lane: the best
    rows so far, the best first. The word is read, the row put in its place, and the word written
    ``WRITE`` cycles later; it is needed again ``buckets`` rows later at the earliest. A row takes a
    cycle a lane, a row from the limit on one cycle.

    After the last row, the listed rows leave bucket by bucket, in a bucket in ascending order, each
    once, with the lanes that list it. A pass over the lanes of a bucket finds the least row above
    the one before and takes ``nodes + PASS`` cycles; a row leaves when its successor is found, or
    that there is none, because ``last`` must be known. A bucket ends with a pass that finds none.

    Parameters
    ----------
    config
        Parameters of the block; with a shortlist.

    Members
    -------
    i_command : In(stream.Signature(Shortlist.command(config)))
        Number of rows, of rows that count, of lanes in use and of buckets, a power of two:
        ``1 <= limit <= rows``, ``8 <= buckets <= config.most_buckets``. Taken when all rows of the
        previous lists have left.
    i : In(stream.Signature(config.floats))
        Approximate logits of each row.
    o : Out(stream.Signature(config.listed))

    Raises
    ------
    ValueError
        If there is no shortlist.
    """

    WRITE = 3
    PASS = 7

    i_command: stream.Interface
    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: HeadConfig):
        if not config.shortlist:
            raise ValueError("shortlist must not be 0 for a block of shortlists")
        self._config = config
        super().__init__(
            {
                "i_command": wiring.In(stream.Signature(self.command(config))),
                "i": wiring.In(stream.Signature(config.floats)),
                "o": wiring.Out(stream.Signature(config.listed)),
            }
        )

    @staticmethod
    def command(config: HeadConfig) -> data.StructLayout:
        """Layout of the command of a sweep."""
        return data.StructLayout(
            {
                "rows": range(config.played_rows + 1),
                "limit": range(config.rows + 1),
                "nodes": range(config.nodes + 1),
                "buckets": range(config.most_buckets + 1),
            }
        )

    @property
    def config(self) -> HeadConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        # Key 0, which no number has, marks an empty place.
        entry = data.StructLayout({"key": FLOAT32_BITS, "row": range(config.rows)})
        bucket_bits, lanes = (config.most_buckets - 1).bit_length(), range(config.nodes)
        m.submodules.words = words = memory.Memory(
            shape=data.ArrayLayout(entry, DEPTH),
            depth=config.nodes << bucket_bits,
            init=[],
            attrs={"ram_style": "block"},
        )
        read, write = words.read_port(), words.write_port()
        # The word that was read, in a register behind the block RAM.
        found = Signal(words.shape, reset_less=True)
        lane, last_lane = Signal(lanes), Signal(lanes)
        bucket, last_bucket = Signal(bucket_bits), Signal(bucket_bits)
        mask = Signal(bucket_bits)
        taking, scanning = Signal(), Signal()
        m.d.sync += found.eq(read.data)

        row, last_row = (Signal(range(config.played_rows)) for _ in range(2))
        limit = Signal(range(config.rows + 1))
        steps, counts, ends = Signal(), Signal(init=1), Signal()
        m.d.comb += [
            read.addr.eq(Cat(Mux(taking, row[:bucket_bits] & mask, bucket), lane)),
            steps.eq(taking & self.i.valid),
            ends.eq(steps & (~counts | (lane == last_lane))),
            self.i.ready.eq(ends),
        ]
        with m.If(steps | scanning):
            m.d.sync += lane.eq(Mux(ends | (lane == last_lane), 0, lane + 1))
        with m.If(ends):
            m.d.sync += [row.eq(row + 1), counts.eq(row + 1 < limit)]
        self._insert(m, read.addr, found, write, row, mask, lane, steps & counts)

        best, above = self._scan(m, found, lane, lane == last_lane, scanning)
        held, some = Signal(config.listed, reset_less=True), Signal()
        waits = Signal(range(self.WRITE))
        command = self.i_command.payload
        m.d.comb += [
            self.o.payload.row.eq(held.row),
            self.o.payload.lanes.eq(held.lanes),
        ]
        with m.FSM():
            with m.State("idle"):
                m.d.comb += self.i_command.ready.eq(1)
                m.d.sync += [
                    limit.eq(command.limit),
                    last_row.eq(command.rows - 1),
                    last_lane.eq(command.nodes - 1),
                    mask.eq(command.buckets - 1),
                    last_bucket.eq(Mux(command.limit < command.buckets, command.limit, 0) - 1),
                    waits.eq(0),
                ]
                with m.If(self.i_command.valid):
                    m.next = "take"
            with m.State("take"):
                m.d.comb += taking.eq(1)
                # Without a bucket beyond the limit the last one is that of all ones.
                m.d.sync += [last_bucket.eq(last_bucket & mask), bucket.eq(0), above.first.eq(1)]
                with m.If(ends & (row == last_row)):
                    m.d.sync += [row.eq(0), counts.eq(1)]
                    m.next = "drain"
            with m.State("drain"):
                m.d.sync += waits.eq(waits + 1)
                with m.If(waits == self.WRITE - 1):
                    m.next = "scan"
            with m.State("scan"):
                m.d.comb += scanning.eq(1)
                with m.If(lane == last_lane):
                    m.next = "find"
            with m.State("find"):
                with m.If(best.complete):
                    m.next = "next"
            with m.State("next"):
                m.d.sync += above.first.eq(best.lanes == 0)
                with m.If(best.lanes != 0):
                    m.d.comb += self.o.valid.eq(some)
                    with m.If(~some | self.o.ready):
                        m.d.sync += [some.eq(1), held.row.eq(best.row), held.lanes.eq(best.lanes)]
                        m.d.sync += above.row.eq(best.row)
                        m.next = "scan"
                with m.Elif(bucket == last_bucket):
                    m.next = "end"
                with m.Else():
                    m.d.sync += bucket.eq(bucket + 1)
                    m.next = "scan"
            with m.State("end"):
                m.d.comb += [self.o.valid.eq(1), self.o.payload.last.eq(1)]
                with m.If(self.o.ready):
                    m.d.sync += some.eq(0)
                    m.next = "idle"
        return m

    def _insert(
        self,
        m: Module,
        address: Value,
        found: Any,
        write: memory.WritePort,
        row: Signal,
        mask: Signal,
        lane: Signal,
        counts: Value,
    ) -> None:
        """Put a row into its word, which is in ``found`` two cycles later, and write the word."""
        entry = found.shape().elem_shape
        held = data.StructLayout(
            {"valid": 1, "fresh": 1, "entry": entry, "address": len(write.addr)}
        )
        read, new, placed = (
            Signal(held, name=name, init={"valid": 0}) for name in ("read", "new", "placed")
        )
        value = Signal(FLOAT32_BITS, reset_less=True)
        m.d.sync += [
            value.eq(self.i.payload[lane]),
            read.valid.eq(counts),
            # Of the first row of each bucket, whose word is of an earlier sweep.
            read.fresh.eq(row <= mask),
            read.entry.row.eq(row),
            read.address.eq(address),
            new.eq(read),
            new.entry.key.eq(key_of(value)),
            placed.eq(new),
        ]
        moves, moved = Signal(DEPTH), Signal(DEPTH, reset_less=True)
        word = Signal.like(found, reset_less=True)
        m.d.comb += moves.eq(Cat(new.entry.key > each.key for each in found))
        m.d.sync += [moved.eq(moves | new.fresh.replicate(DEPTH)), word.eq(found)]
        m.d.comb += [write.en.eq(placed.valid), write.addr.eq(placed.address)]
        for place in range(DEPTH):
            before = moved[place - 1] if place else Const(0, 1)
            with m.If(~moved[place]):
                m.d.comb += write.data[place].eq(word[place])
            with m.Elif(~before):
                m.d.comb += write.data[place].eq(placed.entry)
            with m.Elif(~placed.fresh):
                m.d.comb += write.data[place].eq(word[place - 1])

    def _scan(
        self, m: Module, found: Any, lane: Signal, last: Value, scanning: Signal
    ) -> tuple[data.View, data.View]:
        """Find the least row of a bucket above another one, and the lanes that have it.

        Returns
        -------
        The row and its lanes, none if there is no row, ``complete`` when all lanes were seen; and
        the place of the other row, to be set: its number or, if all are above it, ``first``.
        """
        number = found.shape().elem_shape.members["row"]
        best = Signal(
            data.StructLayout({"row": number, "lanes": self._config.nodes, "complete": 1})
        )
        above = Signal(data.StructLayout({"row": number, "first": 1}), reset_less=True)
        # A lane's rows: in `found`, those above, the lesser of two, the least.
        tags = data.StructLayout({"valid": 1, "last": 1, "lane": len(lane)})
        seen = [Signal(tags, name=f"seen{age}", init={"valid": 0}) for age in range(5)]
        m.d.sync += [
            seen[0].valid.eq(scanning),
            seen[0].last.eq(last),
            seen[0].lane.eq(lane),
            *(late.eq(early) for early, late in pairwise(seen)),
        ]
        candidate = data.StructLayout({"valid": 1, "row": number})
        rows = [Signal(candidate, name=f"row{n}", reset_less=True) for n in range(DEPTH)]
        for each, held in zip(rows, found, strict=True):
            m.d.sync += [
                each.valid.eq((held.key != 0) & (above.first | (held.row > above.row))),
                each.row.eq(held.row),
            ]
        while len(rows) > 1:
            pairs = list(zip(rows[::2], rows[1::2], strict=True))
            rows = []
            for index, (a, b) in enumerate(pairs):
                name = f"lesser{len(pairs)}_{index}"
                less = Signal(candidate, name=name, reset_less=True)
                m.d.sync += less.eq(Mux(a.valid & (~b.valid | (a.row < b.row)), a, b))
                rows.append(less)
        least, tag = rows[0], seen[-1]
        mine = Signal(self._config.nodes)
        m.d.comb += mine.eq(1 << tag.lane)
        m.d.sync += best.complete.eq(tag.valid & tag.last)
        with m.If(scanning & (lane == 0)):
            m.d.sync += best.lanes.eq(0)
        with m.If(tag.valid & least.valid):
            with m.If((best.lanes == 0) | (least.row < best.row)):
                m.d.sync += [best.row.eq(least.row), best.lanes.eq(mine)]
            with m.Elif(least.row == best.row):
                m.d.sync += best.lanes.eq(best.lanes | mine)
        return best, above
