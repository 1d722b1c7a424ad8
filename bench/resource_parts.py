"""Resources of parts that the report of a board does not show, each synthesised on its own.

Evidence class: estimate, by Yosys, nothing placed or routed; in the widths of the kv260 and for its
family. The sum of parts is no whole: logic is optimised within each alone.
`python bench/resource_parts.py [float32 tlmm groups vector-groups dense head two-stage memory]
[--jobs 2]`, or parts.
"""

import argparse
import dataclasses
from collections.abc import Callable, Mapping, Sequence

from amaranth.lib import wiring
from resource_tables import COLUMNS

from tercel.errors import TercelError
from tercel.numerics.functions import exp2_table
from tercel_hw import float32
from tercel_hw.board import BoardSpec, load_board
from tercel_hw.dense import DenseEngine
from tercel_hw.dense.dot_sums import DotSums
from tercel_hw.dense.total_buffer import TotalBuffer
from tercel_hw.emission import emit_rtlil
from tercel_hw.head import (
    ExponentialSum,
    HeadUnit,
    HeadUnitConfig,
    ListFetch,
    Shortlist,
    TopK,
)
from tercel_hw.head.block_reader import BlockReader
from tercel_hw.head.exponent_scale import ExponentScale
from tercel_hw.head.lane_logits import LaneLogits
from tercel_hw.head.line_builder import LineBuilder
from tercel_hw.head.list_reader import ListReader
from tercel_hw.head.summary import Summary
from tercel_hw.memory import AxiReader, AxiWriter, BlockConfig, Gearbox, TapeCutter
from tercel_hw.synthesis.blocks import Block
from tercel_hw.synthesis.run import Measured, measure_blocks, measure_timing
from tercel_hw.synthesis.timing_report import LIMIT_PS, timing_json, timing_tables
from tercel_hw.tlmm import (
    Accumulator,
    AdderTree,
    CodeDecoder,
    GroupTree,
    MultiplierDecoder,
    PowerBank,
    RowIssuer,
    TableBank,
    TableFiller,
    TlmmEngine,
)
from tercel_hw.tlmm.config import BLOCK_CODES
from tercel_hw.top.config import ACCELERATORS
from tercel_hw.vector import ActivationStore, Dequantiser, RowQuantiser

__all__ = ["PARTS", "choose", "cut", "table"]

