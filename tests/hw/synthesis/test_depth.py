import pytest

from tercel.errors import TercelError
from tercel_hw.synthesis.depth import measure_depth
from tercel_hw.synthesis.netlist import Netlist


def lut(inputs, output):
    return f"LUT{len(inputs)}", {f"I{i}": [bit] for i, bit in enumerate(inputs)}, {"O": [output]}


def register(d, q):
    return "FDRE", {"C": [2], "D": [d]}, {"Q": [q]}


@pytest.fixture
def depth(contents):
    def measure(cells, inputs=None, outputs=None):
        found = contents(cells, {"clk": [2]} | (inputs or {}), outputs or {})
        return measure_depth(Netlist(found, top="top"))

    return measure


def test_levels_between_registers(depth):
    found = depth(
        {
            "from\\FDRE": register("0", 10),
            "one": lut([10, 3], 11),
            "two": lut([11, 10], 12),
            "to[3]\\FDRE": register(12, 13),
        },
        inputs={"i": [3]},
        outputs={"o": [13]},
    )
    assert (found.levels, found.through) == (2, 0)
    assert found.path == ("LUT2", "LUT2")
    assert found.end == "FDRE to[3]"
    assert found.start in ("FDRE from", "port i")


def test_levels_from_input_to_output(depth):
    found = depth(
        {"one": lut([3, 4], 11), "two": lut([11, 4], 12), "r\\FDRE": register(11, 13)},
        inputs={"i": [3, 4]},
        outputs={"o": [12]},
    )
    assert (found.levels, found.through, found.end) == (2, 2, "port o")


def test_a_carry_chain_adds_no_level_and_leads_upwards_only(depth):
    carry = (
        "CARRY4",
        {"CI": ["0"], "CYINIT": ["0"], "S": [20, 21, 22, 23], "DI": [3, 3, 3, 3]},
        {"O": [30, 31, 32, 33], "CO": [40, 41, 42, 43]},
    )
    # The sum's lowest bit feeds the highest bit's operand: not a loop.
    cells = {"carry": carry} | {f"s{i}": lut([3], 20 + i) for i in range(3)}
    found = depth(cells | {"s3": lut([30, 3], 23)}, inputs={"i": [3]}, outputs={"o": [33]})
    assert (found.levels, found.path) == (2, ("LUT1", "CARRY4", "LUT2", "CARRY4"))


def test_a_memory_of_lookup_tables_is_a_level_from_its_read_address(depth):
    memory = (
        "RAM32M16",
        {"WCLK": [2], "WE": [50], "DIA": [51, 52], "ADDRA": [53], "ADDRH": [54]},
        {"DOA": [60, 61]},
    )
    found = depth(
        {"memory": memory, "we": lut([3, 4], 50), "ra": lut([3], 53), "wa": lut([3, 4], 54)},
        inputs={"i": [3, 4], "d": [51, 52]},
        outputs={"o": [60]},
    )
    assert (found.levels, found.through, found.path) == (2, 2, ("LUT1", "RAM32M16"))


@pytest.mark.parametrize("kind", ["RAMB36E2", "URAM288", "DSP48E2", "FDSE"])
def test_other_cells_end_paths(depth, kind):
    cell = (kind, {"CLK": [2], "A": [11]}, {"P": [12]})
    found = depth(
        {"one": lut([3], 11), "cell": cell, "two": lut([12], 13)},
        inputs={"i": [3]},
        outputs={"o": [13]},
    )
    assert (found.levels, found.through) == (1, 0)


def test_a_block_without_logic_has_no_depth(depth):
    assert depth({}, inputs={"i": [3]}, outputs={"o": [3]}).levels == 0
    assert depth({}).end == "nothing"


def test_logic_that_feeds_itself_is_reported(depth):
    cells = {"one": lut([3, 12], 11), "two": lut([11], 12)}
    with pytest.raises(TercelError, match="logic feeds itself through LUT"):
        depth(cells, inputs={"i": [3]}, outputs={"o": [12]})
