"""The latency of a chain of products, computed without building one."""

__all__ = ["chain_latency"]

REGISTERS = 3
"""Registers of a product: operands, product and sum."""


def chain_latency(cells: int) -> int:
    """Return the cycles from the operands of ``cells`` products to their sum."""
    return REGISTERS + cells - 1
