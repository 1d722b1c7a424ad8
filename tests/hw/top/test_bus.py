"""All memory ports of an accelerator against bus models of others, with random delays."""

from pathlib import Path

from tercel_hw.top import ACCELERATORS
from tercel_hw.top.memory_system import MemorySystem

BENCH = Path(__file__).parent / "benches" / "memory_system_bench.py"


def test_channels_and_writers_share_the_ports(bench):
    """Routed readers, fetch channels, write merge and striped writer with strobes together."""
    bench(MemorySystem(config=ACCELERATORS["tiny"]), BENCH)
