"""A component behind a held reset is the component, but for when it is reset."""

from amaranth.hdl import ClockDomain, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from tercel_hw.emission import emit_verilog
from tercel_sim.registered_reset import RegisteredReset


class Counter(wiring.Component):
    """Counts what passes, and says at once what it is given."""

    def __init__(self):
        super().__init__(
            {"i": In(stream.Signature(8)), "o": Out(stream.Signature(8)).array(2), "count": Out(8)}
        )

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.count.eq(self.count + self.i.valid)
        m.d.comb += [self.o[1].payload.eq(self.i.payload), self.i.ready.eq(self.o[0].ready)]
        return m


def test_it_behaves_as_the_component_a_cycle_after_the_reset():
    m = Module()
    m.domains.sync = domain = ClockDomain()
    m.submodules.dut = dut = RegisteredReset(Counter())
    reset = Signal()
    m.d.comb += domain.rst.eq(reset)

    async def bench(ctx):
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.i.payload, 77)
        ctx.set(dut.o[0].ready, 1)
        counts = []
        for cycle in range(12):
            ctx.set(reset, cycle in (0, 1, 6, 7))
            assert ctx.get(dut.o[1].payload) == 77
            assert ctx.get(dut.i.ready) == 1
            await ctx.tick()
            counts.append(ctx.get(dut.count))
        # The register is in reset at first, as after the last cycle of each reset.
        assert counts == [0, 0, 0, 1, 2, 3, 4, 0, 0, 1, 2, 3]

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert RegisteredReset.DELAY == 1


def test_its_ports_are_those_of_the_component():
    def ports(component):
        text = emit_verilog(component, "top")
        start = text.index("module top(")
        return text[start : text.index(";", start)]

    assert ports(RegisteredReset(Counter())) == ports(Counter())
