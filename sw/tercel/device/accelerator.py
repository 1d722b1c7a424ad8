"""The driver of the accelerator."""

from collections.abc import Sequence
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from tercel import numerics
from tercel.config import ModelConfig
from tercel.device.board import Board
from tercel.device.cache import KVCache
from tercel.device.interface import Ask, Counters, Device, Limits, PassResult
from tercel.device.registers import IDENTITY, MAJOR, REGISTERS, error_names
from tercel.errors import TercelError
from tercel.image import Image
from tercel.numerics import CacheView
from tercel.program import (
    AcceleratorSpec,
    DeviceMemory,
    MemoryMap,
    PassBuilder,
    Request,
    memory_map,
    read_hidden,
    read_logits,
    read_summary,
    summary_lines,
)

__all__ = ["CYCLE_LIMIT", "WATCHDOG", "AcceleratorDevice"]

WORD_MASK = 0xFFFFFFFF
CYCLE_LIMIT = 1 << 30
"""Four seconds at 250 MHz: far beyond any pass."""
WATCHDOG = 1 << 20
"""Four milliseconds at 250 MHz: far beyond any time that the memory may take."""


class AcceleratorDevice(Device):
    """A model on an accelerator.

    Opening it resets the accelerator and writes the tape into its memory. A pass that fails leaves
    the committed positions as they are; the accelerator is reset.

    Parameters
    ----------
    image
        The model.
    board
        The accelerator and its memory.
    spec
        What it was built with.
    context
        KV positions to hold; ``None`` is as many as the model and the accelerator have.
    cycle_limit
        Cycles after which a pass counts as stuck.
    watchdog
        Cycles in which nothing moves after which it does; 0 is never.

    Raises
    ------
    TercelError
        If the accelerator is another one than ``spec`` says or cannot run the model.
    """

    def __init__(
        self,
        image: Image,
        board: Board,
        *,
        spec: AcceleratorSpec,
        context: int | None = None,
        cycle_limit: int = CYCLE_LIMIT,
        watchdog: int = WATCHDOG,
    ):
        config = image.config
        if not 0 <= watchdog <= WORD_MASK:
            raise TercelError(f"watchdog must be in 0..{WORD_MASK} cycles, not {watchdog}")
        spec.check(config, image.layout)
        if context is None:
            context = min(config.context, spec.positions)
        self._map = memory_map(config=config, spec=spec, context=context)
        self._image = image
        self._board = board
        self._spec = spec
        self._cycle_limit = cycle_limit
        self._watchdog = watchdog
        self._ready = False
        """Whether the accelerator may be started: not after a pass that did not end well."""
        self._limits = Limits(
            nodes=spec.nodes, context=context, top_k=min(spec.top_k, config.vocab_size)
        )
        self._builder = PassBuilder(config=config, spec=spec, memory_map=self._map)
        self._memory = DeviceMemory(board, self._map)
        self._length = 0
        self._counters = Counters()
        self._pending: tuple[int, ...] | None = None
        """Parents of the pass that may be committed."""
        self._check_bases()
        self._identify()
        self._prepare()
        self._memory.load(image)

    @property
    def config(self) -> ModelConfig:
        return self._image.config

    @property
    def limits(self) -> Limits:
        return self._limits

    @property
    def length(self) -> int:
        return self._length

    @property
    def counters(self) -> Counters:
        return self._counters

    @property
    def memory_map(self) -> MemoryMap:
        """What lies where in the accelerator's memory."""
        return self._map

    def interrupt(self) -> None:
        self._board.end_wait()

    def reset(self) -> None:
        self._length = 0
        self._pending = None

    def run_pass(
        self,
        tokens: Sequence[int] | None = None,
        *,
        embedding_rows: npt.NDArray[np.float32] | None = None,
        parents: Sequence[int] | None = None,
        base: int | None = None,
        ask: Ask = Ask(),
    ) -> PassResult:
        parents = self.check_pass(tokens, embedding_rows, parents, base, ask)
        request = self._request(tokens, parents, ask)
        self._pending = None  # an interrupted pass leaves nothing to commit
        if embedding_rows is not None:
            rows = numerics.flush(np.asarray(embedding_rows, np.float32))
            self._memory.write_rows(rows)
        self._run(self._builder.build(request))
        result = self._answer(request, ask)
        self._counters += result.counters
        if all(attention for attention, _ in request.layer_mask):
            self._pending = request.parents
        return result

    def commit(self, path: Sequence[int]) -> None:
        path = self.check_path(path, self._pending)
        if path != list(range(len(path))):
            self._memory.move(self._length, path)
        self._length += len(path)
        self._pending = None

    def save(self) -> KVCache:
        cache = KVCache(config=self.config, positions=self._length)
        for layer in range(self.config.layers):
            cache.store(layer, self.read_cache(layer, self._length))
        return cache

    def restore(self, cache: KVCache, length: int) -> None:
        self.check_cache(cache, length)
        self.reset()  # a restoring that is interrupted leaves nothing to continue after
        for layer in range(self.config.layers):
            self._memory.write_cache(layer, cache.view(layer, length))
        self._length = length

    def read_cache(self, layer: int, positions: int) -> CacheView:
        """The first positions of a layer in the accelerator's memory, committed or not."""
        return self._memory.read_cache(layer, positions)

    def _request(self, tokens: Sequence[int] | None, parents: list[int], ask: Ask) -> Request:
        rows = self.config.vocab_size if ask.head_rows is None else ask.head_rows
        return Request(
            tokens=None if tokens is None else tuple(int(token) for token in tokens),
            parents=tuple(parents),
            base=self._length,
            layer_mask=ask.layer_mask or ((True, True),) * self.config.layers,
            head_rows=rows if ask.needs_head else 0,
            argmax=ask.argmax,
            top_k=ask.top_k,
            logits=bool(ask.logits),
            hidden=bool(ask.hidden),
        )

    def _check_bases(self) -> None:
        """Compare the end of what each port reads and writes with what it addresses."""
        size = self._map.words * self._map.layout.port_bytes
        most = 1 << self._spec.address_width
        for port, base in enumerate(self._board.bases):
            if base + size > most:
                raise TercelError(
                    f"the memory of port {port} must end at {most:#x}, which the accelerator's "
                    f"{self._spec.address_width} address bits allow, but ends at {base + size:#x}; "
                    "put it lower or build an accelerator with more address bits"
                )

    def _identify(self) -> None:
        """Compare the accelerator's first registers with the spec."""
        found = self._read("ID")
        if found != IDENTITY:
            raise TercelError(
                f"the register id must be {IDENTITY:#x}, but is {found:#x}: "
                "there is no tercel accelerator; load its bitstream first"
            )
        major = self._read("VERSION") >> REGISTERS["VERSION_MAJOR_SHIFT"]
        if major != MAJOR:
            raise TercelError(
                f"the accelerator's version must be {MAJOR}.x, but is {major}.x; "
                "use the tercel that it was built with"
            )
        for name, expected in (("CAPS", self._spec.caps), ("SHAPE", self._spec.shape)):
            if (found := self._read(name)) != expected:
                raise TercelError(
                    f"the register {name.lower()} must be {expected:#010x}, but is {found:#010x}: "
                    "the accelerator was not built as its description says; "
                    "take the one that came with it"
                )

    def _prepare(self) -> None:
        self._board.reset()
        self._board.write_register(REGISTERS["WATCHDOG"], self._watchdog)
        for port, base in enumerate(self._board.bases):
            self._write_long(REGISTERS["TAPE_BASE0"] + 8 * port, base)
        self._ready = True

    def _run(self, program: list[bytes]) -> None:
        """Run a program to its end.

        Raises
        ------
        TercelError
            If the accelerator reports an error or does not come to the end.
        """
        if not self._ready:
            self._prepare()
        self._ready = False
        self._memory.write_program(program)
        self._write_long(REGISTERS["PROGRAM_ADDRESS"], self._map.program.first_word)
        self._board.write_register(REGISTERS["PROGRAM_LENGTH"], len(program))
        self._board.write_register(REGISTERS["CONTROL"], REGISTERS["CONTROL_START_MASK"])
        failure = None
        try:
            self._board.wait(self._cycle_limit)
        except TercelError as error:
            failure = error
        if reported := self._read("ERROR"):
            names = error_names(self._spec.layout.ports)
            found = [name for bit, name in enumerate(names) if reported >> bit & 1]
            failure = TercelError(f"the accelerator reported the errors {', '.join(found)}")
        self._ready = failure is None
        if failure is not None:
            self._recover(failure)

    def _recover(self, failure: TercelError) -> NoReturn:
        """Reset the accelerator after a failure, and raise what that comes to."""
        try:
            self._prepare()
        except TercelError as error:
            raise TercelError(f"{failure}; {error}") from error
        raise TercelError(
            f"{failure} and was reset; the cache is as before the pass, so it may be run again"
        )

    def _answer(self, request: Request, ask: Ask) -> PassResult:
        counters = self._count(request)
        hidden = {}
        if ask.hidden:
            lines = self._memory.read_lines(self._map.hidden, self.config.hidden_size)
            hidden = read_hidden(lines, ask.hidden)
        if not request.head_rows:
            return PassResult(hidden=hidden, counters=counters)
        lines = self._memory.read_lines(self._map.summary, summary_lines(request))
        summary = read_summary(lines, request)
        logits = {}
        if ask.logits:
            lines = self._memory.read_lines(self._map.logits, request.head_rows)
            logits = read_logits(lines, summary.scale, ask.logits)
        return PassResult(
            argmax=summary.argmax,
            top_ids=summary.top_ids,
            top_logits=summary.top_logits,
            logsumexp=summary.logsumexp,
            logits=logits,
            hidden=hidden,
            counters=counters,
        )

    def _count(self, request: Request) -> Counters:
        """What the model asks of the memory: played segments, the cache, the rows it fetches."""
        attentions = sum(attention for attention, _ in request.layer_mask)
        row = attentions * KVCache.position_bytes(self.config)
        return Counters(
            passes=1,
            nodes=request.nodes,
            tape_bytes_read=self._image.bytes_per_pass(
                nodes=request.nodes, layer_mask=request.layer_mask, head_rows=request.head_rows
            ),
            kv_bytes_read=request.base * row,
            kv_bytes_written=request.nodes * row,
        )

    def _read(self, name: str) -> int:
        return self._board.read_register(REGISTERS[name])

    def _write_long(self, offset: int, value: int) -> None:
        self._board.write_register(offset, value & WORD_MASK)
        self._board.write_register(offset + 4, value >> 32)
