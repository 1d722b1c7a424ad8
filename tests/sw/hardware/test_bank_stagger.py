import pytest

from tercel.hardware.bank_stagger import (
    BANK_SPAN,
    PORT_STAGGER,
    most_stride,
    region_stride,
    stagger_skip,
)

BANKS = BANK_SPAN // PORT_STAGGER


def bank(address):
    return address // PORT_STAGGER % BANKS


@pytest.mark.parametrize("size", [1, 4096, 16384, 16385, 65536, 81920, 81921, 1 << 20])
def test_regions_of_one_memory_begin_in_different_banks(size):
    stride = region_stride(size)
    assert size <= stride < size + BANK_SPAN
    assert [bank(port * stride) for port in range(5)] == [0, 1, 2, 3, 0]
    assert region_stride(size, 0) % BANK_SPAN == 0
    # The least room from which this stride can be made, and the greatest.
    assert most_stride(stride) == most_stride(stride + BANK_SPAN - 1) == stride
    assert most_stride(stride - 1) == stride - BANK_SPAN


def test_there_may_be_room_for_none():
    assert most_stride(8192) < 0


@pytest.mark.parametrize("address", [0, 4096, 16384, 0x1234_5000])
@pytest.mark.parametrize("port", range(4))
def test_a_buffer_is_begun_later_until_it_is_in_its_bank(address, port):
    first = 0x1000_4000
    skip = stagger_skip(address, first=first, port=port)
    assert 0 <= skip < BANK_SPAN
    assert (address + skip - first - port * PORT_STAGGER) % BANK_SPAN == 0
