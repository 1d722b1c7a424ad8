"""The buffer that repeats the weights of a sweep for each slice of its values."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring

from tercel_hw.attention.config import AttentionConfig

__all__ = ["WeightBuffer"]

BUFFERS = 2


class WeightBuffer(wiring.Component):
    """Stores the weights of two sweeps; delivers the older one's for each beat of its values.

    A beat holds one position for each full slice, then two for a half slice; a beat a cycle.
    Weights can be read while later positions are written: the first is offered 2 cycles after its
    write.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    positions : In(range(positions + 1))
    full, half : In
        Number of full slices of the values, and of half ones.
    begin : In(1)
        A pulse: the weights of another sweep follow; only with ``room``.
    room : Out(1)
        A sweep's buffer is free.
    i_valid : In(1)
    i : In(one of config.dense.weights)
        Weights, position after position.
    o : Out(stream.Signature(config.dense.weights))
    empty : Out(1)
        All weights of all sweeps have left.
    """

    positions: Signal
    full: Signal
    half: Signal
    begin: Signal
    room: Signal
    i_valid: Signal
    i: data.View
    o: stream.Interface
    empty: Signal

    def __init__(self, config: AttentionConfig):
        self._config = config
        weights = config.dense.weights
        super().__init__(
            {
                "positions": wiring.In(range(config.positions + 1)),
                "full": wiring.In(config.layer.members["full"]),
                "half": wiring.In(1),
                "begin": wiring.In(1),
                "room": wiring.Out(1),
                "i_valid": wiring.In(1),
                "i": wiring.In(weights.elem_shape),
                "o": wiring.Out(stream.Signature(weights)),
                "empty": wiring.Out(1),
            }
        )

    @property
    def config(self) -> AttentionConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        banks = self._banks()
        counts = [Signal(range(config.positions + 1), name=f"count{i}") for i in range(BUFFERS)]
        begun, held = Signal(), Signal(range(BUFFERS + 1))
        done = Signal()
        # ``begun`` is the buffer of the next sweep, so the other one is being written.
        m.d.comb += [self.room.eq(held != BUFFERS), self.empty.eq(held == 0)]
        m.d.sync += held.eq(held + self.begin - done)
        with m.If(self.begin):
            m.d.sync += begun.eq(~begun)
        written = Signal(range(config.positions))
        m.d.comb += written.eq(Mux(begun, counts[0], counts[1]))
        for bank, store in enumerate(banks):
            m.submodules[f"bank{bank}"] = store
            write = store.write_port()
            m.d.comb += [
                write.addr.eq(Cat(written[1:], ~begun)),
                write.data.eq(self.i),
                write.en.eq(self.i_valid & (written[0] == bank)),
            ]

        # Read pointer: the sweep's buffer, the slice, the beat's first position; positions from it
        # on of the slice, and those that have been written.
        mine, number, position = Signal(), Signal.like(self.full), Signal(range(config.positions))
        left = Signal(range(config.positions + 1), reset_less=True)
        ahead = Signal(range(config.positions + 1))
        pairs, second, enable, issued, last = (Signal() for _ in range(5))
        m.d.comb += [
            pairs.eq(number == self.full),
            second.eq(left[1:].any()),
            enable.eq(~self.o.valid | self.o.ready),
            issued.eq(enable & Mux(pairs & second, ahead[1:].any(), ahead.any())),
            last.eq(Mux(pairs, left <= 2, left <= 1)),
            done.eq(issued & last & Mux(pairs, 1, (number + 1 == self.full) & ~self.half)),
        ]
        arrives = self.i_valid & (begun != mine)
        m.d.sync += ahead.eq(ahead + arrives)
        with m.If(self.empty):
            m.d.sync += left.eq(self.positions)
        with m.If(issued):
            beat = 1 + pairs
            m.d.sync += [
                position.eq(position + beat),
                left.eq(left - beat),
                ahead.eq(ahead + arrives - beat),
            ]
            with m.If(last):
                # The whole sweep has been written.
                m.d.sync += [position.eq(0), left.eq(self.positions), number.eq(number + 1)]
                m.d.sync += ahead.eq(self.positions)
            with m.If(done):
                other = Mux(mine, counts[0], counts[1])
                m.d.sync += [number.eq(0), mine.eq(~mine)]
                m.d.sync += ahead.eq(other + (self.i_valid & (begun == mine)))
        for index, count in enumerate(counts):
            with m.If(done & (mine == index)):
                m.d.sync += count.eq(0)
            with m.Elif(self.i_valid & (begun != index)):
                m.d.sync += count.eq(count + 1)
        self._offer(m, banks, enable, issued, Cat(position[1:], mine), position[0], pairs, second)
        return m

    def _banks(self) -> list[memory.Memory]:
        """Return the memories of even and of odd positions, each for both sweeps."""
        config = self._config
        attrs = {} if config.ram_style is None else {"ram_style": config.ram_style}
        depth = BUFFERS << ((config.positions - 1) >> 1).bit_length()
        shape = config.dense.weights.elem_shape
        return [memory.Memory(shape=shape, depth=depth, init=[], attrs=attrs) for _ in range(2)]

    def _offer(self, m: Module, banks, enable, issued, address, odd, pairs, second) -> None:
        late_odd, late_pairs, late_second = (Signal(reset_less=True) for _ in range(3))
        found = []
        for store in banks:
            read = store.read_port()
            m.d.comb += [read.addr.eq(address), read.en.eq(enable)]
            found.append(read.data)
        with m.If(enable):
            m.d.sync += [
                self.o.valid.eq(issued),
                late_odd.eq(odd),
                late_pairs.eq(pairs),
                late_second.eq(second),
            ]
        one = Mux(late_odd, found[1], found[0])
        missing = late_pairs & ~late_second
        m.d.comb += [
            self.o.payload[0].eq(one),
            self.o.payload[1].eq(Mux(missing, 0, Mux(late_pairs, found[1], one))),
        ]
