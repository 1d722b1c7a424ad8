"""The generator of the sums of one group of activations, entry by entry."""

from collections.abc import Iterator
from itertools import pairwise

from amaranth.hdl import Array, Const, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from tercel_hw.tlmm.arithmetic import plus_or_minus
from tercel_hw.tlmm.config import TlmmConfig
from tercel_hw.tlmm.layouts import activations_layout, entry_layout, place_layout

__all__ = ["RING", "TableGenerator", "half_path"]

RING = [(1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1)]
"""Path of a full table: all patterns of two trits but zero; a step changes one trit by one."""


def _whole_path(trits: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Yield every pattern of the trits from corner to corner; a step changes one trit by one."""
    if not trits:
        yield ()
        return
    *lower, top = trits
    corner = tuple(lower)
    for value in (top, 0, -top):
        lower_path = list(_whole_path(corner))
        yield from ((*pattern, value) for pattern in lower_path)
        corner = lower_path[-1]


def half_path(count: int) -> list[tuple[int, ...]]:
    """Return the patterns whose highest trit other than 0 is 1; a step changes one trit by one.

    The first is ``(1, 0, ...)``; the last is a corner. Their balanced ternary numbers are 1 to
    ``3**count // 2``.
    """
    if count == 1:
        return [(1,)]
    lower = half_path(count - 1)
    return [(*p, 0) for p in lower] + [(*p, 1) for p in _whole_path(lower[-1])]


class _FillOrder:
    """The steps of a path, as lists indexed by the step's number."""

    def __init__(self, trits: int, *, halved: bool):
        path = half_path(trits) if halved else RING
        moves = [
            next((i, new[i] - old[i]) for i in range(trits) if new[i] != old[i])
            for old, new in pairwise([(0,) * trits, *path])
        ]
        numbers = [sum(t * 3**i for i, t in enumerate(pattern)) for pattern in path]
        self.index = [number % 3**trits for number in numbers]
        self.moved = [i for i, _ in moves]
        self.down = [int(step < 0) for _, step in moves]


class TableGenerator(wiring.Component):
    """Generates all sums of one group of activations, one entry of each part a cycle.

    Successive entries of a part differ by one in one trit, so each sum is the previous one plus or
    minus one activation. A halved table needs no entry of a negative pattern.

    The first of ``config.entries`` entries leaves two cycles after the transfer of the group, then
    one a cycle. A group can be transferred every ``config.entries`` cycles.

    Parameters
    ----------
    config
        Parameters of the engine.

    Members
    -------
    i : In, stream
        ``group`` of activations in -127..127, and the ``place`` of its tables.
    entries : Out
        One entry a part, without flow control.
    place : Out
        Code and bank of the entries.
    filled : Out
        A bit for the bank whose last entry of a chunk leaves in the next cycle.
    """

    i: stream.Interface
    entries: data.View
    place: data.View
    filled: Signal

    def __init__(self, *, config: TlmmConfig):
        self._config = config
        place = place_layout(config)
        payload = data.StructLayout({"group": activations_layout(config), "place": place})
        entries = {str(p): entry_layout(config, p) for p in range(len(config.parts))}
        super().__init__(
            {
                "i": In(stream.Signature(payload)),
                "entries": Out(data.StructLayout(entries)),
                "place": Out(place),
                "filled": Out(2),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        busy, done = Signal(), Signal()
        step = Signal(range(config.entries))
        group = Signal(activations_layout(config), reset_less=True)
        place = Signal(place_layout(config), reset_less=True)
        m.d.comb += [
            done.eq(busy & (step == config.entries - 1)),
            self.i.ready.eq(~busy | done),
            self.filled.bit_select(place.bank, 1).eq(done & place.last),
        ]
        m.d.sync += [
            step.eq(step + 1),
            busy.eq(busy & ~done),
            self.place.eq(place),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                step.eq(0),
                busy.eq(1),
                group.eq(self.i.payload.group),
                place.eq(self.i.payload.place),
            ]

        start = 0
        for part, trits in enumerate(config.parts):
            order = _FillOrder(trits, halved=config.halved[part])
            entry = self.entries[str(part)]
            m.d.sync += entry.valid.eq(busy & (step < len(order.index)))
            index = Signal.like(entry.index, name=f"index_{part}", reset_less=True)
            sums = Signal(entry.sums.shape(), name=f"sums_{part}", reset_less=True)
            m.d.comb += [entry.index.eq(index), entry.sums.eq(sums)]
            m.d.sync += index.eq(_at(order.index, step))
            moved = _at(order.moved, step)
            down = _at(order.down, step)
            for node in range(config.nodes):
                before = Signal.like(sums[node], name=f"before_{part}_{node}")
                activation = Signal(signed(8), name=f"activation_{part}_{node}")
                activations = [group[start + i][node] for i in range(trits)]
                m.d.comb += before.eq(Mux(step == 0, 0, sums[node]))
                m.d.comb += activation.eq(Array(activations)[moved])
                m.d.sync += sums[node].eq(plus_or_minus(down, before, activation))
            start += trits
        return m


def _at(values: list[int], step: Signal):
    """Return the value of a step; undefined past the last one."""
    width = max(values).bit_length() or 1
    number = sum(value << width * place for place, value in enumerate(values))
    return Const(number, width << len(step)).word_select(step, width)
