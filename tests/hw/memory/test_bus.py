"""The bus protocol against bus models of others, with random delays."""

from pathlib import Path

from tercel_hw.memory import (
    AxiConfig,
    AxiWriter,
    BurstConfig,
    ReaderConfig,
    StripedConfig,
    StripedReader,
    WriterConfig,
)

BENCHES = Path(__file__).parent / "benches"


def test_a_striped_reader(bench):
    burst = BurstConfig(axi=AxiConfig(address_width=32), max_beats=64, count_width=12)
    reader = ReaderConfig(burst=burst, buffer_beats=128, outstanding=4)
    component = StripedReader(config=StripedConfig(reader=reader, ports=2))
    bench(component, BENCHES / "striped_bench.py")


def test_a_writer(bench):
    bench(AxiWriter(config=WriterConfig()), BENCHES / "writer_bench.py")
