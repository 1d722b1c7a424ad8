import pytest

from tercel.errors import TercelError
from tercel_hw.target import Target


@pytest.mark.parametrize("target", Target)
def test_targets_are_named_by_their_values(target):
    assert Target.parse(target.value) is target


@pytest.mark.parametrize("value", ["versal", "PORTABLE", ["portable"], None])
def test_others_are_refused(value):
    with pytest.raises(TercelError) as error:
        Target.parse(value, what="the family")
    assert (
        str(error.value)
        == f"the family must be one of portable, 7series, ultrascale+, not {value!r}"
    )
