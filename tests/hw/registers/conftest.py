import pytest

from tercel_hw.registers import Access, Field, Register, RegisterMap


class Driver:
    """Accesses of an AXI4-Lite bus; ``gap`` cycles between address and data, or before ready."""

    def __init__(self, bus, gap=0):
        self.bus, self.gap = bus, gap

    async def write(self, ctx, address, value, strobes=0xF):
        bus = self.bus
        ctx.set(bus.awaddr, address)
        ctx.set(bus.awvalid, 1)
        await ctx.tick().repeat(self.gap) if self.gap else None
        ctx.set(bus.wdata, value)
        ctx.set(bus.wstrb, strobes)
        ctx.set(bus.wvalid, 1)
        await ctx.tick().until(bus.awready & bus.wready)
        ctx.set(bus.awvalid, 0)
        ctx.set(bus.wvalid, 0)
        await self._answer(ctx, bus.bvalid, bus.bready, bus.bresp)

    async def read(self, ctx, address):
        bus = self.bus
        ctx.set(bus.araddr, address)
        ctx.set(bus.arvalid, 1)
        await ctx.tick().until(bus.arready)
        ctx.set(bus.arvalid, 0)
        return await self._answer(ctx, bus.rvalid, bus.rready, bus.rdata)

    async def _answer(self, ctx, valid, ready, payload):
        for _ in range(self.gap):
            await ctx.tick()
        ctx.set(ready, 1)
        (value,) = await ctx.tick().sample(payload).until(valid)
        ctx.set(ready, 0)
        return value


@pytest.fixture
def driver():
    return Driver


@pytest.fixture
def small_map():
    """A register of every kind."""
    low = Field(name="low", bit=0, width=4, description="Low bits.")
    high = Field(name="high", bit=12, width=3, description="High bits.")
    return RegisterMap(
        name="small",
        description="A register of every kind.",
        registers=(
            Register(name="id", offset=0, access=Access.RO, constant=0xABCD, description="Who."),
            Register(
                name="seen", offset=4, access=Access.RO, fields=(low, high), description="Shown."
            ),
            Register(
                name="kept",
                offset=8,
                access=Access.RW,
                fields=(low, high),
                reset=0x2005,
                description="Kept.",
            ),
            Register(
                name="sticky", offset=12, access=Access.W1C, fields=(low, high), description="Set."
            ),
            Register(
                name="go", offset=16, access=Access.PULSE, fields=(low, high), description="Once."
            ),
            Register(name="count", offset=24, access=Access.RO, width=64, description="Long."),
            Register(name="place", offset=40, access=Access.RW, width=64, description="Far."),
        ),
    )
