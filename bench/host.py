"""Time of the host in a pass on the accelerator, part by part, for shapes of reference models.

Evidence class: measured in software, on the machine that runs it. The board is instant: a pass
takes no time, its memory is an array in the layout of the kv260's four ports, and its results are
those of random logits by Zipf's law. The image has no tape. Times are medians of one core;
the column for a Cortex-A53 is modelled, by a constant factor:
`python bench/host.py [--models small 0.7b 2b] [--repeats 300]`.
"""

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from tercel import numerics
from tercel.config import PRESETS
from tercel.device import Ask
from tercel.device.accelerator import AcceleratorDevice
from tercel.device.board import Board
from tercel.device.registers import IDENTITY, REGISTERS
from tercel.image import Image
from tercel.program import AcceleratorSpec, MemoryMap, StripedMemory, memory_map
from tercel.sampling import Sampler, SamplingConfig
from tercel_hw.top import ACCELERATORS

A53_FACTOR = 8
"""Modelled time on a Cortex-A53 of 1.2 GHz over that of a core of this machine."""
SAMPLINGS = {
    "greedy": SamplingConfig(),
    "top-k 40": SamplingConfig(temperature=0.8, top_k=40, seed=1),
    "top-p 0.95": SamplingConfig(temperature=0.8, top_p=0.95, seed=1),
    "min-p 0.05": SamplingConfig(temperature=0.8, min_p=0.05, seed=1),
    "temperature 0.8": SamplingConfig(temperature=0.8, seed=1),
}
TREE = (-1, 0, 0, 1, 2, 2, 4, 5)
POWER = 1.5
"""Exponent of Zipf's law."""


class InstantBoard(Board):
    """A board whose accelerator ends every pass at once and leaves the memory as it is."""

    clock_hz = 250e6
    bases = (0, 1 << 32, 2 << 32, 3 << 32)

    def __init__(self, spec: AcceleratorSpec, words: int):
        layout = spec.layout
        ports = np.zeros((layout.ports, words * layout.port_bytes), np.uint8)
        self.memory = StripedMemory(ports, port_bytes=layout.port_bytes)
        known = {"ID": IDENTITY, "CAPS": spec.caps, "SHAPE": spec.shape}
        known |= {"STATUS": REGISTERS["STATUS_DONE_MASK"]}
        self._registers = {REGISTERS[name]: value for name, value in known.items()}

    @property
    def words(self) -> int:
        return self.memory.words

    def read(self, word, count):
        return self.memory.read(word, count)

    def write(self, word, content):
        self.memory.write(word, content)

    def write_port(self, port, word, content):
        """Leave out the tape, which no instant pass reads."""

    def read_register(self, offset):
        return self._registers.get(offset, 0)

    def write_register(self, offset, value):
        pass

    def wait(self, timeout):
        pass


class Stopwatch:
    """Adds up the time of parts of an object's work in microseconds."""

    def __init__(self):
        self.times: dict[str, float] = defaultdict(float)

    def watch(self, owner: object, method: str, part: str) -> None:
        """Add the time of a method, without that of watched methods inside, to a part."""
        function: Callable = getattr(owner, method)

        def timed(*arguments, **named):
            before, start = sum(self.times.values()), time.thread_time()
            try:
                return function(*arguments, **named)
            finally:
                inside = sum(self.times.values()) - before
                self.times[part] += 1e6 * (time.thread_time() - start) - inside

        setattr(owner, method, timed)


def open_device(name: str) -> tuple[AcceleratorDevice, InstantBoard, MemoryMap]:
    config, spec = PRESETS[name], ACCELERATORS["kv260"].spec
    where = memory_map(config=config, spec=spec, context=min(config.context, spec.positions))
    tape = np.zeros((spec.layout.ports, 0), np.uint8)
    image = Image(path=Path(name), config=config, layout=spec.layout, tape=tape, tokenizer=None)
    board = InstantBoard(spec, where.words)
    return AcceleratorDevice(image, board, spec=spec), board, where


