"""A pass of 8 and of 16 nodes on accelerators of K = 8 and K = 16, by the cycle model.

Evidence class: cycle model. The accelerator of 16 nodes is the kv260's with every unit widened; it
does not fit the KV260: `python bench/sixteen_nodes.py`.
"""

import argparse
from dataclasses import replace

from cost_curves import MEMORY
from rich.console import Console
from rich.table import Table

from tercel.config import PRESETS
from tercel_hw.top import ACCELERATORS
from tercel_sim.cycle_model import predict_pass
from tercel_sim.ddr import DDR

BASE = 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["0.7b", "2b"], choices=PRESETS)
    arguments = parser.parse_args()
    kv260 = ACCELERATORS["kv260"]
    table = Table(title=f"a pass at {BASE} cached positions (cycle model, {MEMORY}), ms")
    for head in ("model", "K", "1 node", "8 nodes", "16 nodes", "16 nodes over 1"):
        table.add_column(head, justify="right")
    for name in arguments.models:
        config = PRESETS[name]
        for most in (8, 16):
            accelerator = replace(kv260, tlmm=replace(kv260.tlmm, nodes=most))
            found = {
                nodes: predict_pass(
                    config,
                    accelerator,
                    DDR[MEMORY],
                    nodes=nodes,
                    base=BASE,
                    head_rows=config.vocab_size,
                ).seconds
                for nodes in (1, 8, 16)
                if nodes <= most
            }
            last = 2 * found[8] if most == 8 else found[16]
            cells = [f"{1000 * found[nodes]:.2f}" for nodes in (1, 8)]
            cells += [f"{1000 * last:.2f}", f"{last / found[1]:.3f}"]
            table.add_row(name, str(most), *cells)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
