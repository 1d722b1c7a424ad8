"""The dispatcher of a pass program's commands to the units."""

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from tercel.program import COMMAND_BYTES, COMMANDS, HEADER_BITS
from tercel_hw.vector import command_layout

__all__ = ["UNITS", "Dispatcher"]

UNITS = tuple(name for name in COMMANDS if name not in ("begin", "end"))
"""Commands that go to a unit."""
NUMBER_BITS = 8


class Dispatcher(wiring.Component):
    """Reads a program and issues each command to its unit, in order, at most one a cycle.

    The program must begin with ``begin`` for an accelerator of this shape; it ends with ``end``,
    which waits until `idle`. Anything else is an error: no further command is issued, the pass
    ends, and a reset is required because units may be in the middle of their work.

    Parameters
    ----------
    word
        Bits of a memory word, a divisor of a command's.
    caps, shape
        Required fields of ``begin``.

    Members
    -------
    start : In(1)
    address, length : In(32)
        The program: word address and number of commands.
    o_run : Out(stream.Signature(StructLayout({"address": 32, "words": 32})))
        The run of the program's words.
    i : In(stream.Signature(word))
    rows, residual, ... : Out(stream.Signature(command_layout(name)))
        Commands of each name, for the units.
    idle : In(1)
        All units have completed their commands.
    busy : Out(1)
    error : Out(1)
        A pulse: the program is wrong.
    """

    start: Signal
    address: Signal
    length: Signal
    o_run: stream.Interface
    i: stream.Interface
    idle: Signal
    busy: Signal
    error: Signal

    def __init__(self, *, word: int, caps: int, shape: int):
        self._word = word
        self._begin = caps | shape << COMMANDS["begin"].fields["caps"]
        run = data.StructLayout({"address": unsigned(32), "words": unsigned(32)})
        units = {name: Out(stream.Signature(command_layout(name))) for name in UNITS}
        super().__init__(
            {
                "start": In(1),
                "address": In(32),
                "length": In(32),
                "o_run": Out(stream.Signature(run)),
                "i": In(stream.Signature(unsigned(word))),
                **units,
                "idle": In(1),
                "busy": Out(1),
                "error": Out(1),
            }
        )

    def to(self, name: str) -> stream.Interface:
        """Return the stream of a name's commands."""
        return getattr(self, name)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits = 8 * COMMAND_BYTES
        words = bits // self._word
        command = Signal(bits, reset_less=True)
        place = Signal(range(words + 1))
        left = Signal(32)
        taken, first = Signal(), Signal()
        number, body = command[:NUMBER_BITS], command[HEADER_BITS:]
        m.d.comb += [
            self.o_run.payload.address.eq(self.address),
            self.o_run.payload.words.eq(self.length * words),
            taken.eq(self.i.valid & self.i.ready),
        ]
        # Bits of the header beyond the number are judged as they come: they need no place.
        plain = Signal()
        with m.If(taken):
            with m.If(place == 0):
                m.d.sync += plain.eq(self.i.payload[NUMBER_BITS:HEADER_BITS] == 0)
            m.d.sync += command.eq(command >> self._word)
            m.d.sync += command[bits - self._word :].eq(self.i.payload)
        with m.FSM() as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("rest"))
            with m.State("rest"):
                with m.If(self.start):
                    m.d.sync += [left.eq(self.length), place.eq(0), first.eq(1)]
                    m.next = "ask"
            with m.State("ask"):
                m.d.comb += self.o_run.valid.eq(self.length != 0)
                with m.If(self.length == 0):
                    m.next = "wrong"
                with m.Elif(self.o_run.ready):
                    m.next = "read"
            with m.State("read"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(taken):
                    m.d.sync += place.eq(place + 1)
                    with m.If(place == words - 1):
                        m.d.sync += [place.eq(0), left.eq(left - 1)]
                        m.next = "check"
            with m.State("check"):
                m.next = "wrong"
                with m.If(plain):
                    with m.Switch(number):
                        with m.Case(COMMANDS["begin"].number):
                            right = body[: COMMANDS["begin"].bits] == self._begin
                            with m.If(first & right & (left != 0)):
                                m.next = "read"
                        with m.Case(COMMANDS["end"].number):
                            with m.If(~first & (left == 0)):
                                m.next = "finish"
                        for name in UNITS:
                            with m.Case(COMMANDS[name].number):
                                with m.If(~first & (left != 0)):
                                    m.next = "hand"
                m.d.sync += first.eq(0)
            with m.State("hand"):
                with m.Switch(number):
                    for name in UNITS:
                        with m.Case(COMMANDS[name].number):
                            unit = self.to(name)
                            m.d.comb += unit.valid.eq(1)
                            with m.If(unit.ready):
                                m.next = "read"
            with m.State("finish"):
                with m.If(self.idle):
                    m.next = "rest"
            with m.State("wrong"):
                m.d.comb += self.error.eq(1)
                m.next = "rest"
        for name in UNITS:
            width = COMMANDS[name].bits
            m.d.comb += self.to(name).payload.eq(body[:width])
        return m
