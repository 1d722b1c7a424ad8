"""Markdown tables of the results of ``bench/rtl.py``."""

import json
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rtl_cases import CHUNKS, TOP_K, Case
from rtl_whole import Figure

from tercel_sim.ddr import DDR
from tercel_sim.measurement_table import MEMORY, engine_cycles

__all__ = ["GROUPS", "compare", "report"]

WIDTH = 110
"""Columns of the documents."""
PUBLISHED = Path(__file__).with_name("rtl_figures.json")
GROUPS = {
    "whole": "whole passes",
    "head": "one layer and the head",
    "layer": "one layer without the head",
}
PASS = ("K", "context", "memory")
SIZES = ("cycles", "MB read", "MB written", "bandwidth", "predicted", "error")
ENGINE = {
    "compute": "engine works",
    "tape_stall": "engine waits for tape",
    "table_stall": "engine waits for rows, tables",
    "free": "no matrix",
}
NOTES = f"""\
Evidence: cycle-accurate simulation (Verilator) of the `kv260` accelerator at 250 MHz with a
modelled memory, without the host's time. Weights and the KV cache before the pass are random.
Every pass was compared with the emulator bit for bit: argmax, top-k, residual streams of all nodes,
all of the cache.

Passes with a head give the argmax, the top {TOP_K} with their logits, the sums of exponentials
and the residual streams; passes of one layer the residual streams alone. The head of `2b` was
simulated with every memory at context 128, at the others with 15.0 GB/s.

*bandwidth*: bytes read and written over what the memory sustains in that time. *error*: of the
cycle model. *lost*: parts of the cycles in which the memory could have moved more: refresh beyond
its share of the sustained rate, turns of the bus between reads and writes, full ports, the latency
of requests, and no request; with the bandwidth they make up all cycles.
The ternary engine's four states make up all cycles, too; attention and head work beside it."""


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def _part(value: float) -> str:
    return f"{100 * value:.1f} %"


def _pass(case: Case) -> tuple[str, ...]:
    return str(case.nodes), str(case.base), f"{DDR[case.memory].sustained_gbs:.1f} GB/s"


def _sizes(result: dict, predicted: int) -> list[str]:
    counted = result["counted"]
    cycles = counted["cycles"]
    return [
        f"{cycles:,}",
        f"{counted['bytes_read'] / 1e6:.2f}",
        f"{counted['bytes_written'] / 1e6:.3f}",
        _part(result["account"]["moving"] / cycles),
        f"{predicted:,}",
        f"{100 * (predicted / cycles - 1):+.2f} %",
    ]


def _parts(result: dict) -> list[str]:
    counted, account = result["counted"], result["account"]
    lost = [account[name] for name in list(MEMORY)[1:]]
    engine = engine_cycles(counted)
    values = [*lost, *(engine[name] for name in ENGINE), counted["attention"], counted["head"]]
    return [_part(value / counted["cycles"]) for value in values]


def _group(title: str, results: Mapping[Case, dict], predicted: Mapping[Case, int]) -> str:
    cases = sorted(results, key=lambda case: (case.base, case.nodes, case.memory))
    lost = [f"lost: {name}" for name in ("refresh", "turns", "ports full", "latency", "not asked")]
    sizes = _table(
        [*PASS, *SIZES], ([*_pass(case), *_sizes(results[case], predicted[case])] for case in cases)
    )
    parts = _table(
        [*PASS, *lost, *ENGINE.values(), "attention", "head"],
        ([*_pass(case), *_parts(results[case])] for case in cases),
    )
    return f"## {title}\n\n{sizes}\n\nWhere the cycles went:\n\n{parts}"


def _chunks(results: Mapping[Case, dict]) -> str:
    """Table of attention cycles in the passes of a prompt; empty without such passes."""
    found = {
        (case.base, case.memory): result["counted"]["attention"]
        for case, result in results.items()
        if case.part == "chunk"
    }
    if not found:
        return ""
    memories = sorted({memory for _, memory in found})
    rows = [
        [str(base), *(f"{found[base, m]:,}" if (base, m) in found else "" for m in memories)]
        for base in CHUNKS
    ]
    titles = [f"{DDR[memory].sustained_gbs:.1f} GB/s" for memory in memories]
    table = _table(["context", *titles], rows)
    return f"## `0.7b`: cycles of a layer's attention in the passes of a prompt of 128\n\n{table}"


def compare(figures: Mapping[str, Mapping[str, Figure]], published: Mapping) -> str:
    """Table of whole models' figures with targets and published figures of other works.

    Parameters
    ----------
    figures
        Figures by quantity name and memory.
    published
        The content of ``rtl_figures.json``.
    """
    at, rows, memories = (
        published["target_memory"],
        [],
        sorted({m for f in figures.values() for m in f}),
    )
    for quantity in published["quantities"]:
        found = figures.get(quantity["name"])
        if not found:
            continue
        unit = quantity["unit"]
        cells = [_value(found[m].value) if m in found else "" for m in memories]
        others = [
            f"{each['work']} {each['value']} ({each['condition']})"
            for each in quantity["published"]
        ]
        evidence = list(dict.fromkeys(figure.evidence for figure in found.values()))
        title = f"{quantity['title']}, {unit}" if unit else quantity["title"]
        rows.append(
            [
                title,
                *cells,
                *_judge(quantity, found.get(at)),
                "; ".join(others),
                "; ".join(evidence),
            ]
        )
    columns = [f"{DDR[memory].sustained_gbs:.1f} GB/s" for memory in memories]
    table = _table(["quantity", *columns, "target", "", "published", "evidence"], rows)
    works = "\n".join(
        textwrap.fill(f"- {work}: {text}", WIDTH, subsequent_indent="  ", break_on_hyphens=False)
        for work, text in published["works"].items()
    )
    source = f"Targets: {published['targets_source']}. Published:"
    return f"## Whole models\n\n{table}\n\n{source}\n\n{works}"


def _judge(quantity: Mapping, figure: Figure | None) -> tuple[str, str]:
    """Cells of the target and of the verdict; empty without a target."""
    target = quantity.get("target")
    if target is None:
        return "", ""
    more = quantity["better"] == "more"
    shown = f"{'>=' if more else '<='} {target}"
    if figure is None:
        return shown, ""
    met = figure.value >= target if more else figure.value <= target
    return shown, "met" if met else "**missed**"


def _value(value: float) -> str:
    digits = next(digits for digits, least in enumerate((200, 10, 2, 0)) if value >= least)
    return f"{value:.{digits}f}"


def report(
    results: Mapping[Case, dict],
    predicted: Mapping[Case, int],
    figures: Mapping[str, Mapping[str, Figure]],
    library: str,
) -> str:
    """All tables, in Markdown."""
    parts = [f"# The accelerator in simulation\n\n{NOTES}\n\nCompiled accelerator: `{library}`."]
    for part, title in GROUPS.items():
        for model in dict.fromkeys(case.model for case in results):
            mine = {
                case: result
                for case, result in results.items()
                if (case.model, case.part) == (model, part)
            }
            if mine:
                parts.append(_group(f"`{model}`: {title}", mine, predicted))
    if chunks := _chunks(results):
        parts.append(chunks)
    parts.append(compare(figures, json.loads(PUBLISHED.read_text())))
    return "\n\n".join(parts) + "\n"
