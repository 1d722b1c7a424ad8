"""Linux's contiguous memory: how much there is, and what to do if it does not suffice."""

from pathlib import Path

__all__ = ["cma_bytes", "cma_remedy", "mebibytes"]

STEP = 128 << 20


def cma_bytes(root: Path = Path("/")) -> tuple[int, int]:
    """Total and free bytes of the contiguous memory allocator; zeros if the kernel has none."""
    found = {"CmaTotal": 0, "CmaFree": 0}
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        name, _, value = line.partition(":")
        if name in found:
            found[name] = int(value.split()[0]) << 10
    return found["CmaTotal"], found["CmaFree"]


def cma_remedy(needed: int, root: Path = Path("/")) -> str:
    """State and remedy if ``needed`` bytes cannot be allocated."""
    total, free = cma_bytes(root)
    size = -(-(needed + total - free) // STEP) * STEP
    return (
        f"Linux keeps {mebibytes(total)} of contiguous memory, of which {mebibytes(free)} are "
        f"free; boot with cma={size >> 20}M on the kernel's command line, or with a "
        "reserved-memory node (docs/board.md), or open the model with a shorter context"
    )


def mebibytes(size: int) -> str:
    """A size in MiB, rounded up."""
    return f"{-(-size >> 20)} MiB"
