import numpy as np
import torch

from tercel_export.huggingface.packing import pack
from tercel_quant.importers.packed import unpack


def test_bits_of_a_byte_are_rows_a_quarter_apart():
    trits = np.random.default_rng(1).integers(-1, 2, (64, 24), np.int8)
    packed = pack(trits)
    assert packed.shape == (16, 24)
    for row, column in ((0, 0), (17, 3), (40, 23), (63, 5)):
        part, byte = divmod(row, 16)
        assert (int(packed[byte, column]) >> 2 * part & 3) - 1 == trits[row, column]


def test_the_importer_unpacks_it():
    trits = np.random.default_rng(2).integers(-1, 2, (12, 5), np.int8)
    assert np.array_equal(unpack(torch.from_numpy(pack(trits)), "x").numpy(), trits)
