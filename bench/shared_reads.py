"""A pass of 8 nodes if the sweeps of a KV head shared one read of its keys and values.

Evidence class: cycle model, of buffers that the accelerator does not have: sweeps after a KV head's
first one take their words a cycle each and nothing from the memory. Layers are timed as the
difference of passes of two and of four: `python bench/shared_reads.py`.
"""

import argparse
from collections.abc import Mapping
from dataclasses import replace

from cost_curves import MEMORY
from rich.console import Console
from rich.table import Table

from tercel.config import PRESETS, ModelConfig
from tercel_hw.top import ACCELERATORS
from tercel_sim.cycle_model import predict_pass
from tercel_sim.cycle_model.attention import AttentionSweeps
from tercel_sim.cycle_model.pass_timing import PassTiming
from tercel_sim.ddr import DDR

KV260 = ACCELERATORS["kv260"]
WIDE = replace(KV260, tlmm=replace(KV260.tlmm, max_columns=16384))
MODELS = {
    "2b": PRESETS["2b"],
    "4b": replace(PRESETS["2b"], layers=36, heads=32, kv_heads=8, ffn_size=9728, vocab_size=131072),
}
"""Shapes; 4b is that of Qwen3 4B with one scale a matrix and an int8 head."""


def sharing(*, keys: bool, values: bool) -> type[PassTiming]:
    """Return a model in which the sweeps of a KV head share their keys, their values or both."""
    shared = {True: keys, False: values}

    class Sweeps(AttentionSweeps):
        def reads(self, fields: Mapping[str, int], sweep: int, *, keys: bool) -> bool:
            return not shared[keys] or sweep % fields["sweeps_per_kv_head"] == 0

    class Timing(PassTiming):
        SWEEPS = Sweeps

    return Timing


VARIANTS = {
    "nothing": sharing(keys=False, values=False),
    "values": sharing(keys=False, values=True),
    "keys": sharing(keys=True, values=False),
    "keys and values": sharing(keys=True, values=True),
}


def cycles(model: ModelConfig, timing: type[PassTiming], *, nodes: int, base: int) -> float:
    """Cycles of a pass with a head: of one layer and the head, and of the other layers."""

    def some(layers: int, head_rows: int | None) -> int:
        return predict_pass(
            model,
            WIDE,
            DDR[MEMORY],
            nodes=nodes,
            base=base,
            head_rows=head_rows,
            layer_mask=tuple((index < layers, index < layers) for index in range(model.layers)),
            timing=timing,
        ).cycles

    layer = (some(4, None) - some(2, None)) / 2
    return some(1, model.vocab_size) + (model.layers - 1) * layer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    parser.add_argument("--base", type=int, default=1024, help="cached positions")
    arguments = parser.parse_args()
    table = Table(title=f"a pass at {arguments.base} cached positions (cycle model, {MEMORY})")
    for head in ("model", "read once", "V(1), ms", "V(8), ms", "V(8)/V(1)", "gain of V(8)"):
        table.add_column(head, justify="right")
    for name in arguments.models:
        model = MODELS[name]
        one = cycles(model, VARIANTS["nothing"], nodes=1, base=arguments.base)
        found = {
            shared: cycles(model, timing, nodes=8, base=arguments.base)
            for shared, timing in VARIANTS.items()
        }
        for shared, eight in found.items():
            times = [f"{1e3 * value / (DDR[MEMORY].clock_mhz * 1e6):.2f}" for value in (one, eight)]
            gain = f"{100 * (1 - eight / found['nothing']):.1f} %"
            table.add_row(name, shared, *times, f"{eight / one:.3f}", gain)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
