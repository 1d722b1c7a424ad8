"""The accelerator's control block: register file, counters, watchdog and interrupt."""

from typing import Any

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from tercel_hw.memory.axi import Axi4LiteInterface, Axi4LiteSignature
from tercel_hw.registers.accelerator import COUNTERS, ControlConfig, accelerator_registers
from tercel_hw.registers.counter import Counter, CounterConfig
from tercel_hw.registers.file import RegisterFile

__all__ = ["AcceleratorControl", "event_layout"]

BYTES_WIDTH = 12
"""Width of a byte counter's step, in bits."""


def event_layout() -> data.StructLayout:
    """Return the layout of a cycle's events: a bit for each cycle counter, bytes for the others."""
    return data.StructLayout(
        {name: unsigned(_step_width(name)) for name in COUNTERS if name != "cycles"}
    )


def _step_width(name: str) -> int:
    return BYTES_WIDTH if name.startswith("bytes") else 1


class AcceleratorControl(wiring.Component):
    """Control block of the accelerator: starts a pass and reports its status to the driver.

    A start zeroes the counters. While ``busy`` the cycles count; counting of an event lags it by a
    cycle. An error bit stays until the driver clears it; it does not end the pass by itself. A pass
    that a reset cuts off is never ``done``.

    Parameters
    ----------
    config
        Parameters of the register map.

    Members
    -------
    bus : AXI4-Lite, subordinate
    irq : out
        An enabled event has happened and is not cleared.
    start : out
        A pulse: begin a pass. Never while ``busy``.
    reset : out
        A pulse: reset the accelerator.
    busy : in
        A pass is running.
    progress : in
        The pass made progress in this cycle; restarts the watchdog.
    errors : in, a bit for each name of ``config.errors``
        Error bits to set.
    events : in, :func:`event_layout`
        Events of this cycle.
    program_address : out
        Word address of the pass program.
    program_length : out
        Its number of commands.
    tape_base : out, array
        Byte addresses.
    """

    bus: Axi4LiteInterface
    irq: Signal
    start: Signal
    reset: Signal
    busy: Signal
    progress: Signal
    errors: data.View
    events: data.View
    program_address: Signal
    program_length: Signal
    tape_base: data.View

    def __init__(self, *, config: ControlConfig):
        self._config = config
        self._registers = accelerator_registers(config)
        address = unsigned(config.address_width)
        super().__init__(
            {
                "bus": In(Axi4LiteSignature(address_width=self._registers.address_width)),
                "irq": Out(1),
                "start": Out(1),
                "reset": Out(1),
                "busy": In(1),
                "progress": In(1),
                "errors": In(data.StructLayout(dict.fromkeys(config.errors, unsigned(1)))),
                "events": In(event_layout()),
                "program_address": Out(address),
                "program_length": Out(32),
                "tape_base": Out(data.ArrayLayout(address, config.layout.ports)),
            }
        )

    @property
    def config(self) -> ControlConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        file: Any = RegisterFile(registers=self._registers)
        m.submodules.file = file
        connect(m, flipped(self.bus), file.bus)
        expired = Signal()
        self._run(m, file)
        self._watch(m, file, expired)
        self._count(m, file)
        errors = file.error
        for name in self._config.errors:
            m.d.comb += errors.set[name].eq(self.errors[name])
        m.d.comb += [
            errors.set.watchdog.eq(self.errors.watchdog | expired),
            errors.set.start.eq(self.errors.start | (file.control.start & self.busy)),
            self.reset.eq(file.control.reset),
            self.program_address.eq(file.program_address.address),
            self.program_length.eq(file.program_length),
        ]
        for port in range(self._config.layout.ports):
            m.d.comb += self.tape_base[port].eq(getattr(file, f"tape_base{port}").address)
        return m

    def _run(self, m: Module, file: Any) -> None:
        """Add the logic of start, status and interrupt."""
        was_busy, done, ended, dropped = Signal(), Signal(), Signal(), Signal()
        failed, fresh = file.error.value.as_value(), file.error.set.as_value()
        m.d.sync += was_busy.eq(self.busy)
        m.d.comb += [
            self.start.eq(file.control.start & ~self.busy),
            ended.eq(was_busy & ~self.busy & ~dropped),
            file.status.busy.eq(self.busy),
            file.status.done.eq(done),
            file.status.error.eq(failed.any()),
            file.irq_status.set.done.eq(ended),
            file.irq_status.set.error.eq((fresh & ~failed).any()),
        ]
        with m.If(file.control.reset):
            m.d.sync += [dropped.eq(1), done.eq(0)]
        with m.Elif(self.start):
            m.d.sync += [dropped.eq(0), done.eq(0)]
        with m.Elif(ended):
            m.d.sync += done.eq(1)
        events = file.irq_status.value.as_value() & file.irq_enable.as_value()
        m.d.sync += self.irq.eq(events.any())

    def _watch(self, m: Module, file: Any, expired: Signal) -> None:
        """Count cycles of a pass without progress; the limit counts once."""
        still = Signal(32)
        with m.If(~self.busy | self.progress):
            m.d.sync += still.eq(0)
        with m.Elif(still != file.watchdog):
            m.d.sync += still.eq(still + 1)
            m.d.comb += expired.eq(still + 1 == file.watchdog)

    def _count(self, m: Module, file: Any) -> None:
        for name in COUNTERS:
            counter = Counter(config=CounterConfig(step_width=_step_width(name)))
            m.submodules[f"count_{name}"] = counter
            m.d.comb += [
                counter.step.eq(self.busy if name == "cycles" else self.events[name]),
                counter.clear.eq(self.start),
                getattr(file, name).eq(counter.value),
            ]
