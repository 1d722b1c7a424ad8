"""The rate at which the accelerator reads and writes its memory.

Words are striped over the ports, a part of every word on each, so every command reads all ports at
the same rate: a program that reads one port alone cannot be written, and the rate of a port is its
equal part of the whole. A slow port slows all of them down.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from tercel.config import ModelConfig
from tercel.device import Ask
from tercel.device.accelerator import AcceleratorDevice
from tercel.device.board import Board
from tercel.device.registers import REGISTERS
from tercel.errors import TercelError
from tercel.image import Image, random_image
from tercel.program import AcceleratorSpec, memory_map

__all__ = ["Bandwidth", "measure_bandwidth", "probe_rows", "probe_words"]

BANDWIDTH_ROWS = 8192
"""Rows of the head that is read: 8 MiB of the widest."""
FEWEST_ROWS = 128
"""Rows below which the start of a pass would decide its rate."""
MOST_WIDTH, CONTEXT = 1024, 16
PASSES = 4
"""Passes of which the fastest one counts."""


@dataclass(frozen=True, kw_only=True)
class Bandwidth:
    """Rates of all ports together in bytes a second."""

    reading: float
    """While the head is read."""
    mixed: float
    """While it is read and every logit is written."""


def probe_config(spec: AcceleratorSpec, *, rows: int = BANDWIDTH_ROWS) -> ModelConfig:
    """A model of one layer whose head is long, as far as an accelerator allows."""
    widest = min(spec.hidden, spec.slices * spec.layout.word_bytes, MOST_WIDTH)
    return ModelConfig(
        name="bandwidth",
        layers=1,
        hidden_size=widest // 16 * 16,
        ffn_size=16,
        heads=1,
        kv_heads=1,
        head_size=16,
        vocab_size=min(rows, spec.rows),
        context=CONTEXT,
    )


def probe_words(spec: AcceleratorSpec, *, rows: int = BANDWIDTH_ROWS) -> int:
    """Words of memory that :func:`measure_bandwidth` needs."""
    context = min(CONTEXT, spec.positions)
    return memory_map(config=probe_config(spec, rows=rows), spec=spec, context=context).words


def probe_rows(spec: AcceleratorSpec, words: int, *, most: int = BANDWIDTH_ROWS) -> int:
    """Most rows, a half of ``most`` or the half of that and so on, for which memory is enough.

    Raises
    ------
    TercelError
        If there is not enough for :data:`FEWEST_ROWS`.
    """
    rows = min(most, spec.rows)
    while probe_words(spec, rows=rows) > words:
        rows //= 2
        if rows < FEWEST_ROWS:
            needed = probe_words(spec, rows=FEWEST_ROWS)
            raise TercelError(
                f"the device holds {words} words, but measuring its memory takes {needed}; "
                "`tercel doctor` opens it with enough"
            )
    return rows


def measure_bandwidth(
    board: Board, spec: AcceleratorSpec, *, rows: int = BANDWIDTH_ROWS, passes: int = PASSES
) -> Bandwidth:
    """Measure the rates of all ports together by passes that run nothing but the head.

    The memory is overwritten.

    Parameters
    ----------
    rows
        Rows of the head.
    passes
        Passes of which the fastest one counts.

    Raises
    ------
    TercelError
        If a pass fails, or the memory is too small.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bandwidth.tercel"
        random_image(path, probe_config(spec, rows=rows), layout=spec.layout)
        image = Image.open(path)
        device = AcceleratorDevice(image, board, spec=spec)
        skipped = tuple((False, False) for _ in range(image.config.layers))
        nodes = tuple(range(spec.nodes))
        rates = []
        for ask in (Ask(layer_mask=skipped), Ask(layer_mask=skipped, logits=nodes)):
            best = 0.0
            for _ in range(passes):
                device.run_pass([0] * spec.nodes, ask=ask)
                moved = _long(board, "BYTES_READ") + _long(board, "BYTES_WRITTEN")
                best = max(best, moved / (_long(board, "CYCLES") / board.clock_hz))
            rates.append(best)
    return Bandwidth(reading=rates[0], mixed=rates[1])


def _long(board: Board, name: str) -> int:
    low, high = (board.read_register(REGISTERS[name] + 4 * half) for half in range(2))
    return low | high << 32
