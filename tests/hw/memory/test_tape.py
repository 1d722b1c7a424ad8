"""The weights' way: ports, striped reader, tape buffer, gearbox."""

import itertools

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from tercel.config import ModelConfig
from tercel.image import Image, TapeLayout, random_image
from tercel_hw.memory import (
    Axi4Signature,
    AxiConfig,
    BurstConfig,
    FifoConfig,
    Gearbox,
    GearboxConfig,
    Phase,
    ReaderConfig,
    StreamFifo,
    StripedConfig,
    StripedReader,
    play,
    tape_buffer_words,
)
from tercel_sim.testbench import every_cycle, get_all, put_all, random_gaps

LAYOUT = TapeLayout(tables=9, ports=2, port_bytes=4, block_rows=8)
CONFIG = ModelConfig(
    name="tiny",
    layers=1,
    hidden_size=48,
    ffn_size=56,
    heads=2,
    kv_heads=1,
    head_size=16,
    vocab_size=20,
    context=4,
)
BURST = BurstConfig(axi=AxiConfig(data_width=32), max_beats=8, count_width=16)


class TapePath(wiring.Component):
    """The blocks in a row."""

    def __init__(self, buffer_words):
        reader = ReaderConfig(burst=BURST, buffer_beats=24, outstanding=4)
        self.reader = StripedReader(config=StripedConfig(reader=reader, ports=LAYOUT.ports))
        width = 8 * LAYOUT.word_bytes
        config = FifoConfig(width=width, depth=buffer_words, read_latency=3, ram_style="ultra")
        self.buffer = StreamFifo(config=config)
        self.gearbox = Gearbox(config=GearboxConfig(word_bytes=LAYOUT.word_bytes, max_bytes=9))
        super().__init__(
            {
                "axi": Out(Axi4Signature(BURST.axi, write=False)).array(LAYOUT.ports),
                "i_command": In(stream.Signature(BURST.command)),
                "i_segment": In(stream.Signature(self.gearbox.config.segment)),
                "o": Out(stream.Signature(self.gearbox.config.chunk)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.reader = reader = self.reader
        m.submodules.buffer = buffer = self.buffer
        m.submodules.gearbox = gearbox = self.gearbox
        for port in range(LAYOUT.ports):
            connect(m, reader.axi[port], flipped(self.axi[port]))
        connect(m, flipped(self.i_command), reader.i_command)
        connect(m, reader.o, buffer.i)
        connect(m, buffer.o, gearbox.i)
        connect(m, flipped(self.i_segment), gearbox.i_segment)
        connect(m, gearbox.o, flipped(self.o))
        return m


def memories(path, tape, read_memory, latency, answers):
    beats = [np.ascontiguousarray(port).view("<u4").tolist() for port in tape]
    return [
        read_memory(path.axi[port], beats[port], latency=latency, answer=answer)
        for port, answer in zip(range(LAYOUT.ports), answers, strict=True)
    ]


def test_the_row_chunks_of_an_image_arrive(read_memory, simulate, tmp_path):
    random_image(tmp_path / "m.tercel", CONFIG, layout=LAYOUT)
    image = Image.open(tmp_path / "m.tercel")
    played = [segment for segment in image.segments if segment.kind == "ternary"]
    path = TapePath(16)
    gaps = [random_gaps(1, 0.6), random_gaps(2, 0.8)]
    served = memories(path, image.tape, read_memory, 12, gaps)
    wanted, chunks = [], []
    for segment in played:
        cut = LAYOUT.chunks(segment.columns)
        count = segment.rows * cut.count
        content = image.content(segment.name)[: count * cut.bytes]
        wanted += [row.tobytes() for row in content.reshape(count, cut.bytes)]
        chunks.append({"bytes": cut.bytes, "chunks": count})

    async def runs(ctx):
        values = [{"address": s.first_word, "beats": s.words} for s in played]
        await put_all(ctx, path.i_command, values)

    async def segments(ctx):
        await put_all(ctx, path.i_segment, chunks)

    async def sink(ctx):
        return await get_all(ctx, path.o, len(wanted), random_gaps(3, 0.8))

    taken = simulate(path, runs, segments, sink, memories=served, max_cycles=8000)[2]
    got = [chunk.data.to_bytes(9, "little") for chunk in taken]
    assert len({len(row) for row in wanted}) > 1
    assert [data[: len(row)] for data, row in zip(got, wanted, strict=True)] == wanted


PHASES = [Phase(words=80, idle_cycles=110), Phase(words=120, idle_cycles=110), Phase(words=60)]


def play_phases(read_memory, simulate, buffer_words):
    """Cycles from the first to the last beat of a memory that answers in 3 of 4 cycles."""
    total = sum(phase.words for phase in PHASES)
    tape = np.random.default_rng(1).integers(0, 256, (2, 4 * total), np.uint8)
    path = TapePath(buffer_words)
    answers = [itertools.cycle([True, True, True, False]).__next__ for _ in range(2)]
    served = memories(path, tape, read_memory, 8, answers)

    async def runs(ctx):
        await put_all(ctx, path.i_command, [{"address": 0, "beats": total}])

    async def segments(ctx):
        values = [{"bytes": LAYOUT.word_bytes, "chunks": phase.words} for phase in PHASES]
        await put_all(ctx, path.i_segment, values)

    async def sink(ctx):
        words = []
        for phase in PHASES:
            await ctx.tick().repeat(int(phase.idle_cycles)) if phase.idle_cycles else None
            words += await get_all(ctx, path.o, phase.words, every_cycle)
        return words

    words = simulate(path, runs, segments, sink, memories=served, max_cycles=2000)[2]
    expected = [b"".join(port[4 * w : 4 * w + 4].tobytes() for port in tape) for w in range(total)]
    assert [word.data.to_bytes(9, "little")[:8] for word in words] == expected
    return served[0].arrivals[-1] - served[0].arrivals[0], total


@pytest.mark.parametrize(("part", "waits"), [(1.0, False), (0.4, True)])
def test_the_buffer_of_the_rule_keeps_the_memory_busy(read_memory, simulate, part, waits):
    """The same phases through the rule and through the hardware."""
    words = tape_buffer_words(PHASES, supply=0.75)
    assert words > 110
    cycles, total = play_phases(read_memory, simulate, int(words * part))
    streaming = (total - 1) + (total - 1) // 3
    if waits:
        assert cycles > streaming + 20
    else:
        assert cycles == streaming
        assert play(PHASES, supply=0.75, depth=words).waiting_cycles == pytest.approx(0, abs=1e-6)
