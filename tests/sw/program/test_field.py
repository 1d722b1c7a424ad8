import numpy as np
import pytest

from tercel.program.command import COMMAND_BYTES, COMMANDS
from tercel.program.field import Field

EVERY = [(command, name) for command in COMMANDS for name in COMMANDS[command].fields]


@pytest.mark.parametrize(("command", "name"), EVERY)
def test_a_field_lies_where_the_command_has_it(command, name):
    kind, field = COMMANDS[command], Field(command, name)
    most = kind.most(name)
    full = kind.encode(**{other: kind.most(other) for other in kind.fields})
    program = np.frombuffer(full, np.uint8).reshape(1, COMMAND_BYTES).copy()
    field.clear(program)
    others = {other: kind.most(other) * (other != name) for other in kind.fields}
    assert program.tobytes() == kind.encode(**others)
    for value in (most, most // 3):
        expected = kind.encode(**others | {name: value})
        filled = program.copy()
        filled[:, field.bytes] |= field.spread(value)
        assert filled.tobytes() == expected
        if kind.fields[name] <= 32:
            filled = program.repeat(2, axis=0)
            field.add_each(filled, np.array([value, 0]))
            assert filled.tobytes() == expected + kind.encode(**others)