BOARD = "kv260"
CONFIG = ACCELERATORS[BOARD]
TLMM = CONFIG.tlmm
CREDITS = 1 << TLMM.latency.bit_length()
GROUPED = dataclasses.replace(TLMM, tables=78, groups=3)
GROUPED_CREDITS = 1 << GROUPED.latency.bit_length()
GROUPED_VECTOR = dataclasses.replace(CONFIG.vector, grouped=True, sum_bits=GROUPED.sum_bits)
TERNARY = dataclasses.replace(CONFIG.head, ternary_rows=GROUPED.block_rows)
LISTED = ACCELERATORS["kv260-groups"].head_unit
BLOCKS = BlockConfig(
    gearbox=dataclasses.replace(CONFIG.gearbox, max_bytes=GROUPED.chunk_bytes),
    block_rows=GROUPED.block_rows,
)
TOP = "part"
PARTS: Mapping[str, Mapping[str, Callable[[], wiring.Component]]] = {
    "float32": {
        "adder": float32.Adder,
        "adder-magnitudes": lambda: float32.Adder(magnitudes=True),
        "multiplier": float32.Multiplier,
        "int-to-float-22": lambda: float32.IntToFloat(width=22),
        "int-to-float-40": lambda: float32.IntToFloat(width=40),
        "float-to-fixed-18": lambda: float32.FloatToFixed(fraction_bits=9, width=18),
        "float-to-fixed-32": lambda: float32.FloatToFixed(fraction_bits=23, width=32),
        "round-to-int8": float32.RoundToInt8,
        "bfloat16-up": float32.Bfloat16Up,
        "interpolator": lambda: float32.SegmentInterpolator(exp2_table()),
        "reciprocal": float32.Reciprocal,
        "rsqrt": float32.Rsqrt,
        "exp2": float32.Exp2,
        "sigmoid": float32.Sigmoid,
        "silu": float32.Silu,
        "squared-relu": float32.SquaredRelu,
    },
    "tlmm": {
        "adder-tree": lambda: AdderTree(
            peaks=TLMM.peaks, negatable=TLMM.halved * TLMM.tables, nodes=TLMM.nodes
        ),
        "tables-of-three": lambda: TableBank(config=TLMM, part=0),
        "tables-of-two": lambda: TableBank(config=TLMM, part=1),
        "decoder": lambda: CodeDecoder(config=TLMM),
        "filler": lambda: TableFiller(config=TLMM),
        "issuer": lambda: RowIssuer(config=TLMM, credits=CREDITS),
        "accumulator": lambda: Accumulator(config=TLMM),
    },
    "groups": {
        "block-tree": lambda: AdderTree(
            peaks=GROUPED.peaks[: len(GROUPED.parts) * BLOCK_CODES],
            negatable=GROUPED.halved * BLOCK_CODES,
            nodes=GROUPED.nodes,
        ),
        "group-tree": lambda: GroupTree(config=GROUPED),
        "power-bank": lambda: PowerBank(config=GROUPED),
        "multiplier-decoder": lambda: MultiplierDecoder(config=GROUPED),
        "filler-groups": lambda: TableFiller(config=GROUPED),
        "issuer-groups": lambda: RowIssuer(config=GROUPED, credits=GROUPED_CREDITS),
        "accumulator-groups": lambda: Accumulator(config=GROUPED),
        "engine-groups": lambda: TlmmEngine(config=GROUPED),
    },
    "vector-groups": {
        "row-quantiser-groups": lambda: RowQuantiser(GROUPED_VECTOR),
        "store-groups": lambda: ActivationStore(GROUPED_VECTOR),
        "dequantiser-groups": lambda: Dequantiser(GROUPED_VECTOR),
        "lane-logits-ternary": lambda: LaneLogits(TERNARY),
        "head-ternary": lambda: HeadUnit(HeadUnitConfig(head=TERNARY, dense=CONFIG.dense)),
    },
    "dense": {
        "dense-engine": lambda: DenseEngine(CONFIG.dense),
        "total-buffer": lambda: TotalBuffer(CONFIG.dense),
        "dot-sums": lambda: DotSums(CONFIG.dense),
    },
    "head": {
        "block-reader": lambda: BlockReader(CONFIG.head_unit),
        "lane-logits": lambda: LaneLogits(CONFIG.head),
        "exponent-scale": lambda: ExponentScale(CONFIG.head),
        "top-k": lambda: TopK(CONFIG.head),
        "exponential-sum": lambda: ExponentialSum(CONFIG.head),
        "summary": lambda: Summary(CONFIG.head),
        "line-builder": lambda: LineBuilder(CONFIG.head),
    },
    "two-stage": {
        "shortlist": lambda: Shortlist(LISTED.head),
        "list-fetch": lambda: ListFetch(LISTED),
        "list-reader": lambda: ListReader(LISTED),
        "lane-logits-listed": lambda: LaneLogits(LISTED.head),
        "head-listed": lambda: HeadUnit(LISTED),
        "head-unlisted": lambda: HeadUnit(
            dataclasses.replace(LISTED, head=dataclasses.replace(LISTED.head, shortlist=0))
        ),
    },
    "memory": {
        "reader": lambda: AxiReader(config=CONFIG.routed.striped.reader),
        "writer": lambda: AxiWriter(config=CONFIG.writer.writer),
        "gearbox": lambda: Gearbox(config=CONFIG.gearbox),
        "tape-cutter": lambda: TapeCutter(config=BLOCKS),
    },
}
"""Parts by package, then by name."""


def choose(names: list[str]) -> dict[str, Callable[[], wiring.Component]]:
    """The parts of these names, of packages or of parts; all if there are none.

    Raises
    ------
    TercelError
        If there is no such part.
    """
    every = {name: part for parts in PARTS.values() for name, part in parts.items()}
    found = {}
    for name in names or every:
        if name not in PARTS and name not in every:
            raise TercelError(f"a part is one of {', '.join([*PARTS, *every])}, not {name!r}")
        found |= PARTS[name] if name in PARTS else {name: every[name]}
    return found


def cut(name: str, part: wiring.Component, board: BoardSpec) -> Block:
    """A part as a block of the synthesis, for a board's family."""
    return Block(name=name, top=TOP, rtlil=emit_rtlil(part, TOP, target=board.target))


def table(found: Sequence[Measured]) -> str:
    """Resources, levels and longest path of parts, in Markdown."""
    heads = (*COLUMNS.values(), "levels", "ns")
    rows = [("part", *heads), ("---", *["---:"] * len(heads))]
    for part in found:
        counts = dataclasses.asdict(part.resources)
        cells = [f"{counts[kind]:g}" for kind in COLUMNS]
        worst = max((float(row[0]) for row in paths(part)), default=0.0)
        rows.append((part.name, *cells, str(part.depth.levels), f"{worst:.2f}"))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def paths(part: Measured) -> list[tuple[str, ...]]:
    """The worst paths of a part between registers around it: ns, levels, start, cells, end."""
    timing = measure_timing([part], top="", limit_ps=LIMIT_PS)
    _, _, rows = timing_tables(timing_json(timing))["paths"]
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="packages or parts; all by default")
    parser.add_argument("--jobs", type=int, default=1, help="parts at a time")
    parser.add_argument("--paths", type=int, default=0, help="worst paths of each part to show")
    arguments = parser.parse_args()
    board = load_board(BOARD)
    try:
        chosen = choose(arguments.names)
        blocks = [cut(name, part(), board) for name, part in chosen.items()]
        found = measure_blocks(blocks, jobs=arguments.jobs)
        print(table(found))
        for part in found:
            for row in paths(part)[: arguments.paths]:
                print(f"{part.name}: {row[0]} ns, {row[1]} levels: {' > '.join(row[2:])}")
    except TercelError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
