"""An engine played with real packed matrices."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, Module

from tercel.image import Part, Segment
from tercel.image.matrix import place_matrix
from tercel.numerics import ternary_linear
from tercel_hw.tlmm import TlmmEngine
from tercel_sim.testbench import every_cycle, get_all, put_all, run


def packed_rows(config, weights):
    """The row-chunks of a matrix in tape order, each a list of ``tables`` codes.

    The codes above those of the segment are random: the engine must not look at them.
    """
    rows, columns = weights.shape
    layout, chunks = config.layout, config.chunks(columns)
    segment = Segment(
        name="matrix",
        kind="ternary",
        rows=rows,
        columns=columns,
        parts=(),
        first_word=0,
        words=layout.words(rows * chunks.count * chunks.bytes),
        played=True,
    )
    content = np.zeros(rows * chunks.count * chunks.bytes, np.uint8)
    part = Part(name="matrix", start=0, rows=rows)
    place_matrix(layout, segment, content, part, weights)
    noise = np.random.default_rng(rows * columns)
    bits, row_chunks = config.weight_code.bits, []
    for packed in content.reshape(-1, chunks.bytes):
        used = int.from_bytes(packed.tobytes(), "little")
        codes = [used >> bits * i & (1 << bits) - 1 for i in range(chunks.codes)]
        others = noise.integers(0, 1 << bits, config.tables - chunks.codes)
        row_chunks.append([*codes, *others.tolist()])
    return row_chunks


def groups_of(config, rows, x):
    """Groups from the activation store for a matrix of ``rows`` rows; padding is 127."""
    chunks = config.chunks(x.shape[1])
    group = config.weight_code.group
    padded = np.full((config.nodes, chunks.count * chunks.codes * group), 127, np.int8)
    padded[:, : x.shape[1]] = x
    groups = padded.reshape(config.nodes, -1, group).transpose(1, 2, 0).tolist()
    return groups * -(-rows // config.block_rows)


@dataclass
class Played:
    """Observations of a bench."""

    sums: list
    """int32 ``[nodes, rows]`` of each matrix."""
    commands: list = field(default_factory=list)
    """Cycles of the commands' transfers."""
    ends: list = field(default_factory=list)
    """Cycles of the last sums' transfers."""
    outputs: list = field(default_factory=list)
    """Cycles of all sums' transfers."""
    error: int = 0


def play(config, matrices, patterns=(every_cycle,) * 4, max_cycles=20000, spoil=None):
    """Run an engine over matrices ``(weights, x)``, one after the other, and return what it did.

    Parameters
    ----------
    patterns
        Of commands, groups, codes and sums.
    spoil
        Changes the list of row-chunks before they are played.
    """
    dut = TlmmEngine(config=config)
    commands, groups, codes, counts = [], [], [], []
    for weights, x in matrices:
        rows, columns = weights.shape
        chunks = config.chunks(columns)
        commands.append({"rows": rows, "chunks": chunks.count, "codes": chunks.codes})
        groups += groups_of(config, rows, x)
        codes += packed_rows(config, weights)
        counts.append(rows)
    if spoil is not None:
        spoil(codes)
    on_command, on_groups, on_codes, on_sums = patterns
    played = Played(sums=[])

    async def give_commands(ctx):
        await put_all(ctx, dut.i_command, commands, on_command)

    async def give_groups(ctx):
        await put_all(ctx, dut.i_groups, groups, on_groups)

    async def give_codes(ctx):
        await put_all(ctx, dut.i_codes, codes, on_codes)

    async def take_sums(ctx):
        taken = await get_all(ctx, dut.o_sums, sum(counts), on_sums)
        for _ in range(2):  # Nothing more may come.
            await ctx.tick()
            assert not ctx.get(dut.o_sums.valid)
        played.error = ctx.get(dut.error)
        ctx.set(dut.clear, 1)
        await ctx.tick()
        assert not ctx.get(dut.error)
        return taken

    async def watch(ctx):
        cycle = 0
        while len(played.ends) < len(counts):
            _, _, *seen = await ctx.tick().sample(
                dut.i_command.valid & dut.i_command.ready,
                dut.o_sums.valid & dut.o_sums.ready,
                dut.o_sums.payload.last,
            )
            command, output, last = seen
            if command:
                played.commands.append(cycle)
            if output:
                played.outputs.append(cycle)
                if last:
                    played.ends.append(cycle)
            cycle += 1

    *_, taken, _ = run(
        dut, give_commands, give_groups, give_codes, take_sums, watch, max_cycles=max_cycles
    )
    lasts = [index for index, payload in enumerate(taken) if payload.last]
    assert lasts == [end - 1 for end in np.cumsum(counts)]
    start = 0
    for rows in counts:
        part = [list(payload.sums) for payload in taken[start : start + rows]]
        played.sums.append(np.array(part, np.int32).T)
        start += rows
    return played


def random_matrix(config, rows, columns, seed=0):
    """Trits ``[rows, columns]`` and activations ``[nodes, columns]``."""
    generator = np.random.default_rng((seed, rows, columns))
    weights = generator.integers(-1, 2, (rows, columns), np.int8)
    x = generator.integers(-127, 128, (config.nodes, columns), np.int16).astype(np.int8)
    return weights, x


def check(matrices, played):
    """All sums equal the golden ones."""
    for (weights, x), sums in zip(matrices, played.sums, strict=True):
        np.testing.assert_array_equal(sums, ternary_linear(weights, x))


@pytest.fixture(scope="session", name="play")
def play_fixture():
    return play


@pytest.fixture(scope="session", name="random_matrix")
def random_matrix_fixture():
    return random_matrix


@pytest.fixture(scope="session", name="check")
def check_fixture():
    return check


@pytest.fixture(scope="session", name="clocked")
def clocked_fixture():
    """Gives a clock to a component that has no register."""

    def clocked(dut):
        m = Module()
        m.domains.sync = ClockDomain()
        m.submodules.dut = dut
        return m

    return clocked
