"""Parameters of a whole accelerator, from which those of its blocks are derived."""

from dataclasses import dataclass, field, fields

from tercel.config import SHORTLISTS
from tercel.image import TapeLayout
from tercel.image.layout import ROW_BLOCK, padded_rows
from tercel.image.matrix_form import MatrixForm
from tercel.program import COMMANDS, AcceleratorSpec
from tercel_hw.attention import AttentionConfig, AttentionUnitConfig
from tercel_hw.cache import CacheConfig
from tercel_hw.checks import check_integer, check_power_of_two
from tercel_hw.dense import DenseConfig
from tercel_hw.head import HeadConfig, HeadUnitConfig, ResultConfig
from tercel_hw.memory import (
    AxiConfig,
    BlockConfig,
    BurstConfig,
    GearboxConfig,
    ReaderConfig,
    RoutedConfig,
    StripedConfig,
    StripedWriterConfig,
    WriterConfig,
)
from tercel_hw.registers import ControlConfig
from tercel_hw.tlmm.config import GROUP_COLUMNS, TLMM, TlmmConfig
from tercel_hw.vector import VectorConfig

__all__ = ["ACCELERATORS", "CHANNELS", "AcceleratorConfig"]

CHANNELS = ("program", "rows", "vector", "cache", "tape")
"""Channels of the memory system, in order of priority."""
COLUMNS = 8192
"""Widest row of the kv260's accelerators: two banks of UltraRAM."""
WIDE_COLUMNS = 23040
"""Widest row of the larger Falcon3, of the preset for wide models."""
FLOAT32_BYTES = 4
COUNT_BITS = 24
"""Width of a run's number of beats, unless the tape needs more."""
ROUTED_RUNS = 8
"""Fewest runs of words that may be under way."""
ULTRA_POSITIONS = 4096
"""Number of positions from which memories of scores and weights are UltraRAM, if there is any."""