class Results:
    """Random logits of eight nodes, written as the accelerator writes them."""

    def __init__(self, board: InstantBoard, where: MemoryMap):
        self._board, self._map = board, where
        rows, generator = where.config.vocab_size, np.random.default_rng(1)
        ranks = np.stack([generator.permutation(rows) for _ in TREE]) + 1
        self._logits = (-POWER * np.log(ranks)).astype(np.float32)
        self._scale = np.ones(len(TREE), np.float32)
        self._write(where.logits.first_word, self._logits.T)

    def write_summary(self, ask: Ask) -> None:
        lines = [self._scale]
        best = numerics.argmax(self._logits)
        if ask.argmax:
            lines += [best, self._logits[np.arange(len(TREE)), best]]
        if ask.top_k:
            sums = numerics.exponential_sum(self._logits, self._scale)
            lines += [sums.octave, *sums.total.view(np.uint32).reshape(-1, 2).T]
            ids = numerics.top_k(self._logits, ask.top_k)
            keys = np.take_along_axis(self._logits, ids, 1)
            lines += [line for pair in zip(ids.T, keys.T, strict=True) for line in pair]
        words = [np.ascontiguousarray(line).view(np.uint32) for line in lines]
        self._write(self._map.summary.first_word, np.stack(words))

    def _write(self, word: int, lines: np.ndarray) -> None:
        layout = self._map.layout
        content = np.ascontiguousarray(lines).view(np.uint8).reshape(-1)
        content = np.pad(content, (0, layout.padded(len(content)) - len(content)))
        self._board.write(word, content.reshape(-1, layout.word_bytes))


def measure(name: str, nodes: int, repeats: int) -> dict[str, float]:
    """Median microseconds by part."""
    device, board, where = open_device(name)
    results = Results(board, where)
    found: dict[str, list[float]] = defaultdict(list)
    watch = Stopwatch()
    watch.watch(device._builder, "build", "program")
    watch.watch(device._memory, "write_program", "write")
    watch.watch(device, "_answer", "results")
    watch.watch(device, "_move", "moved path")
    watch.watch(device, "run_pass", "checks, registers")
    watch.watch(device, "commit", "commit")
    parents, moved = TREE[:nodes], [0, 2, 5, 7][: 1 + nodes // 2 if nodes > 1 else 1]
    for label, config in SAMPLINGS.items():
        sampler = Sampler(config, limits=device.limits, vocab_size=device.config.vocab_size)
        ask = sampler.ask(tuple(range(nodes)))
        results.write_summary(ask)
        device.reset()
        for repeat in range(repeats):
            if device.length + 2 * nodes > device.limits.context:
                device.reset()
            tokens = [(repeat + node) % device.config.vocab_size for node in range(nodes)]
            watch.times.clear()
            result = device.run_pass(tokens, parents=parents, ask=ask)
            if label == "top-k 40":
                for part, duration in watch.times.items():
                    found[part].append(duration)
            start = time.thread_time()
            sampler.choose(result, node=nodes - 1, position=device.length + repeat)
            found[f"draw, {label}"].append(1e6 * (time.thread_time() - start))
            watch.times.clear()
            device.commit(moved if repeat % 2 else [0])
            if repeat % 2:
                found["moved path"].append(watch.times["moved path"])
            else:
                found["commit"].append(watch.times["commit"])
    return {part: statistics.median(durations) for part, durations in found.items()}


PASS = ("checks, registers", "program", "write", "results", "commit")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["small", "0.7b", "2b"], choices=PRESETS)
    parser.add_argument("--repeats", type=int, default=300)
    arguments = parser.parse_args()
    columns = {
        (name, nodes): measure(name, nodes, arguments.repeats)
        for name in arguments.models
        for nodes in (1, 8)
    }
    sums = {"pass without a draw": PASS}
    sums |= {f"pass, {label}": (*PASS, f"draw, {label}") for label in SAMPLINGS}
    table = Table(
        title="host time in a pass, us, measured in software on this machine "
        f"(Cortex-A53: modelled, factor {A53_FACTOR})"
    )
    table.add_column("part")
    for name, nodes in columns:
        table.add_column(f"{name}, {nodes}", justify="right")
        table.add_column("A53", justify="right")
    draws = [f"draw, {label}" for label in SAMPLINGS]
    for part in (*PASS, "moved path", *draws, *sums):
        row = []
        for times in columns.values():
            value = sum(times[name] for name in sums.get(part, (part,)))
            row += [f"{value:.0f}", f"{A53_FACTOR * value:.0f}"]
        table.add_row(part, *row, end_section=part in (PASS[-1], "moved path", draws[-1]))
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
