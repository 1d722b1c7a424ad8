"""The driver of the accelerator."""

import math
from functools import partial
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from tercel import numerics
from tercel.device.board import Board
from tercel.device.facts import DeviceFacts
from tercel.device.identity import check_bases, check_identity
from tercel.device.interface import Device
from tercel.device.node_results import NodeResults
from tercel.device.pass_result import Limits, PassResult
from tercel.device.registers import REGISTERS, error_names
from tercel.errors import TercelError
from tercel.image import Image
from tercel.numerics import CacheView
from tercel.numerics.float32 import Float32
from tercel.program import (
    AcceleratorSpec,
    DeviceMemory,
    MemoryMap,
    PassBuilder,
    Program,
    Request,
    memory_map,
    read_summary,
    summary_lines,
)

__all__ = ["TIMEOUT", "WATCHDOG", "AcceleratorDevice", "watchdog_cycles"]

WORD_MASK = 0xFFFFFFFF
TIMEOUT = 4.0
"""Default timeout of a pass in seconds, far longer than any pass."""
WATCHDOG = 0.004
"""Default watchdog in seconds, far longer than any memory latency."""


class AcceleratorDevice(Device):
    """A model on an accelerator.

    The constructor resets the accelerator and writes the tape to its memory. After a failed pass
    the accelerator is reset and the committed positions are unchanged.

    Parameters
    ----------
    image
        The model.
    board
        The accelerator and its memory.
    spec
        The parameters of the accelerator.
    context
        KV positions of the cache; ``None`` is the most that model and accelerator support.
    timeout
        Seconds after which a pass counts as stuck.
    watchdog
        Seconds without progress after which the accelerator itself reports an error; 0 turns the
        watchdog off.

    Raises
    ------
    TercelError
        If the accelerator does not match ``spec`` or cannot run the model.
    """

    def __init__(
        self,
        image: Image,
        board: Board,
        *,
        spec: AcceleratorSpec,
        context: int | None = None,
        timeout: float = TIMEOUT,
        watchdog: float = WATCHDOG,
    ):
        config = image.config
        spec.check(config, image.layout)
        if context is None:
            context = min(config.context, spec.positions)
        limits = Limits(
            nodes=spec.nodes,
            context=context,
            top_k=min(spec.top_k, config.vocab_size),
            shortlist=min(spec.shortlist, config.shortlist),
        )
        super().__init__(image, limits)
        self._watchdog_cycles = watchdog_cycles(timeout, watchdog, board.clock_hz)
        self._map = memory_map(config=config, spec=spec, context=context)
        self._board = board
        self._spec = spec
        self._timeout = timeout
        self._ready = False
        """True if the accelerator can be started: false after a failed pass until a reset."""
        self._builder = PassBuilder(config=config, spec=spec, memory_map=self._map)
        self._memory = DeviceMemory(board, self._map)
        self._late_results: tuple[NodeResults, ...] = ()
        """Results of the last pass, in memory that the next one writes."""
        check_bases(board.bases, self._map.words, spec)
        check_identity(board, spec)
        self._prepare()
        self._memory.load(image)

    @property
    def board(self) -> Board:
        """The accelerator and its memory."""
        return self._board

    @property
    def spec(self) -> AcceleratorSpec:
        """The parameters of the accelerator."""
        return self._spec

    @property
    def memory_map(self) -> MemoryMap:
        """The areas of the accelerator's memory."""
        return self._map

    @property
    def simulation_seconds(self) -> float | None:
        return self._board.simulation_seconds

    def facts(self) -> DeviceFacts:
        return self._board.facts()

    def interrupt(self) -> None:
        self._board.end_wait()

    def read_cache(self, layer: int, positions: int) -> CacheView:
        return self._memory.read_cache(layer, positions)

    def _write_cache(self, layer: int, view: CacheView) -> None:
        self._memory.write_cache(layer, view)

    def _move(self, path: list[int]) -> None:
        self._memory.move(self._length, path)

    def _run(self, request: Request, rows: Float32) -> PassResult:
        for results in self._late_results:
            results.expire()
        if len(first := self._first_rows(request, rows)):
            self._memory.write_rows(first)
        self._play(self._builder.build(request))
        seconds = self._read_long("CYCLES") / self._board.clock_hz
        return self._answer(request, seconds)

    def _first_rows(self, request: Request, rows: Float32) -> Float32:
        """The initial residual streams that the accelerator reads as float32."""
        if not self.config.ternary_head:
            return rows
        first = np.empty((request.nodes, self.config.hidden_size), np.float32)
        tokens = {node: token for node, token in enumerate(request.tokens) if token is not None}
        first[list(tokens)] = self.embed(list(tokens.values()))
        first[request.given] = rows
        return first

    def _prepare(self) -> None:
        self._board.reset()
        self._board.write_register(REGISTERS["WATCHDOG"], self._watchdog_cycles)
        for port, base in enumerate(self._board.bases):
            self._write_long(REGISTERS["TAPE_BASE0"] + 8 * port, base)
        self._ready = True

    def _play(self, program: Program) -> None:
        """Run a program to its end.

        Raises
        ------
        TercelError
            If the accelerator reports an error or does not finish in time.
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
            self._board.wait(self._timeout)
        except TercelError as error:
            failure = error
        if reported := self._read("ERROR"):
            names = error_names(self._spec.layout.ports)
            found = [name for bit, name in enumerate(names) if reported >> bit & 1]
            failure = TercelError(f"the accelerator reported the errors {', '.join(found)}")
        if failure is None and not self._read("STATUS") & REGISTERS["STATUS_DONE_MASK"]:
            failure = TercelError("the accelerator was reset before the pass ended")
        self._ready = failure is None
        if failure is not None:
            self._recover(failure)

    def _recover(self, failure: TercelError) -> NoReturn:
        """Reset the accelerator after a failure, and raise an error with both outcomes."""
        try:
            self._prepare()
        except TercelError as error:
            raise TercelError(f"{failure}; {error}") from error
        raise TercelError(
            f"{failure} and was reset; the cache is as before the pass, so it may be run again"
        )

    def _answer(self, request: Request, seconds: float) -> PassResult:
        ask, where = request.ask, self._map
        hidden = NodeResults(ask.hidden, self._read_hidden)
        self._late_results = (hidden,)
        if not request.head_rows:
            return PassResult(hidden=hidden, seconds=seconds)
        lines = self._memory.read_lines(where.summary, summary_lines(request))
        summary = read_summary(lines, request)
        read = partial(self._read_logits, count=request.head_rows, scale=summary.scale)
        logits = NodeResults(ask.logits, read)
        self._late_results = (hidden, logits)
        return PassResult(
            argmax=summary.argmax,
            top_ids=summary.top_ids,
            top_logits=summary.top_logits,
            logsumexp=summary.logsumexp,
            logits=logits,
            hidden=hidden,
            seconds=seconds,
        )

    def _read_hidden(self, node: int, rows: npt.NDArray[np.integer] | None) -> Float32:
        """A node's residual stream, or some elements of it."""
        wanted = self.config.hidden_size if rows is None else rows
        return self._memory.read_lane(self._map.hidden, node, wanted).view(np.float32)

    def _read_logits(
        self, node: int, rows: npt.NDArray[np.integer] | None, *, count: int, scale: Float32
    ) -> Float32:
        """A node's logits of the first ``count`` rows, or of some."""
        lines = self._memory.read_lane(self._map.logits, node, count if rows is None else rows)
        return numerics.multiply(lines.view(np.float32), scale[node])

    def _read(self, name: str) -> int:
        return self._board.read_register(REGISTERS[name])

    def _read_long(self, name: str) -> int:
        low, high = (self._board.read_register(REGISTERS[name] + 4 * half) for half in range(2))
        return low | high << 32

    def _write_long(self, offset: int, value: int) -> None:
        self._board.write_register(offset, value & WORD_MASK)
        self._board.write_register(offset + 4, value >> 32)


def watchdog_cycles(timeout: float, watchdog: float, clock_hz: float) -> int:
    """Check both limits in seconds; return the watchdog register, at least 1 unless it is off.

    Raises
    ------
    TercelError
        If the timeout is not positive and finite, or the register cannot express the watchdog.
    """
    if not 0 < timeout < math.inf:
        raise TercelError(f"timeout must be above 0 seconds and finite, not {timeout}")
    most = WORD_MASK / clock_hz
    if not 0 <= watchdog <= most:
        raise TercelError(f"watchdog must be in 0..{most:.3g} seconds, not {watchdog:g}")
    return min(WORD_MASK, math.ceil(watchdog * clock_hz))
