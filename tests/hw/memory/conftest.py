import itertools
from collections import deque

import pytest

from tercel_sim.testbench import every_cycle, random_gaps, run


class ReadMemory:
    """An AXI4 memory that answers reads in order; ``latency`` cycles after a request at first."""

    def __init__(self, axi, beats, *, latency=1, ask=every_cycle, answer=every_cycle, errors=None):
        self.axi, self.beats, self.latency = axi, beats, latency
        self.ask, self.answer, self.errors = ask, answer, errors or {}
        self.requests, self.arrivals = [], []
        self.most_open = 0
        self.running = True

    def accept(self, cycle, address, length, size, burst, data_width):
        beat_bytes = data_width // 8
        assert (burst, 1 << size) == (1, beat_bytes)
        assert address % beat_bytes == 0
        end = address + (length + 1) * beat_bytes - 1
        assert address // 4096 == end // 4096, "a burst crosses a page"
        self.requests.append((cycle, address, length + 1))

    async def serve(self, ctx):
        axi, queue = self.axi, deque()
        width = len(axi.rdata)
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
            sampled = (axi.arvalid, axi.arready, axi.araddr, axi.arlen, axi.arsize, axi.arburst)
            *_, valid, ready, address, length, size, burst, taken = await ctx.tick().sample(
                *sampled, axi.rready
            )
            if offered is not None and taken:
                self.arrivals.append(cycle)
                open_bursts -= offered[2]
                offered = None
            if valid and ready:
                self.accept(cycle, address, length, size, burst, width)
                first = address // (width // 8)
                open_bursts += 1
                self.most_open = max(self.most_open, open_bursts)
                for index in range(length + 1):
                    queue.append((cycle + self.latency, first + index, index == length))


class WriteMemory(ReadMemory):
    """An AXI4 memory that takes writes; what it got is in ``written``, by beat address."""

    def __init__(self, axi, *, latency=1, ask=every_cycle, take=every_cycle, errors=None):
        super().__init__(axi, None, latency=latency, ask=ask, errors=errors)
        self.take, self.written = take, {}

    async def serve(self, ctx):
        axi, announced, answers = self.axi, deque(), deque()
        width = len(axi.wdata)
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
            sampled = (axi.awvalid, axi.awready, axi.awaddr, axi.awlen, axi.awsize, axi.awburst)
            beat = (axi.wvalid, axi.wready, axi.wdata, axi.wstrb, axi.wlast)
            (
                *_,
                valid,
                ready,
                address,
                length,
                size,
                burst,
                wv,
                wr,
                data,
                strobe,
                last,
                taken,
            ) = await ctx.tick().sample(*sampled, *beat, axi.bready)
            if offered is not None and taken:
                offered, open_bursts = None, open_bursts - 1
            if wv and wr:
                first, beats = announced[0]
                assert strobe == (1 << (width // 8)) - 1
                assert last == (index == beats - 1)
                self.written[first + index] = data
                self.arrivals.append(cycle)
                index += 1
                if last:
                    announced.popleft()
                    answers.append((cycle + self.latency, self.errors.get(first, 0)))
                    index = 0
            if valid and ready:
                self.accept(cycle, address, length, size, burst, width)
                announced.append((address // (width // 8), length + 1))
                open_bursts += 1
                self.most_open = max(self.most_open, open_bursts)


@pytest.fixture
def read_memory():
    return ReadMemory


@pytest.fixture
def write_memory():
    return WriteMemory


@pytest.fixture
def simulate():
    """Run testbenches; memories serve until the last of them has ended."""

    def simulate(dut, *testbenches, memories=(), max_cycles):
        waiting = set(range(len(testbenches)))

        def watched(index):
            async def testbench(ctx):
                result = await testbenches[index](ctx)
                waiting.discard(index)
                if not waiting:
                    for memory in memories:
                        memory.running = False
                return result

            testbench.__name__ = testbenches[index].__name__
            return testbench

        benches = [watched(index) for index in range(len(testbenches))]
        servers = [memory.serve for memory in memories]
        return run(dut, *benches, *servers, max_cycles=max_cycles)[: len(testbenches)]

    return simulate


@pytest.fixture(params=[every_cycle, random_gaps(1, 0.4)], ids=["steady", "idle"])
def idle(request):
    """When a source offers."""
    return request.param


@pytest.fixture(params=[every_cycle, random_gaps(3, 0.4)], ids=["free", "pressed"])
def back_pressure(request):
    """When a sink takes."""
    return request.param
