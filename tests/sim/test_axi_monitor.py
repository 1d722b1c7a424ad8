"""Rules of AXI in cocotb benches; the managers are those that every model is tested with."""

from pathlib import Path

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from tercel_hw.memory import Axi4Signature, AxiConfig

BENCH = Path(__file__).parent / "benches" / "monitor_bench.py"


class Wires(wiring.Component):
    """The wires of a port, all of them driven by the bench and its models."""

    def __init__(self):
        port = Axi4Signature(AxiConfig(address_width=32, data_width=64)).members
        wires = {f"m_axi_mem0_{name}": In(member.shape) for name, member in port.items()}
        super().__init__({"clk": In(1), "rst": In(1)} | wires)

    def elaborate(self, platform):
        return Module()


def test_managers(bench):
    bench(Wires(), BENCH)
