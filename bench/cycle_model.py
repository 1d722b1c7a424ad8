"""The cycle model against the cycle-accurate simulation, on the tiny accelerator.

Evidence class: cycle-accurate simulation (`simulated`) and cycle model (`predicted`). The first run
compiles the simulation, which takes minutes: `python bench/cycle_model.py`.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from tercel.config import PRESETS, ModelConfig
from tercel.device import Ask, KVCache
from tercel.image import Image, random_image
from tercel_hw.top import ACCELERATORS
from tercel_sim.cycle_model import predict_pass
from tercel_sim.ddr import DDR, DdrConfig
from tercel_sim.measurement import measure_pass
from tercel_sim.rtl_device import RtlDevice

ACCELERATOR = ACCELERATORS["tiny"]
TINY = PRESETS["tiny"]
MODELS = {
    "tiny": TINY,
    "wide": replace(TINY, hidden_size=128, ffn_size=240, layers=1, vocab_size=200),
    "large heads": replace(TINY, ffn_size=64, heads=2, head_size=48),
    "no groups": replace(TINY, hidden_size=48, ffn_size=96, layers=3, kv_heads=4),
    "deep": replace(TINY, hidden_size=32, ffn_size=48, layers=6, heads=2, kv_heads=1),
    "all head": replace(TINY, hidden_size=96, ffn_size=64, layers=1, vocab_size=256),
}
MEMORIES = {
    "kv260-15.0": DDR["kv260-15.0"],
    "ideal": DDR["ideal"],
    "0.6 GB/s": DdrConfig(sustained_gbs=0.6),
    "0.25 GB/s": DdrConfig(sustained_gbs=0.25),
    "latency 200": DdrConfig(sustained_gbs=1.0, read_latency=200),
    "slow ports": DdrConfig(port_rate=0.25),
}
PASSES = [(1, 0, True, 0), (2, 7, True, 0), (2, 50, True, 0), (1, 30, True, 8), (1, 30, False, 0)]
"""Passes: nodes, base, with the head or without, ranks of the top-k."""


def errors(model: ModelConfig, memory: DdrConfig, image: Path) -> list[tuple[int, int]]:
    """Simulated and predicted cycles of each pass."""
    device = RtlDevice(Image.open(image), accelerator=ACCELERATOR, ddr=memory)
    cache = KVCache(config=model, positions=device.limits.context)
    found = []
    for nodes, base, headed, top_k in PASSES:
        device.restore(cache, base)
        measured, _ = measure_pass(device, [0] * nodes, Ask(argmax=headed, top_k=top_k))
        predicted = predict_pass(
            model,
            ACCELERATOR,
            memory,
            nodes=nodes,
            base=base,
            head_rows=model.vocab_size if headed else None,
            top_k=top_k,
            start=measured.start,
        )
        found.append((measured.cycles, predicted.cycles))
    device.board.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    parser.add_argument("--memories", nargs="+", default=list(MEMORIES), choices=MEMORIES)
    arguments = parser.parse_args()
    table = Table(title="predicted cycles of a pass, on the tiny accelerator")
    for column in ("model", "memory"):
        table.add_column(column)
    for column in ("nodes", "base", "head", "ranks", "simulated", "predicted", "error"):
        table.add_column(column, justify="right")
    deviations = []
    with TemporaryDirectory() as folder:
        for model in arguments.models:
            image = Path(folder) / "model.tercel"
            random_image(image, MODELS[model], layout=ACCELERATOR.layout)
            for memory in arguments.memories:
                found = errors(MODELS[model], MEMORIES[memory], image)
                for asked, (measured, predicted) in zip(PASSES, found, strict=True):
                    nodes, base, headed, top_k = asked
                    deviation = predicted / measured - 1
                    deviations.append(abs(deviation))
                    shown = (nodes, base, "yes" if headed else "no", top_k, measured, predicted)
                    table.add_row(model, memory, *map(str, shown), f"{100 * deviation:+.2f} %")
    console = Console(width=120)
    console.print(table)
    mean = 100 * sum(deviations) / len(deviations)
    console.print(f"mean error {mean:.2f} %, largest {100 * max(deviations):.2f} %")


if __name__ == "__main__":
    main()
