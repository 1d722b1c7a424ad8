"""Passes with a two-stage head on the preset kv260-groups: rates, and the cost of more nodes.

Evidence class: cycle model; with `--rtl` cycle-accurate simulation of one layer and the head, every
argmax compared with the emulator's. `python bench/two_stage.py [--models 0.7b 2b] [--rtl]`.
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from tercel import numerics
from tercel.config import PRESETS, ModelConfig
from tercel.device import Ask, KVCache
from tercel.device.emulator import EmulatorDevice
from tercel.device.weights import ModelWeights
from tercel.image import Image, random_image
from tercel_hw.top import ACCELERATORS
from tercel_sim.cycle_model import predict_pass
from tercel_sim.ddr import DDR
from tercel_sim.measurement import measure_pass
from tercel_sim.rtl_device import RtlDevice

ACCELERATOR = ACCELERATORS["kv260-groups"]
ROWS = ACCELERATOR.shortlist
MEMORIES = ("kv260-15.0", "kv260-banks")
BASE, CONTEXT = 128, 256
NODES = (1, 8)


def row(*cells: object) -> None:
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def listed(rows: int, nodes: int) -> dict[str, int]:
    """Rows that some node lists: if lists have nothing in common, and if they are independent."""
    apart = min(rows, nodes * ROWS)
    if nodes == 1:
        return {"two-stage": apart}
    independent = round(rows * (1 - (1 - ROWS / rows) ** nodes))
    return {"two-stage, apart": apart, "two-stage, independent": independent}


def rates(model: ModelConfig) -> None:
    """Print a row for each memory, head and number of rows that are listed."""
    for memory in MEMORIES:
        asked = {"base": BASE, "head_rows": model.vocab_size, "context": CONTEXT}
        for nodes in NODES:
            whole = predict_pass(model, ACCELERATOR, DDR[memory], nodes=nodes, **asked)
            heads = {"whole": whole}
            for lists, count in listed(model.vocab_size, nodes).items():
                heads[lists] = predict_pass(
                    model,
                    ACCELERATOR,
                    DDR[memory],
                    nodes=nodes,
                    two_stage=True,
                    listed=count,
                    **asked,
                )
            for name, found in heads.items():
                rate = f"{found.passes_per_second:.1f}"
                megabytes = f"{found.bytes_read / 1e6:.1f}"
                row(model.name, memory, nodes, name, found.cycles, megabytes, rate)


def measured(model: ModelConfig, image: Image, memory: str) -> Iterator[tuple[object, ...]]:
    """Yield, for each number of nodes, listed rows, simulated and predicted cycles, and bytes."""
    device = RtlDevice(image, accelerator=ACCELERATOR, ddr=DDR[memory], context=CONTEXT)
    emulator = EmulatorDevice(image, nodes=ACCELERATOR.nodes, context=CONTEXT)
    weights, cache = ModelWeights(image), KVCache(config=model, positions=CONTEXT)
    for nodes in NODES:
        for each in (device, emulator):
            each.restore(cache, BASE)
        found, result = measure_pass(device, [0] * nodes, Ask(two_stage=True))
        every = tuple(range(nodes))
        golden = emulator.run_pass([0] * nodes, ask=Ask(two_stage=True, hidden=every))
        if not np.array_equal(result.argmax, golden.argmax):
            raise SystemExit(f"the argmax of {nodes} nodes differs from the emulator's")
        stream = np.stack([golden.hidden[node] for node in every])
        x = numerics.norm_quantise(stream, image.gain("norm"), model.norm_epsilon)
        count = len(np.unique(weights.listed(x, model.vocab_size)[0]))
        predicted = predict_pass(
            model,
            ACCELERATOR,
            DDR[memory],
            start=found.start,
            nodes=nodes,
            base=BASE,
            head_rows=model.vocab_size,
            context=CONTEXT,
            two_stage=True,
            listed=count,
        )
        error = f"{predicted.cycles / found.cycles - 1:+.2%}"
        same = found.counted["bytes_read"] == predicted.bytes_read
        yield nodes, count, found.cycles, predicted.cycles, error, "equal" if same else "differ"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", nargs="+", default=["0.7b", "2b"])
    parser.add_argument("--rtl", action="store_true", help="one layer and the head, simulated")
    arguments = parser.parse_args()
    models = [replace(PRESETS[name], shortlist=ROWS) for name in arguments.models]
    if not arguments.rtl:
        row("model", "memory", "nodes", "head", "cycles", "MB", "passes/s")
        row(*["---"] * 3, "---", *["---:"] * 3)
        for model in models:
            rates(model)
        return
    row("model", "memory", "nodes", "listed", "cycles", "predicted", "error", "bytes")
    row("---", "---", *["---:"] * 5, "---")
    for model in models:
        one = replace(model, layers=1)
        with tempfile.TemporaryDirectory(prefix="tercel-") as folder:
            path = Path(folder) / "one.tercel"
            random_image(path, one, layout=ACCELERATOR.layout, seed=1)
            image = Image.open(path)
            for memory in MEMORIES[:1]:
                for cells in measured(one, image, memory):
                    row(model.name, memory, *cells)


if __name__ == "__main__":
    main()
