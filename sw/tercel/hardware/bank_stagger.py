"""Places of the ports' regions, so that the ports read different banks of the DRAM."""

__all__ = ["BANK_SPAN", "PORT_STAGGER", "most_stride", "region_stride", "stagger_skip"]

PORT_STAGGER = 1 << 14
"""Bytes by which the region of each port begins later than that of the port before, in the span.

The ports read in step, so without it they would be in different rows of one bank all the time.
"""
BANK_SPAN = 1 << 16
"""Bytes of a row of every bank, of the KV260's controller as its firmware sets it: addresses so far
apart are in different rows of the same bank."""


def region_stride(size: int, stagger: int = PORT_STAGGER) -> int:
    """Return the least bytes from a region of ``size`` bytes to the next one in one memory."""
    return size + (stagger - size) % BANK_SPAN


def most_stride(room: int) -> int:
    """Return the most bytes from a region to the next one if there is so much room for each.

    It is negative if there is room for none.
    """
    return room - (room - PORT_STAGGER) % BANK_SPAN


def stagger_skip(address: int, *, first: int, port: int) -> int:
    """Return the bytes to skip at ``address`` so that a port's region begins in its bank.

    Parameters
    ----------
    address
        First address of the port's memory.
    first
        Address of the first port's region.
    port
        Number of the port.
    """
    return (first + port * PORT_STAGGER - address) % BANK_SPAN
