import pytest

from tercel.errors import TercelError
from tercel.hardware.reach import check_segments

SEGMENTS = [{"base": 0, "bytes": 1 << 31}, {"base": 1 << 35, "bytes": 1 << 31}]


@pytest.mark.parametrize(
    ("base", "size"), [(0, 1 << 31), (1 << 20, 4096), (1 << 35, 1 << 31), ((1 << 31) - 64, 64)]
)
def test_memory_within_a_segment_is_reached(base, size):
    check_segments([base], size, SEGMENTS)


@pytest.mark.parametrize(("base", "size"), [((1 << 31) - 64, 128), (1 << 34, 64), (3 << 35, 64)])
def test_memory_out_of_reach_is_named(base, size):
    message = rf"port 1, {base:#x}\.\.{base + size - 1:#x}, is out of the overlay's reach \(0x0\.\."
    with pytest.raises(TercelError, match=message):
        check_segments([0x1000, base], size, SEGMENTS)


def test_without_segments_nothing_is_known():
    check_segments([1 << 60], 64, [])
