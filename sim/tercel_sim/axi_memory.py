"""AXI4 memories for benches of single blocks, which also check the protocol."""

import itertools
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from tercel_sim.axi_rules import AxiBeat, AxiBurst, AxiRuleError, AxiRules
from tercel_sim.testbench import every_cycle

__all__ = ["ReadMemory", "WriteMemory"]


class ReadMemory:
    """An AXI4 memory that answers reads in order.

    Parameters
    ----------
    axi
        The manager's read channels.
    beats
        Contents by beat address.
    latency
        Cycles from a request to its first beat.
    ask, answer
        Patterns of the cycles in which it takes a request and offers a beat.
    errors
        Response codes of bad beats, by beat address.

    Attributes
    ----------
    requests : list of (cycle, address in bytes, beats)
    arrivals : list of cycles
        Cycles in which beats passed.
    most_open : int
        Most requests that were open at a time.
    running : bool
        The bench sets it to False to end the memory.
    """

    def __init__(
        self,
        axi,
        beats: Sequence[int],
        *,
        latency: int = 1,
        ask: Callable[[], bool] = every_cycle,
        answer: Callable[[], bool] = every_cycle,
        errors: Mapping[int, int] | None = None,
    ):
        self.axi, self.beats, self.latency = axi, beats, latency
        self.ask, self.answer, self.errors = ask, answer, errors or {}
        self.requests, self.arrivals = [], []
        self.most_open = 0
        self.running = True

    async def serve(self, ctx):
        axi, queue = self.axi, deque()
        rules = AxiRules(beat_bytes=len(axi.rdata) // 8)
        open_bursts, offered = 0, None
        for cycle in itertools.count():
            if not self.running:
                return
            ctx.set(axi.arready, self.ask())
            if offered is None and queue and queue[0][0] <= cycle and self.answer():
                offered = queue.popleft()
                _, beat, last = offered
                ctx.set(axi.rdata, self.beats[beat])
                ctx.set(axi.rresp, self.errors.get(beat, 0))
                ctx.set(axi.rlast, last)
            ctx.set(axi.rvalid, offered is not None)
            request = (axi.araddr, axi.arlen, axi.arsize, axi.arburst, axi.arid)
            *_, valid, ready, taken, address, length, size, kind, number = await ctx.tick().sample(
                axi.arvalid, axi.arready, axi.rready, *request
            )
            burst = AxiBurst(address, length, size, kind, number)
            rules.read_request(burst if valid else None, ready=ready)
            if offered is not None and taken:
                self.arrivals.append(cycle)
                open_bursts -= offered[2]
                offered = None
            if valid and ready:
                first = address >> size
                if first + length >= len(self.beats):
                    raise AxiRuleError(f"a burst ends behind the memory's {len(self.beats)} beats")
                self.requests.append((cycle, address, length + 1))
                open_bursts += 1
                self.most_open = max(self.most_open, open_bursts)
                for index in range(length + 1):
                    queue.append((cycle + self.latency, first + index, index == length))


class WriteMemory(ReadMemory):
    """An AXI4 memory that takes writes and confirms each ``latency`` cycles after its last beat.

    Parameters
    ----------
    take
        Pattern of the cycles in which it takes a beat.
    strobes
        True if strobes may exclude bytes of a beat.

    Attributes
    ----------
    written : dict
        Contents by beat address; other beats read as 0.
    """

    def __init__(
        self,
        axi,
        *,
        latency: int = 1,
        ask: Callable[[], bool] = every_cycle,
        take: Callable[[], bool] = every_cycle,
        errors: Mapping[int, int] | None = None,
        strobes: bool = False,
    ):
        super().__init__(axi, (), latency=latency, ask=ask, errors=errors)
        self.take, self.strobes = take, strobes
        self.written: dict[int, int] = {}

    def store(self, beat: int, data: int, strobe: int, width: int) -> None:
        mask = sum(255 << 8 * byte for byte in range(width // 8) if strobe >> byte & 1)
        if not self.strobes and mask != (1 << width) - 1:
            raise AxiRuleError("a beat is written in part, which this memory does not expect")
        self.written[beat] = self.written.get(beat, 0) & ~mask | data & mask

    async def serve(self, ctx):
        axi, announced, answers = self.axi, deque(), deque()
        width = len(axi.wdata)
        rules = AxiRules(beat_bytes=width // 8)
        open_bursts, offered, index = 0, None, 0
        for cycle in itertools.count():
            if not self.running:
                return
            ctx.set(axi.awready, self.ask())
            ctx.set(axi.wready, bool(announced) and self.take())
            if offered is None and answers and answers[0][0] <= cycle:
                offered = answers.popleft()
                ctx.set(axi.bresp, offered[1])
            ctx.set(axi.bvalid, offered is not None)
            request = (axi.awaddr, axi.awlen, axi.awsize, axi.awburst, axi.awid)
            beat = (axi.wdata, axi.wstrb, axi.wlast)
            handshakes = (axi.awvalid, axi.awready, axi.wvalid, axi.wready, axi.bready)
            (
                _,
                _,
                valid,
                ready,
                wv,
                wr,
                taken,
                data,
                strobe,
                last,
                *fields,
            ) = await ctx.tick().sample(*handshakes, *beat, *request)
            burst = AxiBurst(*fields)
            rules.write_beat(AxiBeat(data, strobe, bool(last)) if wv else None, ready=wr)
            rules.write_request(burst if valid else None, ready=ready)
            if offered is not None and taken:
                offered, open_bursts = None, open_bursts - 1
            if wv and wr:
                first = announced[0]
                self.store(first + index, data, strobe, width)
                self.arrivals.append(cycle)
                index += 1
                if last:
                    announced.popleft()
                    answers.append((cycle + self.latency, self.errors.get(first, 0)))
                    index = 0
            if valid and ready:
                self.requests.append((cycle, burst.address, burst.length + 1))
                announced.append(burst.address >> burst.size)
                open_bursts += 1
                self.most_open = max(self.most_open, open_bursts)
