import pytest

from tercel.errors import TercelError
from tercel.hardware.clock import check_clock


@pytest.mark.parametrize("measured", [99.1e6, 100e6, 100.9e6])
def test_a_clock_within_one_percent_is_right(measured):
    check_clock(measured, 100e6)


@pytest.mark.parametrize(
    ("measured", "expected", "message"),
    [
        (
            99.999999e6,
            250e6,
            "runs at 100.0 MHz, .* built for 250.0 MHz, so passes take 2.50 times",
        ),
        (
            214.3e6,
            187.5e6,
            "runs at 214.3 MHz, .* built for 187.5 MHz, so its results may be wrong",
        ),
        (98.9e6, 100e6, "passes take 1.01 times as long"),
    ],
)
def test_a_wrong_clock_is_named_with_its_consequence(measured, expected, message):
    with pytest.raises(TercelError, match=message):
        check_clock(measured, expected)
