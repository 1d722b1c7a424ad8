"""The latency of the memory that each setting of the readers covers, and what a longer one costs.

Evidence class: the covered latency is computed (`ReaderConfig.full_rate_latency`, which
tests/hw/memory/test_reader.py holds against the RTL in simulation, to the cycle); rates are of the
cycle model's schedule of `kv260-banks`; block RAM is an estimate from the vendor's aspect ratios.
`python bench/latency_cover.py`.
"""

import argparse
from dataclasses import replace

from rich.console import Console
from rich.table import Table

from tercel_hw.top import ACCELERATORS, AcceleratorConfig
from tercel_sim.cycle_model.bank_schedule import word_cycles
from tercel_sim.cycle_model.prediction import striped_stream
from tercel_sim.ddr import DDR, BankedDdrConfig

__all__ = ["SETTINGS", "block_rams", "stream_gbs"]

SETTINGS = ((2, 8), (4, 4), (4, 8), (6, 8), (8, 8), (12, 16), (16, 16))
"""``read_bursts`` and ``outstanding_reads``."""
LATENCIES = (50, 150, 250, 400, 600)
RAM_WORDS, RAM_BITS = 512, 72
"""A block RAM of 36 Kib as a FIFO uses it."""


def block_rams(config: AcceleratorConfig) -> int:
    """Return the RAMB36 of the read buffers of all ports."""
    beats, bits = config.routed.striped.reader.buffer_beats, 8 * config.port_bytes
    return config.ports * -(-bits // RAM_BITS) * -(-beats // RAM_WORDS)


def stream_gbs(config: AcceleratorConfig, ddr: BankedDdrConfig) -> float:
    """Return the rate at which the accelerator's ports read a long stream."""
    return config.word_bytes * ddr.clock_mhz / 1e3 / word_cycles(ddr, striped_stream(config))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ddr", default="kv260-banks", help="a memory with banks")
    ddr = DDR[parser.parse_args().ddr]
    if not isinstance(ddr, BankedDdrConfig):
        parser.error("the memory has no banks")
    table = Table(title="long stream in GB/s, by cycles from a request to its first beat")
    for head in (
        *("read_bursts", "outstanding_reads", "covers, cycles", "ns", "RAMB36"),
        *map(str, LATENCIES),
    ):
        table.add_column(head, justify="right")
    for bursts, outstanding in SETTINGS:
        config = replace(ACCELERATORS["kv260"], read_bursts=bursts, outstanding_reads=outstanding)
        covers = config.routed.striped.reader.full_rate_latency
        rates = [stream_gbs(config, replace(ddr, read_latency=each)) for each in LATENCIES]
        table.add_row(
            *(str(bursts), str(outstanding), str(covers), f"{1e3 * covers / ddr.clock_mhz:.0f}"),
            str(block_rams(config)),
            *(f"{rate:.1f}" for rate in rates),
        )
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
