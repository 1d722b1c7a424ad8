"""Predicted tokens a second of each board's accelerator, with the board's memory.

Evidence class: cycle model (`tercel_sim.cycle_model`) on the simulated memory of `board.toml`. Its
rate is measured on the kv260 alone. Resources: estimate, the stored reports of `tercel synth`.

    python bench/boards.py
"""

import argparse
import json
from functools import cache

from tercel.config import PRESETS, ModelConfig
from tercel.errors import TercelError
from tercel.program import memory_map
from tercel_hw.board import BoardSpec, board_names, load_board
from tercel_hw.export.bundle import stored_report
from tercel_hw.top import ACCELERATORS
from tercel_sim.cycle_model import predict_pass, predict_prefill
from tercel_sim.ddr import DDR

MODELS = ("2b", "0.7b", "small")
"""Largest first."""
CONTEXT = 128
PROMPT = 128
SYSTEM = 0.25
"""Part of the memory that the operating system keeps."""
COUNTED = {"lut": "LUT", "ff": "FF", "dsp": "DSP", "bram36": "RAMB36", "uram": "URAM"}


def needed(board: BoardSpec, model: ModelConfig) -> int:
    """Bytes of a model's image, cache and results in the board's memory.

    Raises
    ------
    TercelError
        If the accelerator cannot run the model.
    """
    spec = ACCELERATORS[board.preset].spec
    spec.check(model, spec.layout)
    context = min(model.context, spec.positions)
    return memory_map(config=model, spec=spec, context=context).words * spec.layout.word_bytes


def largest(board: BoardSpec) -> str:
    """Name of the largest model that the accelerator runs and that leaves the system its memory."""
    for name in MODELS:
        try:
            if needed(board, PRESETS[name]) <= (1 - SYSTEM) * board.ddr.bytes:
                return name
        except TercelError:
            continue
    raise TercelError(f"no model fits the board {board.name}")


@cache
def predicted(preset: str, simulated: str, name: str) -> tuple[float, float, float]:
    """Seconds of a pass of one node, of one of all lanes, and to the first token of a prompt."""
    config, memory, model = ACCELERATORS[preset], DDR[simulated], PRESETS[name]
    context = min(model.context, config.positions)

    def cost(nodes: int) -> float:
        return predict_pass(
            model,
            config,
            memory,
            nodes=nodes,
            base=CONTEXT,
            head_rows=model.vocab_size,
            context=context,
        ).seconds

    prompt = predict_prefill(model, config, memory, tokens=PROMPT, context=context)
    first = cost(1)
    return first, cost(config.nodes), prompt.tokens / prompt.tokens_per_second + first


def figures(board: BoardSpec, name: str) -> list[str]:
    """Cells of a model's row."""
    nodes = ACCELERATORS[board.preset].nodes
    first, all_lanes, prompt = predicted(board.preset, board.ddr.simulated, name)
    return [
        board.name,
        f"`{name}`",
        f"{needed(board, PRESETS[name]) / 1e6:,.0f}",
        f"{1 / first:,.1f}",
        f"{all_lanes / first:.3f} (K = {nodes})",
        f"{1e3 * prompt:,.0f}",
    ]


def resources(board: BoardSpec) -> list[str]:
    """Cells of a board's estimate, with the share of the device."""
    total = json.loads(stored_report(board).read_text())["total"]
    budget = vars(board.resources)
    return [board.name, board.preset] + [
        f"{total[kind]:,g} ({total[kind] / budget[kind]:.0%})" if budget[kind] else "0"
        for kind in COUNTED
    ]


def table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--boards", nargs="+", default=board_names(), choices=board_names())
    boards = [load_board(name) for name in parser.parse_args().boards]
    heads = ["board", "model", "MB in memory", f"tokens/s at context {CONTEXT}"]
    heads += ["V(K)/V(1)", f"ms to the first token of a prompt of {PROMPT}"]
    rows = [figures(board, name) for board in boards for name in ("small", largest(board))]
    print(table(heads, rows) + "\n")
    counted = [board for board in boards if stored_report(board).is_file()]
    heads = ["board", "accelerator", *COUNTED.values()]
    print(table(heads, [resources(board) for board in counted]))


if __name__ == "__main__":
    main()
