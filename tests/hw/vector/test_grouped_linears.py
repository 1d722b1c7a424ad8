"""Linears of both kinds from a float32 row to float32 rows, through all blocks on their way."""

from dataclasses import dataclass

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring

from tercel.image.matrix_form import MatrixForm
from tercel.image.multiplier import multiplier_values
from tercel.numerics import (
    dequantise,
    grouped_linear,
    multiply,
    norm_block_quantise,
    norm_quantise,
    ternary_linear,
)
from tercel_hw.tlmm import TlmmEngine
from tercel_hw.tlmm.config import TlmmConfig
from tercel_hw.vector import ActivationStore, Dequantiser, RowQuantiser, VectorConfig
from tercel_sim.testbench import get_all, put_all, run

pytestmark = pytest.mark.slow
TLMM = TlmmConfig(tables=26, groups=1, nodes=2, block_rows=5, generators=13, max_columns=256)
VECTOR = VectorConfig(nodes=2, columns=256, hidden=16, grouped=True, sum_bits=TLMM.sum_bits)
EPSILON = np.float32(1e-5)
ABSENT = (1 << 20) - 1
HEAD = 3


def words(x):
    return np.ascontiguousarray(x, np.float32).view(np.uint32).tolist()


@dataclass
class Linear:
    """A matrix with random trits and scales, and its input."""

    x: np.ndarray
    gain: np.ndarray
    trits: np.ndarray
    scales: np.ndarray
    multipliers: np.ndarray
    granularity: str
    target: int

    @classmethod
    def random(cls, rng, rows, columns, granularity, target):
        scales = (rng.random(rows) / 64).astype(np.float32)
        loudness = np.repeat(2.0 ** rng.uniform(-9, 0, -(-columns // 64)), 64)[:columns]
        return cls(
            x=(rng.normal(0, 1, (TLMM.nodes, columns)) * loudness).astype(np.float32),
            gain=rng.normal(1, 0.2, columns).astype(np.float32),
            trits=rng.integers(-1, 2, (rows, columns), np.int8),
            scales=scales[:1].repeat(rows) if granularity == "tensor" else scales,
            multipliers=multiplier_values(rng.integers(0, 1024, (rows, -(-columns // 128)))),
            granularity=granularity,
            target=target,
        )

    @property
    def grouped(self):
        return self.granularity == "group"

    def rows(self):
        """Golden rows of the lanes, ``[row] -> bits``."""
        if self.grouped:
            row = norm_block_quantise(self.x, self.gain, float(EPSILON))
            sums = grouped_linear(self.trits, self.multipliers, row)
        else:
            row = norm_quantise(self.x, self.gain, float(EPSILON))
            sums = ternary_linear(self.trits, row.values)
        scale = np.ones_like(row.scale) if self.target == HEAD else row.scale
        return words(dequantise(sums, multiply(scale[:, None], self.scales)).T)

    def norm(self):
        inverse_width, epsilon = words([1 / self.x.shape[1], EPSILON])
        fields = {"normed": 1, "inverse_width": inverse_width, "epsilon": epsilon}
        return {**fields, "blocks": self.grouped}

    def engine(self):
        fields = TLMM.command(*self.trits.shape, grouped=self.grouped)
        groups = fields["chunks"] * fields["codes"]
        if self.grouped:
            groups = 26 * self.multipliers.shape[1]
        return {**fields, "groups": groups, "blocks": -(-len(self.trits) // TLMM.block_rows)}

    def row_chunks(self):
        form = MatrixForm(
            layout=TLMM.layout, granularity=self.granularity, columns=self.trits.shape[1]
        )
        for start in range(0, len(self.trits), TLMM.block_rows):
            block = slice(start, start + TLMM.block_rows)
            for chunk in form.row_chunks.pack(self.trits[block], self.multipliers[block]):
                padding = TLMM.chunk_bytes - chunk.shape[1]
                yield from np.pad(chunk, ((0, 0), (0, padding))).tolist()


def test_both_kinds_equal_the_golden_model():
    rng = np.random.default_rng(11)
    linears = [
        Linear.random(rng, 7, 200, "group", 0),
        Linear.random(rng, 6, 130, "tensor", 1),
        Linear.random(rng, 11, 129, "group", HEAD),
        Linear.random(rng, 3, 256, "row", 2),
        Linear.random(rng, 2, 64, "group", 2),
    ]
    quantiser, store = RowQuantiser(VECTOR), ActivationStore(VECTOR)
    engine, dequantiser = TlmmEngine(config=TLMM), Dequantiser(VECTOR)
    dut = Module()
    dut.submodules += [quantiser, store, engine, dequantiser]
    wiring.connect(dut, quantiser.o, store.i)
    wiring.connect(dut, store.o, engine.i_groups)
    wiring.connect(dut, engine.o_sums, dequantiser.i)

    def source(port, values):
        async def testbench(ctx):
            await put_all(ctx, port, list(values))

        return testbench

    async def scales(ctx):
        for linear in linears:
            (row,) = await get_all(ctx, quantiser.o_scales, 1)
            if linear.target != HEAD:
                await put_all(ctx, dequantiser.i_scales, [list(row)])

    def sink(target):
        async def testbench(ctx):
            count = sum(len(linear.trits) for linear in linears if linear.target == target)
            return [list(row["values"]) for row in await get_all(ctx, dequantiser.o[target], count)]

        return testbench

    def elements(linear):
        last = linear.x.shape[1] - 1
        return [{"values": x, "last": i == last} for i, x in enumerate(words(linear.x.T))]

    names = "rows", "chunks", "codes", "last_codes", "grouped"
    played = run(
        dut,
        *(sink(target) for target in range(4)),
        scales,
        source(quantiser.i_command, (linear.norm() for linear in linears)),
        source(quantiser.i, (e for linear in linears for e in elements(linear))),
        source(quantiser.i_gain, (g for linear in linears for g in words(linear.gain))),
        source(store.i_command, (linear.engine() for linear in linears)),
        source(
            engine.i_command,
            ({name: linear.engine()[name] for name in names} for linear in linears),
        ),
        source(engine.i_codes, (chunk for linear in linears for chunk in linear.row_chunks())),
        source(
            dequantiser.i_command,
            (
                {
                    "target": linear.target,
                    "row_scales": linear.granularity != "tensor",
                    "second": ABSENT,
                    "third": ABSENT,
                }
                for linear in linears
            ),
        ),
        source(dequantiser.i_weights, (words(linear.scales[[0] * 16]) for linear in linears)),
        source(
            dequantiser.i_row_scales,
            (s for x in linears if x.granularity != "tensor" for s in words(x.scales)),
        ),
        max_cycles=8000,
    )
    for target, rows in enumerate(played[:4]):
        golden = [row for linear in linears if linear.target == target for row in linear.rows()]
        assert rows == golden
