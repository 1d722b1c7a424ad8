import re

import pytest

from tercel_hw.checks import check_integer, check_power_of_two, check_ram_style


@pytest.mark.parametrize("value", [2, 3, 7])
def test_integers_in_range_pass(value):
    check_integer("size", value, 2, 7)


@pytest.mark.parametrize("value", [1, 8, 3.0, "3", None, True])
def test_others_are_refused(value):
    rule = re.escape(f"size must be an integer in 1..7, not {value!r}")
    low = 1 if value is True else 2
    with pytest.raises(ValueError, match=rule.replace(r"1\.\.7", rf"{low}\.\.7")):
        check_integer("size", value, low, 7)


@pytest.mark.parametrize("value", [2, 4, 16])
def test_powers_of_two_in_range_pass(value):
    check_power_of_two("size", value, 2, 16)


@pytest.mark.parametrize("value", [0, 1, 3, 6, 12, 32, 4.0, True, -4])
def test_other_powers_are_refused(value):
    with pytest.raises(ValueError, match=rf"size must be a power of two in 2\.\.16, not {value!r}"):
        check_power_of_two("size", value, 2, 16)


def test_true_is_no_power_of_two():
    with pytest.raises(ValueError, match="not True"):
        check_power_of_two("size", True, 1, 16)


@pytest.mark.parametrize("style", [None, "block", "distributed", "ultra"])
def test_styles_of_memories_pass(style):
    check_ram_style(style)


@pytest.mark.parametrize("style", ["", "bram", 1])
def test_other_styles_are_refused(style):
    with pytest.raises(ValueError, match=rf"one of None, 'block', .* not {style!r}"):
        check_ram_style(style)
