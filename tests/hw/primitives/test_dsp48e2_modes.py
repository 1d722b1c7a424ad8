import pytest
from amaranth.hdl import Const, Signal

from tercel_hw.primitives.dsp48e2_modes import ALUMODE, INMODE, XY, W, Z, opmode, select


@pytest.mark.parametrize(
    ("operands", "bits"),
    [
        ({}, 0),
        ({"xy": XY.M}, 0b00_000_0101),
        ({"xy": XY.M, "z": Z.C}, 0b00_011_0101),
        ({"xy": XY.AB, "z": Z.P}, 0b00_010_0011),
        ({"xy": XY.M, "z": Z.PCIN_SHIFTED, "w": W.RND}, 0b10_101_0101),
        ({"z": Z.PCIN, "w": W.C}, 0b11_001_0000),
    ],
)
def test_opmode_has_the_bits_of_the_user_guide(operands, bits):
    assert len(opmode(**operands)) == 9
    assert Const.cast(opmode(**operands)).value == bits


def test_select_takes_bits_from_conditions_alone():
    cascade, keep = Signal(name="cascade"), Signal(name="keep")
    assert repr(select(Z.ZERO, {Z.PCIN: cascade, Z.P: keep})) == (
        "(cat (sig cascade) (sig keep) (const 1'd0))"
    )
    assert repr(select(Z.PCIN, {Z.PCIN_SHIFTED: keep})) == (
        "(cat (const 1'd1) (const 1'd0) (sig keep))"
    )
    assert repr(select(ALUMODE.ADD, {ALUMODE.SUBTRACT: keep})) == (
        "(cat (sig keep) (sig keep) (const 1'd0) (const 1'd0))"
    )
    assert len(select(INMODE.A2, {INMODE.D: keep})) == 5


def test_select_refuses_a_mode_that_needs_an_inverter():
    with pytest.raises(ValueError, match=r"^P lacks a bit of the default PCIN$"):
        select(Z.PCIN, {Z.P: Signal()})
