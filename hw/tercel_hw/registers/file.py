"""A register file behind AXI4-Lite."""

from typing import Any

from amaranth.hdl import Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from tercel_hw.memory.axi import Axi4LiteInterface, Axi4LiteSignature
from tercel_hw.registers.map import RegisterMap
from tercel_hw.registers.register import Access, Register

__all__ = ["RegisterFile", "register_layout"]


def register_layout(register: Register) -> Any:
    """Return the shape of a register in hardware: a number, or a layout of its fields."""
    if not register.fields:
        return unsigned(register.width)
    fields: dict[str | int, data.Field] = {
        field.name: data.Field(unsigned(field.width), field.bit) for field in register.fields
    }
    return data.FlexibleLayout(register.width, fields)


def _member(register: Register) -> wiring.Member | None:
    layout = register_layout(register)
    if register.access is Access.W1C:
        return Out(wiring.Signature({"set": In(layout), "value": Out(layout)}))
    if register.access is Access.RO:
        return None if register.constant is not None else In(layout)
    return Out(layout)


class RegisterFile(wiring.Component):
    """Register file of a register map behind AXI4-Lite.

    A read is answered two cycles after its address, a write a cycle after address and data: one
    read and one write every cycle at most. Reading the low word of a read-only register of 64 bits
    keeps its high word for the next read of a high word, so the two belong together. Byte strobes
    hold for every access. Addresses without a register read 0 and take writes without effect,
    always with an OKAY answer; the two low address bits are not looked at.

    Parameters
    ----------
    registers
        Register map.

    Members
    -------
    bus : AXI4-Lite, subordinate
    {register} : in
        For a read-only register that is not constant: the value to show.
    {register} : out
        For a read-write register: its value. For a pulse register: a pulse of each bit written 1.
    {register}.set : in, {register}.value : out
        For a write-1-to-clear register: bits to set (setting wins over clearing) and its value.
    """

    bus: Axi4LiteInterface

    def __init__(self, *, registers: RegisterMap):
        self._registers = registers
        members = {"bus": In(Axi4LiteSignature(address_width=registers.address_width))}
        for register in registers.registers:
            member = _member(register)
            if member is not None:
                members[register.name] = member
        super().__init__(members)

    @property
    def registers(self) -> RegisterMap:
        return self._registers

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self._write(m)
        self._read(m)
        return m

    def _write(self, m: Module) -> None:
        bus = self.bus
        write, strobes = Signal(), Signal(32)
        m.d.comb += [
            write.eq(bus.awvalid & bus.wvalid & (~bus.bvalid | bus.bready)),
            bus.awready.eq(write),
            bus.wready.eq(write),
        ]
        for byte in range(4):
            m.d.comb += strobes[8 * byte : 8 * byte + 8].eq(bus.wstrb[byte].replicate(8))
        with m.If(bus.bready):
            m.d.sync += bus.bvalid.eq(0)
        with m.If(write):
            m.d.sync += bus.bvalid.eq(1)

        for register in self._registers.registers:
            for word in range(register.words):
                chosen = Signal(name=f"write_{register.name}{word}")
                place = register.offset // 4 + word
                m.d.comb += chosen.eq(write & (bus.awaddr[2:] == place))
                self._write_word(m, register, word, chosen, strobes)

    def _write_word(
        self, m: Module, register: Register, word: int, chosen: Signal, strobes: Signal
    ) -> None:
        mask = register.mask >> 32 * word & 0xFFFFFFFF
        written = Mux(chosen, self.bus.wdata & strobes & mask, 0)
        port: Any = None if register.constant is not None else getattr(self, register.name)
        if register.access is Access.RW:
            kept = Signal(
                32, name=f"{register.name}{word}", init=register.reset >> 32 * word & mask
            )
            with m.If(chosen):
                m.d.sync += kept.eq((kept & ~strobes | self.bus.wdata & strobes) & mask)
            m.d.comb += Value.cast(port).word_select(word, 32).eq(kept)
        elif register.access is Access.PULSE:
            m.d.sync += Value.cast(port).eq(written)
        elif register.access is Access.W1C:
            sticky, fresh = Value.cast(port.value), Value.cast(port.set)
            m.d.sync += sticky.eq(sticky & ~written | fresh & mask)

    def _read(self, m: Module) -> None:
        bus = self.bus
        asked, read, high = Signal(), Signal(), Signal(32)
        # The address comes late in its cycle, so it is decoded in the next one.
        address = Signal(len(bus.araddr) - 2, reset_less=True)
        m.d.comb += [
            read.eq(asked & (~bus.rvalid | bus.rready)),
            bus.arready.eq(~asked | read),
        ]
        with m.If(bus.rready):
            m.d.sync += bus.rvalid.eq(0)
        with m.If(bus.arready):
            m.d.sync += [asked.eq(bus.arvalid), address.eq(bus.araddr[2:])]
        with m.If(read):
            m.d.sync += [bus.rvalid.eq(1), bus.rdata.eq(0)]
            with m.Switch(address):
                for register in self._registers.registers:
                    self._read_register(m, register, high)

    def _read_register(self, m: Module, register: Register, high: Signal) -> None:
        value = self._value(register) & register.mask
        with m.Case(register.offset // 4):
            m.d.sync += self.bus.rdata.eq(value[:32])
            if register.width == 64 and register.access is Access.RO:
                m.d.sync += high.eq(value[32:])
        if register.width == 64:
            with m.Case(register.offset // 4 + 1):
                kept = high if register.access is Access.RO else value[32:]
                m.d.sync += self.bus.rdata.eq(kept)

    def _value(self, register: Register) -> Value:
        """Return the value that a read of the register shows."""
        if register.constant is not None:
            return Const(register.constant, register.width)
        if register.access is Access.PULSE:
            return Const(0, register.width)
        port = getattr(self, register.name)
        return Value.cast(port.value if register.access is Access.W1C else port)
