import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tercel.program import COMMANDS
from tercel.program.command import Command

SMALL = Command(name="small", number=7, fields={"low": 3, "middle": 12, "high": 4})

commands = pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)


def test_fields_are_packed_from_the_lowest_bit():
    data = SMALL.encode(high=0b1010, low=0b101, middle=0xABC)
    packed = 0b101 | 0xABC << 3 | 0b1010 << 15
    assert data == bytes([7, 0, 0, 0]) + packed.to_bytes(60, "little")


@commands
@settings(max_examples=20)
@given(data=st.data())
def test_decode_inverts_encode(command, data):
    values = {name: data.draw(st.integers(0, command.most(name))) for name in command.fields}
    encoded = command.encode(**values)
    assert len(encoded) == 64
    assert encoded[:4] == bytes([command.number, 0, 0, 0])
    assert command.decode(encoded) == values


@commands
def test_the_most_is_all_ones(command):
    values = {name: (1 << width) - 1 for name, width in command.fields.items()}
    assert {name: command.most(name) for name in command.fields} == values
    assert command.decode(command.encode(**values)) == values


@pytest.mark.parametrize("value", [-1, 8])
def test_a_value_that_does_not_fit_is_refused(value):
    with pytest.raises(ValueError, match=f"low of small must fit 3 bits, but is {value}"):
        SMALL.encode(low=value, middle=0, high=0)


def test_wrong_fields_are_named():
    message = "command small has missing or unknown fields: high, other"
    with pytest.raises(ValueError, match=message):
        SMALL.encode(low=0, middle=0, other=0)


def test_the_fields_must_fit_the_command():
    assert Command(name="full", number=1, fields={"a": 400, "b": 80}).bits == 480
    with pytest.raises(ValueError, match="the fields of over take 481 bits"):
        Command(name="over", number=1, fields={"a": 400, "b": 81})
