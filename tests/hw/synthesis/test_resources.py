import pytest

from tercel.errors import TercelError
from tercel_hw.synthesis.netlist import Netlist
from tercel_hw.synthesis.resources import Resources, count_resources


@pytest.fixture
def count(contents):
    return lambda cells: count_resources(Netlist(contents(cells, {}, {}), top="top"))


def cells(**numbers):
    return {f"{kind}_{i}": (kind, {}, {}) for kind, n in numbers.items() for i in range(n)}


def test_cells_are_counted_by_what_they_take(count):
    found = count(
        cells(LUT6=3, INV=1, FDRE=5, FDSE=1, RAM32M16=2, SRL16E=3, RAM64X1D=1)
        | cells(DSP48E2=2, RAMB36E2=1, RAMB18E2=3, URAM288=4, CARRY4=0, MUXF7=9)
    )
    memory = 2 * 8 + 3 + 2
    assert found == Resources(lut=4 + memory, lut_memory=memory, ff=6, dsp=2, bram36=2.5, uram=4)


def test_cells_of_series_7_count_too(count):
    found = count(cells(DSP48E1=2, RAMB36E1=1, RAMB18E1=3, LUT6=1))
    assert found == Resources(lut=1, dsp=2, bram36=2.5)


def table(inputs, output):
    reads = {f"I{i}": [bit] for i, bit in enumerate(inputs)}
    return f"LUT{len(inputs)}", reads, {"O": [output]}


def adder(first, second, **more):
    carry = ("CARRY4", {"S": [20, "0", "0", "0"], "DI": [21, "0", "0", "0"]}, {"O": [30]})
    return {"s": table(first, 20), "d": table(second, 21), "carry": carry} | more


@pytest.mark.parametrize(
    ("first", "second", "more", "luts"),
    [
        ([3, 4], [5, 6], {}, 1),
        ([3, 4, 21], [5, 6, 7], {}, 1),  # The first may take the second's own inputs.
        ([3, 4, 5], [5, 6, 7], {}, 1),
        ([3, 4, 5], [6, 7, 8], {}, 2),  # Six inputs.
        ([3, 4], [5, 6], {"other": table([21, 3], 40)}, 3),  # It is needed elsewhere.
    ],
)
def test_both_tables_of_a_carry_bit_may_share_a_lut(count, first, second, more, luts):
    assert count(adder(first, second, **more)).lut == luts


def test_tables_with_one_name_share_a_lut(contents):
    found = contents(cells(LUT4=4), {}, {})
    tables = found["modules"]["top"]["cells"]
    modules = ("left.", "left.", "left.", "right.")
    named = zip(tables.values(), modules, "aabb", strict=True)
    renamed = {
        f"{module}{index}": cell | {"attributes": {"HLUTNM": pair}}
        for index, (cell, module, pair) in enumerate(named)
    }
    found["modules"]["top"]["cells"] = renamed
    assert count_resources(Netlist(found, top="top")).lut == 3


def test_resources_add_up():
    one = Resources(lut=1, lut_memory=1, ff=2, dsp=3, bram36=0.5, uram=4)
    assert one + one == Resources(lut=2, lut_memory=2, ff=4, dsp=6, bram36=1.0, uram=8)


def test_the_module_must_be_there(contents):
    with pytest.raises(TercelError, match="the netlist has no module 'other'"):
        Netlist(contents({}, {}, {}), top="other")
