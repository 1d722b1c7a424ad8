"""Builder of pass programs from templates."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from tercel.config import ModelConfig
from tercel.program.accelerator_spec import AcceleratorSpec
from tercel.program.command import COMMAND_BYTES, COMMANDS
from tercel.program.encoder import INT8_ROW, ROPE_ROW, PassEncoder
from tercel.program.field import Field, Program
from tercel.program.memory_map import MemoryMap
from tercel.program.request import Ask, Request

__all__ = ["PassBuilder"]

TEMPLATES = 32
"""Most templates that are kept; one of a model of 30 layers takes 45 kB."""
ROW_FIELDS = {name: Field("rows", name) for name in ("address", "scale_address", "scale_index")}
"""Fields that depend on the token of an embedding's row, or on the position of a rope row."""
ROW_BYTES = slice(ROW_FIELDS["address"].bytes.start, ROW_FIELDS["scale_index"].bytes.stop)
LAYER_FIELDS = (Field("heads", "base"), Field("attention", "base"), Field("attention", "ancestors"))
"""Fields of every layer that depend on base or parents."""


@dataclass(frozen=True, kw_only=True)
class _Part:
    """Bytes of some commands of a program, with zeros in the fields that are filled in."""

    commands: npt.NDArray[np.intp]
    bytes: slice
    content: npt.NDArray[np.uint8]
    """``[commands, bytes]``."""

    def fill(self, program: Program, values: npt.NDArray[np.uint8]) -> None:
        program[self.commands, self.bytes] = self.content | values


@dataclass(frozen=True, kw_only=True)
class _Template:
    """A program, and the parts of it that depend on tokens, base or parents."""

    program: Program
    rows: _Part
    """The loads of embedding rows, then of rope rows, both in the order of nodes."""
    layers: tuple[_Part, ...]
    """The parts of :data:`LAYER_FIELDS`."""


class PassBuilder:
    """Builds the programs of one model on one accelerator.

    Programs differ little from pass to pass. A :class:`~tercel.program.PassEncoder` encodes each
    kind once; what depends on tokens, base and parents is then filled into a copy, which has the
    bytes that the encoder gives.

    Parameters
    ----------
    config
        The model.
    spec
        The accelerator.
    memory_map
        The areas of tape, cache and results.

    Raises
    ------
    TercelError
        If the accelerator cannot run the model.
    """

    def __init__(self, *, config: ModelConfig, spec: AcceleratorSpec, memory_map: MemoryMap):
        self._config = config
        self._encoder = PassEncoder(config=config, spec=spec, memory_map=memory_map)
        self._template = lru_cache(TEMPLATES)(self._make_template)
        tokens = {"address": np.empty(0, np.int64)}
        if not config.ternary_head:
            tokens = self._encoder.token_places(np.arange(config.vocab_size))
        ropes = self._encoder.rope_address(np.arange(memory_map.context))
        self._token_rows = _rows(tokens)
        self._rope_rows = _rows({"address": ropes})

    def build(self, request: Request) -> Program:
        """The encoded commands of a pass, uint8 ``[commands, 64]``, the caller's own."""
        ask, given = request.ask, {*request.float_nodes}
        template = self._template(
            tuple([node in given for node in range(request.nodes)]),
            ask.argmax,
            ask.top_k,
            bool(ask.logits),
            bool(ask.hidden),
            ask.layer_mask,
            ask.head_rows,
            ask.two_stage,
        )
        program = template.program.copy()
        tokens = [] if self._config.ternary_head else [t for t in request.tokens if t is not None]
        rows = self._rope_rows[request.positions]
        if tokens:
            rows = np.concatenate([self._token_rows[tokens], rows])
        template.rows.fill(program, rows)
        values = request.base, request.base, request.ancestor_bits
        for field, part, value in zip(LAYER_FIELDS, template.layers, values, strict=True):
            part.fill(program, field.spread(value))
        return program

    def _make_template(
        self,
        given: tuple[bool, ...],
        argmax: bool,
        top_k: int,
        logits: bool,
        hidden: bool,
        layer_mask: tuple[tuple[bool, bool], ...] | None,
        head_rows: int | None,
        two_stage: bool,
    ) -> _Template:
        """Encode the program of some request of a kind, and find the parts that others change."""
        request = Request(
            config=self._config,
            tokens=tuple(None if row else 0 for row in given),
            parents=tuple(range(-1, len(given) - 1)),
            base=0,
            ask=Ask(
                argmax=argmax,
                top_k=top_k,
                logits=(0,) * logits,
                hidden=(0,) * hidden,
                layer_mask=layer_mask,
                head_rows=head_rows,
                two_stage=two_stage,
            ),
        )
        commands = self._encoder.encode(request)
        program = np.frombuffer(b"".join(commands), np.uint8).reshape(len(commands), -1)
        kinds = [
            COMMANDS["rows"].decode(command)["kind"]
            if command[0] == COMMANDS["rows"].number
            else None
            for command in commands
        ]
        rows = [at for kind in (INT8_ROW, ROPE_ROW) for at, k in enumerate(kinds) if k == kind]
        return _Template(
            program=program,
            rows=_part(program, rows, ROW_BYTES, *ROW_FIELDS.values()),
            layers=tuple(
                _part(
                    program,
                    np.flatnonzero(program[:, 0] == COMMANDS[field.command].number),
                    field.bytes,
                    field,
                )
                for field in LAYER_FIELDS
            ),
        )


def _part(program: Program, commands: npt.ArrayLike, where: slice, *cleared: Field) -> _Part:
    commands = np.asarray(commands, np.intp)
    content = program[commands]
    for field in cleared:
        field.clear(content)
    return _Part(commands=commands, bytes=where, content=np.ascontiguousarray(content[:, where]))


def _rows(values: Mapping[str, npt.NDArray[np.int64]]) -> npt.NDArray[np.uint8]:
    """The :data:`ROW_BYTES` of commands ``rows`` with these values of fields, zero elsewhere."""
    commands = np.zeros((len(values["address"]), COMMAND_BYTES), np.uint8)
    for name, each in values.items():
        ROW_FIELDS[name].add_each(commands, each)
    return np.ascontiguousarray(commands[:, ROW_BYTES])
