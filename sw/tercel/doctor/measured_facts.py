"""Facts about an accelerator that other programs on it measure: memory rate and self-test."""

from dataclasses import replace

from tercel.device import Device, DeviceFacts, Fact, Timing
from tercel.device.accelerator import AcceleratorDevice
from tercel.doctor.bandwidth import BANDWIDTH_ROWS, PASSES, measure_bandwidth, probe_rows
from tercel.doctor.selftest import Selftest
from tercel.errors import TercelError

__all__ = ["measured_facts"]

SIMULATED_ROWS = 256
"""Rows of the bandwidth program in a simulation, where all passes take the same time."""


def measured_facts(device: Device, facts: DeviceFacts) -> DeviceFacts:
    """Return facts of a device with the rate of its memory and the outcome of the self-test.

    A device without an accelerator is left alone. Of an accelerator the memory is overwritten: the
    device cannot run its model afterwards.
    """
    if not isinstance(device, AcceleratorDevice):
        return facts
    evidence = facts.timing.value
    return replace(
        facts,
        memory_rate=_memory_rate(device, facts.timing, evidence),
        selftest=_selftest(device, evidence),
    )


def _memory_rate(device: AcceleratorDevice, timing: Timing, evidence: str) -> Fact:
    simulated = timing is Timing.SIMULATED
    try:
        most = SIMULATED_ROWS if simulated else BANDWIDTH_ROWS
        rows = probe_rows(device.spec, device.board.words, most=most)
        found = measure_bandwidth(
            device.board, device.spec, rows=rows, passes=1 if simulated else PASSES
        )
    except TercelError as error:
        return Fact(value=None, note=str(error))
    return Fact(
        value=found.reading,
        note=f"{evidence}: passes that read {rows} rows of a head, all ports together; "
        f"with writes {found.mixed / 1e9:.2f} GB/s",
    )


def _selftest(device: AcceleratorDevice, evidence: str) -> Fact:
    try:
        passes = Selftest.load()
        if (needed := passes.words(device.spec)) > device.board.words:
            return Fact(
                value=None,
                note=f"the device holds {device.board.words} words, but the self-test takes "
                f"{needed}; `tercel doctor --selftest` opens it with enough",
            )
        findings = list(passes.run(device.board, device.spec))
    except TercelError as error:
        return Fact(value=None, note=str(error))
    failed = any(finding.level == "failure" for finding in findings)
    state = "; ".join(finding.state for finding in findings)
    return Fact(value=not failed, note=f"{evidence}: {state}")
