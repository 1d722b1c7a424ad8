"""Layers of Qwen3 shapes with groups on the simulated kv260-groups, compared bit for bit.

One layer, or one layer and the ternary head, of random models, behind 128 random positions, with
one node and with eight. Evidence class: cycle-accurate simulation, beside the cycle model's
prediction of the same pass. The first run compiles the accelerator, which takes some twenty
minutes: `python bench/groups_rtl.py [--shapes 1.7B,4B,8B] [--memory kv260-15.0] [--head]`.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from groups import CONTEXT, SHAPES
from rtl_cases import random_cache

from tercel.config import ModelConfig
from tercel.device import Ask
from tercel.device.emulator import EmulatorDevice
from tercel.image import Image, random_image
from tercel_hw.top import ACCELERATORS
from tercel_sim.cycle_model import predict_pass
from tercel_sim.ddr import DDR, DdrConfig
from tercel_sim.lockstep import Lockstep
from tercel_sim.measurement import measure_pass
from tercel_sim.rtl_device import RtlDevice

ACCELERATOR = ACCELERATORS["kv260-groups"]
IMAGES = Path(__file__).parents[1] / "build" / "bench"
TOP_K = 8


def image_of(config: ModelConfig) -> Image:
    """The image of a random model of a shape, written once."""
    path = IMAGES / f"groups-{config.name}-{config.layers}.tercel"
    if not path.exists():
        IMAGES.mkdir(parents=True, exist_ok=True)
        random_image(path, config, layout=ACCELERATOR.layout)
    return Image.open(path)


def simulate(config: ModelConfig, ddr: DdrConfig, *, nodes: int, head: bool) -> str:
    """A line of the table; the pass equals the emulator's or the program ends with the mismatch."""
    image, draw = image_of(config), np.random.default_rng([nodes, config.hidden_size])
    rtl = RtlDevice(image, accelerator=ACCELERATOR, ddr=ddr, context=2 * CONTEXT)
    emulator = EmulatorDevice(image, nodes=ACCELERATOR.nodes, context=2 * CONTEXT)
    pair = Lockstep(rtl, emulator)
    pair.restore(random_cache(config, CONTEXT, draw), CONTEXT)
    tokens = draw.integers(0, config.vocab_size, nodes).tolist()
    ask = Ask(argmax=head, top_k=TOP_K if head else 0, hidden=tuple(range(nodes)))
    measured, _ = measure_pass(pair, tokens, ask)
    rtl.board.close()
    cycles = measured.counted["cycles"]
    predicted = predict_pass(
        config,
        ACCELERATOR,
        ddr,
        start=measured.start,
        nodes=nodes,
        base=CONTEXT,
        head_rows=config.vocab_size if head else None,
        top_k=TOP_K if head else 0,
    ).cycles
    part = "layer and head" if head else "layer"
    error = 100 * (predicted / cycles - 1)
    return f"| {config.name} | {part} | {nodes} | {cycles:,} | {predicted:,} | {error:+.2f} % |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shapes", default="1.7B,4B,8B")
    parser.add_argument("--memory", default="kv260-15.0", choices=DDR)
    parser.add_argument("--head", action="store_true", help="the ternary head, too")
    chosen = parser.parse_args()
    wanted = chosen.shapes.split(",")
    print("| shape | part | K | cycles | predicted | error |\n|---|---|---:|---:|---:|---:|")
    for shape in SHAPES:
        if shape.name in wanted:
            config = replace(shape, layers=1)
            for nodes in (1, ACCELERATOR.nodes):
                print(
                    simulate(config, DDR[chosen.memory], nodes=nodes, head=chosen.head), flush=True
                )


if __name__ == "__main__":
    main()
