import pytest

from tercel_sim.axi_memory import ReadMemory, WriteMemory
from tercel_sim.testbench import run


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
