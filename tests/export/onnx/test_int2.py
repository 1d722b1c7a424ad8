import numpy as np
import onnx
import pytest

from tercel_export.onnx.int2 import pack_int2, unpack_int2


@pytest.mark.parametrize("shape", [(4, 4), (3, 5), (1, 1), (7, 13)])
def test_int2_is_packed_as_onnx_does(shape):
    trits = np.random.default_rng(1).integers(-1, 2, shape, np.int8)
    packed = pack_int2(trits)
    tensor = onnx.TensorProto(
        data_type=onnx.TensorProto.INT2, dims=shape, raw_data=packed.tobytes()
    )
    assert np.array_equal(onnx.numpy_helper.to_array(tensor).astype(np.int8), trits)
    assert np.array_equal(unpack_int2(packed, shape), trits)


def test_a_code_that_is_no_trit_is_unpacked_as_minus_two():
    assert unpack_int2(np.array([0b00101101], np.uint8), (4,)).tolist() == [1, -1, -2, 0]
