import pytest

from tercel_hw.registers import Access, Field, Register


def field(name="low", bit=0, width=4):
    return Field(name=name, bit=bit, width=width, description="")


def register(**changes):
    plain = {"name": "state", "offset": 0x10, "access": Access.RW, "description": ""}
    return Register(**plain | changes)


def test_masks():
    assert field(bit=3, width=5).mask == 0b1111_1000
    assert field(bit=0, width=64).mask == (1 << 64) - 1
    assert register().mask == 0xFFFF_FFFF
    assert register(width=64).mask == (1 << 64) - 1
    assert register(fields=(field(), field("high", 8, 8))).mask == 0xFF0F
    assert (register().words, register(width=64).words) == (1, 2)


def test_fields_may_fill_a_register():
    assert register(fields=(field(width=16), field("high", 16, 16))).mask == 0xFFFF_FFFF
    assert register(constant=5, access=Access.RO).constant == 5
    assert register(reset=0xF, fields=(field(),)).reset == 0xF


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"name": "State"}, "a name must be lower_case letters and digits, not 'State'"),
        ({"width": 16}, "width of state must be 32 or 64, not 16"),
        ({"offset": 0x12}, "offset of state must be a multiple of 4, not 0x12"),
        ({"offset": 0x14, "width": 64}, "offset of state must be a multiple of 8, not 0x14"),
        ({"offset": -4}, r"offset of state must be an integer in 0\.\."),
        ({"fields": (field(bit=30),)}, "field low leaves the 32 bits of state"),
        ({"fields": (field(), field("high", 3))}, "field high of state overlaps another field"),
        (
            {"fields": (field(), field("high", 8), field("again", 0))},
            "field again of state overlaps another field",
        ),
        ({"fields": (field(), field(bit=4))}, "state has two fields named low"),
        ({"constant": 1}, "state is rw and cannot be constant"),
        ({"reset": 1, "access": Access.RO}, "state is ro and cannot have a reset value"),
        ({"width": 64, "access": Access.W1C}, "state is w1c and must have 32 bits, not 64"),
        ({"width": 64, "access": Access.PULSE}, "state is pulse and must have 32 bits"),
        ({"reset": 0x10, "fields": (field(),)}, "reset of state has bits outside fields: 0x10"),
        (
            {"constant": 1 << 32, "access": Access.RO},
            "constant of state has bits outside fields: 0x100000000",
        ),
    ],
)
def test_rules_of_a_register(changes, rule):
    with pytest.raises(ValueError, match=rule):
        register(**changes)


@pytest.mark.parametrize(("bit", "width"), [(-1, 1), (64, 1), (0, 0), (0, 65), (60, 5)])
def test_rules_of_a_field(bit, width):
    with pytest.raises(ValueError, match="of low must be an integer in"):
        field(bit=bit, width=width)
