import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tercel.errors import TercelError
from tercel.image import BASE3, CODES, INDEX5

codes = pytest.mark.parametrize("code", CODES.values(), ids=CODES)


@codes
@given(data=st.data())
def test_decode_inverts_encode(code, data):
    n = data.draw(st.integers(0, 70))
    trits = np.array(data.draw(st.lists(st.integers(-1, 1), min_size=n, max_size=n)), np.int8)
    decoded = code.decode(code.encode(trits))
    assert np.array_equal(decoded[:n], trits)
    assert not decoded[n:].any()
    assert len(decoded) - n < code.group


@codes
@pytest.mark.parametrize("count", range(0, 34))
def test_unpack_inverts_pack(code, count):
    rng = np.random.default_rng(count)
    values = rng.integers(0, code.size, (3, 2, count), np.uint8)
    packed = code.pack(values)
    assert packed.shape == (3, 2, code.packed_bytes(count))
    assert np.array_equal(code.unpack(packed, count), values)


@pytest.mark.parametrize(("code", "weights"), [(INDEX5, (1, 3, 9)), (BASE3, (1, 3, 9, 27, 81))])
def test_every_code_is_the_documented_sum(code, weights):
    trits = code.decode(np.arange(code.size, dtype=np.uint8)).reshape(code.size, code.group)
    assert np.array_equal((trits.astype(int) + 1) @ weights, np.arange(code.size))
    assert np.array_equal(code.encode(trits)[:, 0], np.arange(code.size))


def test_index5_packs_little_endian_bits():
    values = np.array([[26, 1, 0, 17, 5, 9, 25, 13, 2, 11]], np.uint8)
    number = sum(int(value) << 5 * i for i, value in enumerate(values[0]))
    assert INDEX5.pack(values).tobytes() == number.to_bytes(7, "little")


def test_base3_packs_a_byte_a_code():
    values = np.array([0, 121, 242], np.uint8)
    assert np.array_equal(BASE3.pack(values), values)


@codes
def test_corrupt_codes_are_refused(code):
    for value in range(code.size, 2**code.bits):
        with pytest.raises(TercelError, match=f"codes of {code.name} are below {code.size}, but"):
            code.decode(np.array([1, value, 0], np.uint8))


def test_filling_bits_are_zero():
    packed = INDEX5.pack(np.array([26, 26], np.uint8))
    packed = packed | np.array([0, 0x80], np.uint8)
    with pytest.raises(TercelError, match="the bits after its last code are not zero"):
        INDEX5.unpack(packed, 2)


@codes
@pytest.mark.parametrize("value", [-2, 2, 127, -128])
def test_other_values_are_no_trits(code, value):
    with pytest.raises(TercelError, match=f"trits must be -1, 0 or 1, but one is {value}"):
        code.encode(np.array([[0, 1, value]], np.int8))


@codes
def test_other_types_are_no_trits(code):
    with pytest.raises(TercelError, match="trits must be int8, not int64"):
        code.encode(np.zeros(3, np.int64))


@codes
def test_strided_trits_encode(code):
    trits = np.random.default_rng(0).integers(-1, 2, (30, 8), np.int8)
    assert np.array_equal(code.encode(trits.T), code.encode(trits.T.copy()))
