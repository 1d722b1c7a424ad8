import pytest
import torch

from tercel.errors import TercelError
from tercel_quant.importers.packed import unpack


def test_the_quarters_of_the_rows_are_the_bits_of_a_byte():
    trits = torch.randint(-1, 2, (12, 5), generator=torch.Generator().manual_seed(1))
    packed = torch.zeros(3, 5, dtype=torch.uint8)
    for row in range(12):
        packed[row % 3] |= ((trits[row] + 1) << 2 * (row // 3)).to(torch.uint8)
    found = unpack(packed, "w")
    assert found.dtype == torch.int8
    assert torch.equal(found, trits.to(torch.int8))


@pytest.mark.parametrize("part", range(4))
def test_a_code_that_is_no_trit_is_refused(part):
    packed = torch.full((2, 3), 0b01_01_01_01, dtype=torch.uint8)
    packed[1, 2] |= 3 << 2 * part
    with pytest.raises(
        TercelError, match=r"layers\.0\.q holds the two-bit code 3, which is no trit"
    ):
        unpack(packed, "layers.0.q")


def test_nothing_is_nothing():
    assert unpack(torch.zeros(0, 4, dtype=torch.uint8), "w").shape == (0, 4)
