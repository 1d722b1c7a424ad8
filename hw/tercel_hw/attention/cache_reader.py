"""The reader of the KV cache's runs for attention."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring

from tercel_hw.attention.unit_config import SCALES_BYTES, AttentionUnitConfig
from tercel_hw.shallow_fifo import ShallowFifo

__all__ = ["CacheReader"]

RUNS = 128
"""Most requested runs whose words have not all arrived."""


class CacheReader(wiring.Component):
    """Requests the runs of all sweeps of a layer and announces the kind of each run.

    The cache of a KV head is a block from word ``cache + head * head_stride`` on: keys, values from
    ``row_words`` on, scales from ``2 * row_words`` on. Keys and values lie in slices: full ones
    ``slice_words`` apart, the half one from ``half_at`` on. The keys of a sweep are requested
    tile by tile: scales, the half slice, the full ones; its values slice by slice, the half one
    last. The keys of a sweep come before the values of the previous sweep.

    Throughput: a run a cycle, two cycles more between keys and values. The first run is offered
    ``LATENCY`` cycles after the command's transfer, or 3 after that of ``i_written`` if later.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    i_command : In(stream.Signature(config.command))
        ``kv_heads``, ``sweeps``, the number of slices and ``base + nodes`` at least 1.
    i_written : In(stream.Signature(unsigned(0)))
        The pass's own rows are in memory; one for each command, before its first run.
    o_run : Out(stream.Signature(config.run))
    o_kind : Out(stream.Signature(config.kind))
        In the same order, the length of each run and a flag if it holds scales.
    """

    LATENCY = 4

    i_command: stream.Interface
    i_written: stream.Interface
    o_run: stream.Interface
    o_kind: stream.Interface

    def __init__(self, config: AttentionUnitConfig):
        self._config = config
        super().__init__(
            {
                "i_command": wiring.In(stream.Signature(config.command)),
                "i_written": wiring.In(stream.Signature(unsigned(0))),
                "o_run": wiring.Out(stream.Signature(config.run)),
                "o_kind": wiring.Out(stream.Signature(config.kind)),
            }
        )

    @property
    def config(self) -> AttentionUnitConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        tile, word_bits = config.tile, config.word_bytes.bit_length() - 1
        can, issued, scales = Signal(), Signal(), Signal()
        address, words = Signal(config.run.members["address"]), Signal(config.run.members["words"])
        self._ask(m, can, issued, address, words, scales)

        command = Signal(config.command, reset_less=True)
        positions = Signal(range(config.attention.positions + 1), reset_less=True)
        # For the sweep of keys and that of values: its block and its index within the KV head.
        blocks = [
            Signal.like(command.cache, name=f"block{index}", reset_less=True) for index in range(2)
        ]
        sweeps_per_kv_head = [
            Signal.like(
                command.sweeps_per_kv_head, name=f"sweep_of_kv_head{index}", reset_less=True
            )
            for index in range(2)
        ]
        # Sweeps whose keys, and whose values, have not been requested.
        sweeps = [
            Signal.like(command.sweeps, name=f"sweeps{index}", reset_less=True)
            for index in range(2)
        ]
        keys_at, halves_at, scales_at, slice_at = (
            Signal.like(command.cache, name=f"at{index}", reset_less=True) for index in range(4)
        )
        left = Signal.like(positions, reset_less=True)
        count = Signal.like(positions)
        number, last_slice = Signal.like(command.full, reset_less=True), Signal()
        m.d.comb += [
            count.eq(Mux(left < tile, left, tile)),
            last_slice.eq(number + 1 == command.full),
        ]

        def after_sweep(part: int) -> None:
            """Advance keys (``part`` 0) or values (1) to the next sweep and its block."""
            m.d.sync += sweeps[part].eq(sweeps[part] - 1)
            m.d.sync += sweeps_per_kv_head[part].eq(sweeps_per_kv_head[part] + 1)
            with m.If(sweeps_per_kv_head[part] + 1 == command.sweeps_per_kv_head):
                m.d.sync += [
                    sweeps_per_kv_head[part].eq(0),
                    blocks[part].eq(blocks[part] + command.head_stride),
                ]

        def after_tile() -> None:
            with m.If(left <= tile):
                m.next = "head_slot"
                after_sweep(0)
            with m.Else():
                m.next = "scales"
            m.d.sync += [
                left.eq(left - tile),
                keys_at.eq(keys_at + tile),
                halves_at.eq(halves_at + tile // 2),
                scales_at.eq(scales_at + config.tile_scale_words),
            ]

        with m.FSM():
            with m.State("idle"):
                m.d.comb += self.i_command.ready.eq(1)
                offered = self.i_command.payload
                m.d.sync += [command.eq(offered), positions.eq(offered.base + offered.nodes)]
                for part in range(2):
                    m.d.sync += [
                        blocks[part].eq(offered.cache),
                        sweeps[part].eq(offered.sweeps),
                        sweeps_per_kv_head[part].eq(0),
                    ]
                with m.If(self.i_command.valid):
                    m.next = "written"
            with m.State("written"):
                m.d.comb += self.i_written.ready.eq(1)
                with m.If(self.i_written.valid):
                    m.next = "keys"
            with m.State("keys"):
                m.d.sync += [
                    left.eq(positions),
                    keys_at.eq(blocks[0]),
                    halves_at.eq(blocks[0] + command.half_at),
                    scales_at.eq(blocks[0] + (command.row_words << 1)),
                ]
                m.next = "scales"
            with m.State("scales"):
                m.d.comb += [
                    address.eq(scales_at),
                    words.eq((count * SCALES_BYTES + config.word_bytes - 1) >> word_bits),
                    scales.eq(1),
                    issued.eq(can),
                ]
                m.d.sync += [slice_at.eq(keys_at), number.eq(0)]
                with m.If(can):
                    m.next = "full"
                    with m.If(command.half):
                        m.next = "half"
            with m.State("half"):
                m.d.comb += [address.eq(halves_at), words.eq((count + 1) >> 1), issued.eq(can)]
                with m.If(can):
                    m.next = "full"
                    with m.If(command.full == 0):
                        after_tile()
            with m.State("full"):
                m.d.comb += [address.eq(slice_at), words.eq(count), issued.eq(can)]
                with m.If(can):
                    m.d.sync += [slice_at.eq(slice_at + command.slice_words), number.eq(number + 1)]
                    with m.If(last_slice):
                        after_tile()
            with m.State("head_slot"):
                # The keys of sweeps 0 and 1 are both read before the values of sweep 0.
                m.d.sync += [slice_at.eq(blocks[1] + command.row_words), number.eq(0)]
                m.next = "values"
                with m.If((sweeps[1] == command.sweeps) & (sweeps[0] + 1 == command.sweeps)):
                    with m.If(sweeps[0] != 0):
                        m.next = "keys"
            with m.State("values"):
                half = number == command.full
                m.d.comb += [
                    address.eq(
                        Mux(half, blocks[1] + command.row_words + command.half_at, slice_at)
                    ),
                    words.eq(Mux(half, (positions + 1) >> 1, positions)),
                    issued.eq(can),
                ]
                with m.If(can):
                    m.d.sync += [slice_at.eq(slice_at + command.slice_words), number.eq(number + 1)]
                    with m.If(Mux(half, 1, last_slice & ~command.half)):
                        after_sweep(1)
                        m.next = "keys"
                        with m.If(sweeps[0] == 0):
                            m.next = "head_slot"
                            with m.If(sweeps[1] == 1):
                                m.next = "idle"
        return m

    def _ask(self, m: Module, can, issued, address, words, scales) -> None:
        """Add the registers of ``o_run`` and the queue of ``o_kind``."""
        kind = self._config.kind
        m.submodules.kinds = kinds = ShallowFifo(kind, depth=RUNS)
        wiring.connect(m, kinds.o, wiring.flipped(self.o_kind))
        asked, run = Signal(kind), Signal(self._config.run, reset_less=True)
        m.d.comb += [
            self.o_run.payload.eq(run),
            can.eq((~self.o_run.valid | self.o_run.ready) & kinds.i.ready),
            asked.words.eq(words),
            asked.scales.eq(scales),
            kinds.i.valid.eq(issued),
            kinds.i.payload.eq(asked),
        ]
        with m.If(self.o_run.ready):
            m.d.sync += self.o_run.valid.eq(0)
        with m.If(issued):
            m.d.sync += [
                self.o_run.valid.eq(1),
                run.address.eq(address),
                run.words.eq(words),
            ]
