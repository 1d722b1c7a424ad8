"""The model of the dispatcher: times at which commands reach the queues of their units."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tercel.image.layout import ROW_BLOCK
from tercel.program import COMMAND_BYTES, COMMANDS, HEADER_BITS
from tercel_hw.top.fork import QUEUE
from tercel_sim.cycle_model.memory import Memory

__all__ = ["Command", "Dispatch", "decode"]

INT8 = 0
"""Kind of an int8 row, which has a scale."""
NAMES = {command.number: name for name, command in COMMANDS.items()}


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command of a program."""

    name: str
    fields: Mapping[str, int]


def decode(program: Iterable[bytes]) -> list[Command]:
    """Return the commands of an encoded program."""
    commands = []
    for data in program:
        name = NAMES[int.from_bytes(data[: HEADER_BITS // 8], "little")]
        commands.append(Command(name=name, fields=COMMANDS[name].decode(data)))
    return commands


class Dispatch:
    """Model of reading a program and issuing its commands in order, as far as queues have room.

    Parameters
    ----------
    program
        Commands of the program.
    memory
        The memory; the runs that commands imply are added to its channels.
    word_bytes
        Bytes of a memory word.
    address
        Address of the program's first word.
    """

    def __init__(self, program: list[Command], memory: Memory, *, word_bytes: int, address: int):
        self._program = program
        self._memory = memory
        self._words = COMMAND_BYTES // word_bytes
        memory.channels["program"].add_run(address, len(program) * self._words, 1.0)
        memory.before_step = self._advance
        self._free = 2.0  # Time from which words are read.
        self._handed: list[float] = []
        self._issued: dict[str, int] = defaultdict(int)
        self._done: dict[str, list[float]] = defaultdict(list)

    def handed(self, index: int) -> float:
        """Return the time at which a command is offered to its units."""
        while len(self._handed) <= index:
            if not self._hand(float("inf")):
                self._memory.serve()
        return self._handed[index] + 1

    def done(self, name: str, time: float) -> None:
        """Record that the last unit took the oldest waiting command of a name."""
        self._done[name].append(time)

    def _advance(self, limit: float) -> bool:
        handed = len(self._handed)
        while self._hand(limit):
            pass
        return len(self._handed) > handed

    def _hand(self, limit: float) -> bool:
        """Issue the next command if the times of its words and of its queue's room are known."""
        index = len(self._handed)
        if index == len(self._program):
            return False
        channel = self._memory.channels["program"]
        end = (index + 1) * self._words
        if channel.arrived < end:
            return False
        command, time = self._program[index], self._free
        room = self._issued[command.name] - QUEUE
        if room >= len(self._done[command.name]):
            return False
        taken = []
        for word in range(end - self._words, end):
            step = channel.step(word)
            pace = (step.ends - step.begins) / max(1, step.words - 1)
            time = max(time, step.begins + (word - step.first) * pace)
            taken.append(time)
            time += 1
        # A cycle for the check; `begin` and `end` go to no unit.
        time += 1
        if room >= 0:
            time = max(time, self._done[command.name][room] + 1)
        if time > limit:
            return False
        for word, moment in enumerate(taken, end - self._words + 1):
            channel.take(word, moment)
        self._handed.append(time)
        self._free = time + (command.name not in ("begin", "end"))
        self._issued[command.name] += 1
        self._call(command, time + 1)
        return True

    def _call(self, command: Command, time: float) -> None:
        """Add the runs that the units request for a command."""
        fields, channels = command.fields, self._memory.channels
        if command.name == "tape":
            channels["tape"].add_run(fields["address"], fields["words"], time)
        elif command.name == "norm":
            channels["vector"].add_run(fields["address"], fields["words"], time)
        elif command.name == "rows":
            rows, first = channels["rows"], fields["address"]
            if fields["kind"] == INT8:
                places = [fields["scale_address"]]
                places += [first + ROW_BLOCK * index for index in range(fields["words"])]
                for index, address in enumerate(places):
                    rows.add_run(address, 1, time + index)
            else:
                rows.add_run(first, fields["words"], time)
