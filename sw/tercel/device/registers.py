"""The registers that the driver uses: byte offsets, and masks of fields.

The hardware generator defines the register map; a test compares the two.
"""

__all__ = ["IDENTITY", "MAJOR", "REGISTERS", "error_names"]

IDENTITY = int.from_bytes(b"TRCL", "big")
"""Value of the register ``id``."""
MAJOR = 0
"""Major version of the register interface that this driver supports."""

REGISTERS = {
    "ID": 0x00,
    "VERSION": 0x04,
    "VERSION_MAJOR_SHIFT": 16,
    "CAPS": 0x08,
    "SHAPE": 0x0C,
    "CONTROL": 0x10,
    "CONTROL_START_MASK": 1,
    "CONTROL_RESET_MASK": 2,
    "STATUS": 0x14,
    "STATUS_BUSY_MASK": 1,
    "STATUS_DONE_MASK": 2,
    "STATUS_ERROR_MASK": 4,
    "ERROR": 0x18,
    "IRQ_STATUS": 0x1C,
    "IRQ_ENABLE": 0x20,
    "IRQ_ENABLE_DONE_MASK": 1,
    "IRQ_ENABLE_ERROR_MASK": 2,
    "WATCHDOG": 0x24,
    "PROGRAM_ADDRESS": 0x28,
    "PROGRAM_LENGTH": 0x30,
    "CYCLES": 0x40,
    "TAPE_STALL": 0x48,
    "COMPUTE": 0x50,
    "ATTENTION": 0x58,
    "HEAD": 0x60,
    "BYTES_READ": 0x68,
    "BYTES_WRITTEN": 0x70,
    "TABLE_STALL": 0x78,
    "TAPE_BASE0": 0x80,
}


def error_names(ports: int) -> tuple[str, ...]:
    """Names of the bits of the register ``error``, lowest first."""
    reads = (f"tape{port}" for port in range(ports))
    writes = (f"write{port}" for port in range(ports))
    return (*reads, "code", "sequencer", "watchdog", "start", *writes)
