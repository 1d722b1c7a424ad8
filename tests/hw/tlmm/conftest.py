"""An engine played with real packed matrices."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, Module

from tercel.image import Part, Segment
from tercel.image.matrix import place_matrix
from tercel.image.matrix_form import MatrixForm
from tercel.image.multiplier import multiplier_bytes, multiplier_values
from tercel.numerics import BlockQuantised, grouped_linear, ternary_linear
from tercel_hw.tlmm import TlmmEngine
from tercel_hw.tlmm.layouts import command_layout
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
    places = config.tables + multiplier_bytes(config.groups)
    for packed in content.reshape(-1, chunks.bytes):
        used = int.from_bytes(packed.tobytes(), "little")
        codes = [used >> bits * i & (1 << bits) - 1 for i in range(chunks.codes)]
        others = noise.integers(0, 1 << bits, places - chunks.codes)
        row_chunks.append([*codes, *others.tolist()])
    return row_chunks


@dataclass(frozen=True)
class Grouped:
    """A matrix with groups and its activations."""

    weights: np.ndarray
    """Trits ``[rows, columns]``."""
    multipliers: np.ndarray
    """``[rows, groups]``."""
    values: np.ndarray
    """Int8 ``[nodes, columns]``."""
    shifts: np.ndarray
    """``[nodes, blocks of 64 columns]``."""

    def row_chunks(self, config):
        """The row-chunks in tape order, as lists of bytes; those that are not used are random."""
        form = MatrixForm(layout=config.layout, granularity="group", columns=self.weights.shape[1])
        noise, found = np.random.default_rng(len(self.weights)), []
        for start in range(0, len(self.weights), config.block_rows):
            rows = slice(start, start + config.block_rows)
            for chunk in form.row_chunks.pack(self.weights[rows], self.multipliers[rows]):
                others = noise.integers(0, 256, (len(chunk), config.chunk_bytes - chunk.shape[1]))
                found += np.concatenate([chunk, others], axis=1).tolist()
        return found

    def groups(self, config):
        """Groups from the activation store; the trit that no column has is 127."""
        nodes, blocks = len(self.values), 2 * self.multipliers.shape[1]
        values = np.full((nodes, blocks, 65), 127, np.int8)
        values[:, :, :64] = _padded(self.values, 64 * blocks).reshape(nodes, -1, 64)
        values = values.reshape(nodes, -1, 5).transpose(1, 2, 0)
        shifts = np.repeat(_padded(self.shifts, blocks).T, 13, axis=0)
        items = [
            {"values": group.tolist(), "shifts": shift.tolist()}
            for group, shift in zip(values, shifts, strict=True)
        ]
        return items * -(-len(self.weights) // config.block_rows)

    def sums(self):
        """Golden sums ``[nodes, rows]``."""
        x = BlockQuantised(
            values=self.values, shifts=self.shifts, scale=np.ones(len(self.values), np.float32)
        )
        return grouped_linear(self.weights, self.multipliers, x)


def _padded(values, width):
    return np.pad(values, ((0, 0), (0, width - values.shape[1])))


def groups_of(config, rows, x):
    """Groups from the activation store for a matrix of ``rows`` rows; padding is 127."""
    chunks = config.chunks(x.shape[1])
    group = config.weight_code.group
    padded = np.full((config.nodes, chunks.count * chunks.codes * group), 127, np.int8)
    padded[:, : x.shape[1]] = x
    groups = padded.reshape(config.nodes, -1, group).transpose(1, 2, 0).tolist()
    if config.groups:  # Shifts must not matter.
        groups = [{"values": group, "shifts": [7] * config.nodes} for group in groups]
    return groups * -(-rows // config.block_rows)


@dataclass
class Played:
    """Observations of a bench."""

    sums: list
    """``[nodes, rows]`` of each matrix."""
    commands: list = field(default_factory=list)
    """Cycles of the commands' transfers."""
    ends: list = field(default_factory=list)
    """Cycles of the last sums' transfers."""
    outputs: list = field(default_factory=list)
    """Cycles of all sums' transfers."""
    error: int = 0


def play(config, matrices, patterns=(every_cycle,) * 4, max_cycles=20000, spoil=None):
    """Run an engine over matrices, one after the other, and return what it did.

    A matrix is ``(weights, x)``, or `Grouped`.

    Parameters
    ----------
    patterns
        Of commands, groups, codes and sums.
    spoil
        Changes the list of row-chunks before they are played.
    """
    dut = TlmmEngine(config=config)
    commands, groups, codes, counts = [], [], [], []
    for matrix in matrices:
        grouped = isinstance(matrix, Grouped)
        rows, columns = (matrix.weights if grouped else matrix[0]).shape
        command = config.command(rows, columns, grouped=grouped)
        commands.append({name: command[name] for name, _ in command_layout(config)})
        groups += matrix.groups(config) if grouped else groups_of(config, rows, matrix[1])
        codes += matrix.row_chunks(config) if grouped else packed_rows(config, matrix[0])
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
        played.sums.append(np.array(part, np.int64).T)
        start += rows
    return played


def random_matrix(config, rows, columns, seed=0):
    """Trits ``[rows, columns]`` and activations ``[nodes, columns]``."""
    generator = np.random.default_rng((seed, rows, columns))
    weights = generator.integers(-1, 2, (rows, columns), np.int8)
    x = generator.integers(-127, 128, (config.nodes, columns), np.int16).astype(np.int8)
    return weights, x


def random_groups(config, rows, columns, seed=0):
    """A matrix with groups, of random trits, multipliers, activations and shifts."""
    weights, x = random_matrix(config, rows, columns, seed)
    generator = np.random.default_rng((seed, rows, columns))
    groups = -(-columns // 128)
    multipliers = multiplier_values(generator.integers(0, 1024, (rows, groups)))
    multipliers[generator.random(multipliers.shape) < 0.2] = 0
    shifts = generator.integers(0, 8, (config.nodes, -(-columns // 64)))
    return Grouped(weights=weights, multipliers=multipliers, values=x, shifts=shifts)


def check(matrices, played):
    """All sums equal the golden ones."""
    for matrix, sums in zip(matrices, played.sums, strict=True):
        golden = matrix.sums() if isinstance(matrix, Grouped) else ternary_linear(*matrix)
        np.testing.assert_array_equal(sums, golden)


@pytest.fixture(scope="session", name="play")
def play_fixture():
    return play


@pytest.fixture(scope="session", name="random_matrix")
def random_matrix_fixture():
    return random_matrix


@pytest.fixture(scope="session", name="random_groups")
def random_groups_fixture():
    return random_groups


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
