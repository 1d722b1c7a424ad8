from dataclasses import replace

import pytest

from tercel.config import PRESETS
from tercel.errors import TercelError
from tercel_hw.synthesis.resources import Resources
from tercel_sim.explore.design_space import FILL, IllegalDesignError, default_fill


def test_the_standard_design_is_the_preset(small_space):
    assert small_space.accelerator(small_space.standard) == small_space.preset


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"chain": 5}, "chain must be a power of two"),
        ({"ports": 4}, "has 2 memory ports, but the accelerator 4"),
        ({"port_bytes": 16}, "have 64 bits, but the accelerator's 128"),
        ({"tables": 5000}, "tables must be in 1..1024, not 5000"),
        ({"nodes": 5}, "takes 100 % of the board's lut, but at most 85 % may be taken"),
    ],
)
def test_designs_that_are_refused(small_space, changes, message):
    with pytest.raises(IllegalDesignError, match=message):
        small_space.accelerator(replace(small_space.standard, **changes))


def test_a_model_that_does_not_fit_is_refused(small_space):
    space = replace(small_space, model=PRESETS["0.7b"])
    with pytest.raises(IllegalDesignError, match=r"hidden_size of .* must be at most 128"):
        space.accelerator(space.standard)


def test_a_model_of_version_3_has_no_space(small_space):
    with pytest.raises(TercelError, match="has q/k norms; take one that plays them"):
        replace(small_space, model=replace(PRESETS["tiny"], qk_norm=True))


def test_shares_are_of_the_boards_budget(small_space):
    shares = small_space.shares(Resources(lut=2500, ff=100, uram=5))
    assert shares == {"lut": 0.5, "lut_memory": 0, "ff": 0.1, "dsp": 0, "bram36": 0, "uram": 0.5}
    bare = replace(small_space, board=replace(small_space.board, resources=Resources(lut=5000)))
    assert bare.shares(Resources(uram=1))["uram"] == float("inf")


def test_neighbours_are_legal_and_differ_in_one_parameter(small_space):
    standard = small_space.standard
    neighbours = list(small_space.neighbours(standard))
    assert len(neighbours) == len(set(neighbours)) > 5
    for design in neighbours:
        small_space.accelerator(design)
        changed = [
            name for name, value in design.to_dict().items() if value != getattr(standard, name)
        ]
        assert len(changed) == 1
    assert {design.nodes for design in neighbours} <= {1, 2, 4}
    clocks = {design.clock_mhz for design in neighbours}
    assert max(clocks) == small_space.board.clock_mhz


@pytest.mark.parametrize(("most", "fill"), [(5000, FILL), (4500, 4000 / 4500), (3900, FILL)])
def test_a_preset_that_takes_more_may(small_space, most, fill):
    """Four lanes take 4,000 LUT; more than there is is refused by the search."""
    four = replace(small_space.preset, tlmm=replace(small_space.preset.tlmm, nodes=4))
    board = replace(small_space.board, resources=replace(small_space.board.resources, lut=most))
    space = replace(small_space, preset=four, board=board)
    assert default_fill(space) == pytest.approx(fill, rel=1e-3)


def test_a_part_to_fill_must_be_one(small_space):
    with pytest.raises(TercelError, match=r"fill must be above 0 and at most 1, not 1\.5"):
        replace(small_space, fill=1.5)
