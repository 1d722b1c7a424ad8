import pytest

from tercel_hw.registers import Access, Field, Register, RegisterMap

GOOD = {"name": "a", "offset": 0, "access": Access.RW, "description": "A."}


def bit(name="b", place=0, width=1):
    return Field(name=name, bit=place, width=width, description="A bit.")


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"name": "Bad"}, "a name must be lower_case letters and digits, not 'Bad'"),
        ({"offset": 6}, "offset of a must be a multiple of 4, not 0x6"),
        ({"offset": 4, "width": 64}, "offset of a must be a multiple of 8, not 0x4"),
        ({"offset": -4}, "offset of a must be an integer in 0..1048576, not -4"),
        ({"width": 16}, "width of a must be 32 or 64, not 16"),
        ({"fields": (bit(place=32),)}, "field b leaves the 32 bits of a"),
        ({"fields": (bit(), bit("c"))}, "field c of a overlaps another field"),
        ({"fields": (bit(), bit(place=1))}, "a has two fields named b"),
        ({"constant": 1}, "a is rw and cannot be constant"),
        ({"access": Access.RO, "reset": 1}, "a is ro and cannot have a reset value"),
        ({"access": Access.W1C, "width": 64}, "a is w1c and must have 32 bits, not 64"),
        ({"fields": (bit(),), "reset": 2}, "reset of a has bits outside fields: 0x2"),
    ],
)
def test_a_broken_register_is_named(fields, rule):
    with pytest.raises(ValueError, match=rule):
        Register(**GOOD | fields)


@pytest.mark.parametrize(
    ("field", "rule"),
    [
        ({"name": "", "bit": 0}, "a name must be lower_case letters and digits, not ''"),
        ({"name": "b", "bit": 64}, "bit of b must be an integer in 0..63, not 64"),
        ({"name": "b", "bit": 60, "width": 5}, "width of b must be an integer in 1..4, not 5"),
    ],
)
def test_a_broken_field_is_named(field, rule):
    with pytest.raises(ValueError, match=rule):
        Field(**field, description="A bit.")


def build(*registers):
    return RegisterMap(name="m", description="M.", registers=registers)


def test_overlap_order_and_names_are_checked():
    a = Register(**GOOD | {"width": 64})
    with pytest.raises(ValueError, match="must have registers, not none"):
        build()
    with pytest.raises(ValueError, match="b at 0x4 overlaps or precedes a, which ends at 0x8"):
        build(a, Register(**GOOD | {"name": "b", "offset": 4}))
    with pytest.raises(ValueError, match="two registers are named a"):
        build(a, Register(**GOOD | {"offset": 8}))
    with pytest.raises(ValueError, match="a register must not be named bus"):
        build(Register(**GOOD | {"name": "bus"}))
    with pytest.raises(KeyError, match="m has no register 'z'"):
        build(a)["z"]


def test_size_and_address_width(small_map):
    assert (small_map.size, small_map.address_width) == (48, 6)
    assert build(Register(**GOOD)).address_width == 3
    assert small_map["kept"].mask == 0x700F


def test_constants(small_map):
    constants = small_map.constants()
    assert constants["KEPT"] == 8
    assert (constants["KEPT_HIGH_SHIFT"], constants["KEPT_HIGH_MASK"]) == (12, 0x7000)
    assert constants["PLACE"] == 40


def test_json_round_trip(small_map):
    assert RegisterMap.from_json(small_map.to_json()) == small_map
