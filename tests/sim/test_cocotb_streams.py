import itertools
from pathlib import Path

from tercel_hw.memory import FifoConfig, StreamFifo
from tercel_sim.cocotb_streams import flowing, pauses

BENCH = Path(__file__).parent / "benches" / "streams_bench.py"


def test_pauses_are_as_frequent_as_told_and_the_same_each_time():
    first, second = (list(itertools.islice(pauses(0.3, seed=4), 1000)) for _ in range(2))
    assert first == second
    assert 250 < sum(first) < 350
    assert not any(itertools.islice(flowing(), 10))


def test_streams(bench):
    bench(StreamFifo(config=FifoConfig(width=8, depth=4)), BENCH)
