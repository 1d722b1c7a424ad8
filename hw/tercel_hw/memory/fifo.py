"""A FIFO in synchronous memory, one word in and one word out per cycle."""

from dataclasses import dataclass

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from tercel_hw.checks import check_integer, check_ram_style
from tercel_hw.credits import Credits
from tercel_hw.shallow_fifo import ShallowFifo
from tercel_hw.wrap_increment import wrap_increment

__all__ = ["FifoConfig", "StreamFifo"]


@dataclass(frozen=True, kw_only=True)
class FifoConfig:
    """Parameters of a :class:`StreamFifo`.

    Raises
    ------
    ValueError
        If a field breaks its rule.
    """

    width: int
    depth: int
    """Words of the memory; any number, a power of two is cheapest."""
    read_latency: int = 1
    """Cycles of a read; those beyond 1 are output registers, which large memories need.

    A memory of lookup tables may be read combinationally, in 0 cycles.
    """
    ram_style: str | None = None
    """Attribute of the memory: ``block``, ``distributed``, ``ultra`` or none."""

    def __post_init__(self):
        check_integer("width", self.width, 1, 65536)
        check_integer("depth", self.depth, 2, 1 << 24)
        check_integer("read_latency", self.read_latency, 0, 6)
        check_ram_style(self.ram_style)
        if self.read_latency == 0 and self.ram_style != "distributed":
            raise ValueError(
                f"ram_style must be 'distributed' if read_latency is 0, not {self.ram_style!r}"
            )

    @property
    def queue_words(self) -> int:
        """Words of the output queue: the reads in flight and their credits, as a power of two."""
        return 1 << (self.read_latency + 1).bit_length() if self.read_latency else 0

    @property
    def capacity(self) -> int:
        """Words that fit while none is taken out."""
        return self.depth + self.queue_words

    @property
    def latency(self) -> int:
        """Cycles from the transfer of a word into the empty FIFO to its offer."""
        return self.read_latency + (2 if self.read_latency else 1)


class StreamFifo(wiring.Component):
    """FIFO of words in a synchronous memory.

    A small queue in lookup tables hides the memory's read latency, if there is one. A read
    is issued when the queue has room for it, so the memory's pipeline never stalls and no path
    leads from ``o.ready`` to the memory. Throughput: one word in and one word out per cycle.
    Latency: ``config.latency``.

    Parameters
    ----------
    config
        Width, depth and kind of the memory.

    Members
    -------
    i : stream of ``width`` bits
        Words in; ready while the memory has room.
    o : stream of ``width`` bits
        Words out.
    level : out
        Words in the FIFO: in the memory, in flight and in the queue.
    """

    i: stream.Interface
    o: stream.Interface
    level: Signal

    def __init__(self, *, config: FifoConfig):
        self._config = config
        words = stream.Signature(unsigned(config.width))
        super().__init__(
            {"i": In(words), "o": Out(words), "level": Out(range(config.capacity + 1))}
        )

    @property
    def config(self) -> FifoConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        shape = unsigned(config.width)
        if not config.read_latency:
            m.submodules.store = queue = ShallowFifo(shape, depth=config.depth)
            connect(m, flipped(self.i), queue.i)
            connect(m, queue.o, flipped(self.o))
            m.d.comb += self.level.eq(queue.level)
            return m
        attrs = {} if config.ram_style is None else {"ram_style": config.ram_style}
        m.submodules.store = store = memory.Memory(
            shape=shape, depth=config.depth, init=[], attrs=attrs
        )
        write, read = store.write_port(), store.read_port()
        stored, taken, fetched = Signal(range(config.depth + 1)), Signal(), Signal()
        some, room = Signal(), Signal(init=1)
        m.d.comb += [
            self.i.ready.eq(room),
            taken.eq(self.i.valid & self.i.ready),
            write.data.eq(self.i.payload),
            write.en.eq(taken),
        ]
        # Compared before it is known whether a word comes.
        m.d.sync += [
            stored.eq(stored + taken - fetched),
            some.eq(taken | Mux(fetched, stored > 1, some)),
            room.eq(fetched | Mux(taken, stored < config.depth - 1, room)),
        ]
        with m.If(taken):
            m.d.sync += write.addr.eq(wrap_increment(write.addr, config.depth))
        with m.If(fetched):
            m.d.sync += read.addr.eq(wrap_increment(read.addr, config.depth))
        self._queue(m, stored, some, read, fetched)
        return m

    def _queue(
        self,
        m: Module,
        stored: Signal,
        some: Signal,
        read: memory.ReadPort,
        fetched: Signal,
    ) -> None:
        """Add the queue of words that were read from the memory, and its credits."""
        config = self._config
        m.submodules.queue = queue = ShallowFifo(unsigned(config.width), depth=config.queue_words)
        m.submodules.credits = credits = Credits(count=config.queue_words)
        connect(m, queue.o, flipped(self.o))
        m.d.comb += [
            fetched.eq(some & credits.any),
            read.en.eq(fetched),
            credits.spend.eq(fetched),
            credits.give.eq(self.o.valid & self.o.ready),
            self.level.eq(stored + config.queue_words - credits.left),
        ]
        arrived, data = Signal(), read.data
        m.d.sync += arrived.eq(fetched)
        for stage in range(1, config.read_latency):
            late = Signal(name=f"arrived{stage}")
            late_data = Signal.like(data, name=f"data{stage}", reset_less=True)
            m.d.sync += [late.eq(arrived), late_data.eq(data)]
            arrived, data = late, late_data
        m.d.comb += [queue.i.valid.eq(arrived), queue.i.payload.eq(data)]
