"""The accelerator: registers, units, memory ports."""

from typing import Any

from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from tercel_hw.memory import Axi4Interface, Axi4LiteInterface, Axi4LiteSignature, Axi4Signature
from tercel_hw.registers import AcceleratorControl, accelerator_registers
from tercel_hw.top.config import AcceleratorConfig
from tercel_hw.top.core import Core
from tercel_hw.top.drain import Drain
from tercel_hw.top.memory_system import MemorySystem

__all__ = ["Accelerator", "accelerator_signature"]


def accelerator_signature(config: AcceleratorConfig) -> wiring.Signature:
    """Return the signature of an accelerator's ports."""
    axi = Axi4Signature(config.routed.striped.reader.burst.axi)
    width = accelerator_registers(config.control).address_width
    return wiring.Signature(
        {
            "s_axi_control": In(Axi4LiteSignature(address_width=width)),
            "m_axi_mem": Out(axi).array(config.ports),
            "irq": Out(1),
        }
    )


class Accelerator(wiring.Component):
    """Runs passes of K nodes from programs in memory, see ``docs/hardware``.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    s_axi_control : AXI4-Lite, subordinate
        The registers (`accelerator_registers`).
    m_axi_mem : array of AXI4, manager
        The memory ports; each has its part of every word.
    irq : Out(1)
        An enabled event has happened.
    """

    s_axi_control: Axi4LiteInterface
    m_axi_mem: list[Axi4Interface]
    irq: Signal

    def __init__(self, *, config: AcceleratorConfig):
        self._config = config
        super().__init__(accelerator_signature(config))

    @property
    def config(self) -> AcceleratorConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        m.submodules.drain = drain = Drain()
        control: Any = AcceleratorControl(config=config.control)
        memory: Any = MemorySystem(config=config)
        core: Any = Core(config=config)
        m.submodules.control = control
        m.submodules.memory = memory
        m.submodules.core = ResetInserter(drain.flush)(core)

        connect(m, flipped(self.s_axi_control), control.bus)
        for inside, outside in zip(memory.axi, self.m_axi_mem, strict=True):
            connect(m, inside, flipped(outside))
        for index in range(len(core.o_run)):
            connect(m, core.o_run[index], memory.i_run[index])
            connect(m, memory.o_word[index], core.i_word[index])
        for index in range(len(core.o)):
            connect(m, core.o_command[index], memory.i_command[index])
            connect(m, core.o[index], memory.i[index])

        m.d.comb += [
            self.irq.eq(control.irq),
            drain.reset.eq(control.reset),
            drain.quiet.eq(memory.quiet),
            memory.flush.eq(drain.flush),
            memory.restart.eq(drain.restart),
            memory.clear.eq(control.start | drain.flush),
            memory.base.eq(control.tape_base),
            core.start.eq(control.start),
            core.address.eq(control.program_address),
            core.length.eq(control.program_length),
            core.clear.eq(control.start | drain.flush),
            core.writing.eq(memory.writing),
            control.busy.eq(core.busy | drain.flush),
            control.progress.eq(core.progress | (memory.read_beats != 0)),
            control.errors.sequencer.eq(core.wrong),
            control.events.bytes_read.eq(memory.read_beats * config.port_bytes),
            control.events.bytes_written.eq(memory.write_beats * config.port_bytes),
        ]
        # Units keep an error until the next start; its register bit is set once.
        levels = {"code": core.corrupt}
        for port in range(config.ports):
            levels[f"tape{port}"] = memory.read_errors[port]
            levels[f"write{port}"] = memory.write_errors[port]
        for name, level in levels.items():
            before = Signal(name=f"{name}_before")
            m.d.sync += before.eq(level)
            m.d.comb += control.errors[name].eq(level & ~before)
        for name in core.events.shape().members:
            m.d.comb += control.events[name].eq(core.events[name])
        return m