@dataclass(frozen=True, kw_only=True)
class AcceleratorConfig:
    """Parameters of a whole accelerator; the defaults are those of the kv260.

    Raises
    ------
    TypeError, ValueError
        If a field breaks its rule; the message quotes the field and its value.
    """

    tlmm: TlmmConfig = field(default_factory=lambda: TlmmConfig(max_columns=COLUMNS))
    """The ternary engine, whose lanes and widest matrix are also the accelerator's."""
    ports: int = 4
    """Number of memory ports."""
    port_bytes: int = 16
    """Bytes of a beat of a port."""
    hidden: int = 4096
    """Widest residual stream."""
    head_size: int = 128
    """Elements of the largest attention head."""
    heads: int = 32
    """Most query heads."""
    chain: int = 16
    """Multipliers of a chain of the dense engine."""
    positions: int = 4096
    """Most positions of the cache."""
    rows: int = 1 << 17
    """Largest vocabulary."""
    top_k: int = 64
    """Largest top-k."""
    tape_words: int = 4 * 4096
    """Words of the tape buffer."""
    burst_beats: int = 64
    """Beats of the longest burst."""
    read_bursts: int = 4
    """Longest bursts that a port's read buffer holds: the most that it may have asked for and not
    yet joined into words."""
    outstanding_reads: int = 8
    """Most bursts that a port has requested and that are not wholly answered."""
    address_width: int = 40
    """Bits of a byte address."""
    ultra_ram: bool = True
    """True if large memories are UltraRAM; False for a device without it: all are block RAM."""
    qk_norm: bool = False
    """True if heads of queries and keys may be normed."""
    shortlist: int = 0
    """Most rows that a two-stage head lists for a lane; 0 if it has no two-stage heads. Needs
    groups."""

    def __post_init__(self):
        if not isinstance(self.tlmm, TlmmConfig):
            raise TypeError(f"tlmm must be a TlmmConfig, not {self.tlmm!r}")
        check_power_of_two("port_bytes", self.port_bytes, 8, 16)
        check_integer("heads", self.heads, 1, 255)
        check_integer("read_bursts", self.read_bursts, 2, 64)
        check_integer("outstanding_reads", self.outstanding_reads, 2, 64)
        if self.shortlist:
            check_power_of_two("shortlist", self.shortlist, SHORTLISTS[0], SHORTLISTS[-1])
            if not self.grouped:
                raise ValueError(
                    "groups of tlmm must not be 0 with a shortlist, which has scales of rows"
                )
        for name in ("ultra_ram", "qk_norm"):
            if not isinstance(value := getattr(self, name), bool):
                raise TypeError(f"{name} must be true or false, not {value!r}")
        check_integer("tape_words", self.tape_words, 2 * self.burst_beats, 1 << 20)
        word = self.ports * self.port_bytes
        check_power_of_two("bytes of a word", word, 16, 64)
        if self.heads * self.head_size > self.tlmm.max_columns:
            raise ValueError(
                f"heads * head_size must not exceed max_columns ({self.tlmm.max_columns}), "
                f"but is {self.heads * self.head_size}"
            )
        # The configurations of the blocks check the other rules.
        for name in (
            "spec",
            "vector",
            "attention_unit",
            "head_unit",
            "routed",
            "cache",
            "results",
            "gearbox",
            "control",
            *["blocks"] * self.grouped,
        ):
            getattr(self, name)

    @property
    def nodes(self) -> int:
        """Lanes, K."""
        return self.tlmm.nodes

    @property
    def grouped(self) -> bool:
        """True if matrices may have scales of rows and groups, and the head may be ternary."""
        return self.tlmm.groups > 0

    @property
    def word_bytes(self) -> int:
        """Bytes of a word, over all ports."""
        return self.ports * self.port_bytes

    @property
    def layout(self) -> TapeLayout:
        """Layout of the tape that this accelerator plays."""
        return TapeLayout(
            code=self.tlmm.code,
            tables=self.tlmm.tables,
            ports=self.ports,
            port_bytes=self.port_bytes,
            block_rows=self.tlmm.block_rows,
        )

    @property
    def spec(self) -> AcceleratorSpec:
        """Parameters that the driver must know."""
        return AcceleratorSpec(
            layout=self.layout,
            nodes=self.nodes,
            positions=self.positions,
            hidden=self.hidden,
            columns=self.tlmm.max_columns,
            head_size=self.head_size,
            sweeps=self.heads,
            slices=self.dense.slices,
            top_k=self.top_k,
            rows=self.rows,
            address_width=self.address_width,
            groups=self.tlmm.groups,
            qk_norm=self.qk_norm,
            shortlist=self.shortlist,
        )

    @property
    def vector(self) -> VectorConfig:
        return VectorConfig(
            nodes=self.nodes,
            columns=self.tlmm.max_columns,
            hidden=self.hidden,
            head_size=self.head_size,
            word_bytes=self.word_bytes,
            sum_bits=self.tlmm.sum_bits,
            group=self.tlmm.weight_code.group,
            grouped=self.grouped,
            qk_norm=self.qk_norm,
            ultra_ram=self.ultra_ram,
        )

    @property
    def dense(self) -> DenseConfig:
        slices = -(-self.head_size // self.word_bytes)
        return DenseConfig(
            nodes=self.nodes,
            macs=self.word_bytes,
            chain=self.chain,
            slices=max(-(-self.hidden // self.word_bytes), self.heads * slices),
            totals=slices,
            rows=max(padded_rows(self.rows), self.positions),
        )

    @property
    def attention(self) -> AttentionConfig:
        return AttentionConfig(
            dense=self.dense,
            positions=self.positions,
            sweeps=self.heads,
            ram_style="ultra" if self.ultra_ram and self.positions >= ULTRA_POSITIONS else "block",
        )

    @property
    def attention_unit(self) -> AttentionUnitConfig:
        return AttentionUnitConfig(attention=self.attention)

    @property
    def head(self) -> HeadConfig:
        return HeadConfig(
            nodes=self.nodes,
            rows=self.rows,
            top_k=self.top_k,
            sum_bits=self.dense.sum_bits,
            # The rows of a block come together, with its last chunk.
            ternary_rows=max(2, self.tlmm.block_rows) if self.grouped else 0,
            shortlist=self.shortlist,
        )

    @property
    def head_unit(self) -> HeadUnitConfig:
        return HeadUnitConfig(head=self.head, dense=self.dense)

    @property
    def longest_run(self) -> int:
        """Words of the longest segment that the tape of a model can have."""
        layout, columns = self.layout, self.tlmm.max_columns
        scales = layout.words(FLOAT32_BYTES * ROW_BLOCK)
        head = (
            padded_rows(self.rows) // ROW_BLOCK * (scales + ROW_BLOCK * layout.words(self.hidden))
        )
        # Candidates: gate and up; queries, keys and values of as many heads; the down projection.
        shapes = (
            (2 * columns, self.hidden),
            (3 * self.heads * self.head_size, self.hidden),
            (self.hidden, columns),
        )
        granularities = ("tensor", "row", "group") if self.grouped else ("tensor",)
        if self.grouped:
            shapes += ((self.rows, self.hidden),)  # a ternary head
        sizes = [
            MatrixForm(layout=layout, granularity=each, columns=width).matrix_bytes(rows)
            for each in granularities
            for rows, width in shapes
        ]
        return max(head, *map(layout.words, sizes))

    @property
    def routed(self) -> RoutedConfig:
        axi = AxiConfig(address_width=self.address_width, data_width=8 * self.port_bytes)
        burst = BurstConfig(
            axi=axi,
            max_beats=self.burst_beats,
            count_width=max(COUNT_BITS, self.longest_run.bit_length()),
        )
        reader = ReaderConfig(
            burst=burst,
            outstanding=self.outstanding_reads,
            buffer_beats=self.read_bursts * self.burst_beats,
        )
        striped = StripedConfig(reader=reader, ports=self.ports)
        # As many runs as the buffers hold, and as many again in front of the ports.
        runs = max(ROUTED_RUNS, 2 * self.read_bursts)
        if self.shortlist:
            # Words of listed rows are runs of their own: as many as a port may have asked for, and
            # those that are on the way to its port or from it.
            runs = max(runs, self.outstanding_reads + self.outstanding_reads // 4)
        return RoutedConfig(striped=striped, destinations=len(CHANNELS), runs=runs)

    @property
    def writer(self) -> StripedWriterConfig:
        burst = self.routed.striped.reader.burst
        writer = WriterConfig(burst=burst, buffer_beats=2 * burst.max_beats, strobes=True)
        return StripedWriterConfig(writer=writer, ports=self.ports)

    @property
    def cache(self) -> CacheConfig:
        return CacheConfig(vector=self.vector, writer=self.writer)

    @property
    def results(self) -> ResultConfig:
        return ResultConfig(nodes=self.nodes, writer=self.writer)

    @property
    def gearbox(self) -> GearboxConfig:
        longest = self.tlmm.chunk_bytes
        if self.grouped:  # Row scales come as words.
            longest = max(longest, self.word_bytes)
        return GearboxConfig(word_bytes=self.word_bytes, max_bytes=longest)

    @property
    def blocks(self) -> BlockConfig:
        """Parameters of the cutter of matrices in blocks; only with groups."""
        return BlockConfig(
            gearbox=self.gearbox,
            block_rows=self.tlmm.block_rows,
            chunk_bits=COMMANDS["engine"].fields["chunks"],
        )

    @property
    def control(self) -> ControlConfig:
        return ControlConfig(
            nodes=self.nodes,
            layout=self.layout,
            grouped=self.grouped,
            qk_norm=self.qk_norm,
            shortlist=self.shortlist,
            address_width=self.address_width,
            streams=tuple(f"write{port}" for port in range(self.ports)),
        )

    def parameters(self) -> dict[str, int | bool | dict]:
        """All fields by name, for a sidecar."""
        values = {name.name: getattr(self, name.name) for name in fields(self)}
        values["tlmm"] = {name.name: getattr(self.tlmm, name.name) for name in fields(self.tlmm)}
        return values


ACCELERATORS = {
    "tiny": AcceleratorConfig(
        tlmm=TLMM["tiny"],
        ports=2,
        port_bytes=8,
        hidden=128,
        head_size=48,
        heads=4,
        chain=8,
        positions=64,
        rows=256,
        top_k=8,
        tape_words=256,
        burst_beats=16,
        address_width=32,
    ),
    "kv260": AcceleratorConfig(),
    "kv260-wide": AcceleratorConfig(tlmm=TlmmConfig(max_columns=WIDE_COLUMNS), head_size=256),
    "kv260-index5": AcceleratorConfig(
        tlmm=TlmmConfig(code="index5", tables=128, max_columns=COLUMNS)
    ),
    # The limits of version 3 of the image, and heads of Qwen3.
    "kv260-groups": AcceleratorConfig(
        tlmm=TlmmConfig(tables=78, groups=3, max_columns=GROUP_COLUMNS),
        rows=1 << 18,
        qk_norm=True,
        shortlist=1024,
        outstanding_reads=16,
    ),
    # 360 DSP48E2 and no UltraRAM: four lanes and words of 32 bytes; rows as long as those of 2b.
    "ultra96v2": AcceleratorConfig(
        tlmm=TlmmConfig(tables=39, nodes=4, max_columns=6912),
        ports=2,
        hidden=2560,
        tape_words=2048,
        ultra_ram=False,
    ),
    # AXI3 bursts of 16 beats, ports of 64 bits, 512 MiB: no model larger than 0.7b.
    "pynq-z2": AcceleratorConfig(
        tlmm=TlmmConfig(tables=22, nodes=2, max_columns=4096),
        ports=2,
        port_bytes=8,
        hidden=1536,
        heads=16,
        chain=8,
        positions=2048,
        rows=1 << 15,
        tape_words=1024,
        burst_beats=16,
        address_width=32,
        ultra_ram=False,
    ),
}
