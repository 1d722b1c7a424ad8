"""Float32 pipelines, equal bit for bit to ``tercel.numerics``.

Results are rounded to nearest even; subnormal results become zeros of their sign, subnormal
operands count as zeros. No operation gives NaN, and no operand may be NaN: infinities are those of
IEEE 754, but zero times infinity is a zero, and infinity minus infinity is infinity.
"""

from tercel_hw.float32.adder import Adder
from tercel_hw.float32.aligned_sum import AlignedSum
from tercel_hw.float32.bfloat16_up import Bfloat16Up
from tercel_hw.float32.exp2 import Exp2
from tercel_hw.float32.float_to_fixed import FloatToFixed
from tercel_hw.float32.int_to_float import IntToFloat
from tercel_hw.float32.lane_partner_sum import LanePartnerSum
from tercel_hw.float32.lane_square_tree import LaneSquareTree
from tercel_hw.float32.lane_sum_of_squares import LaneSumOfSquares
from tercel_hw.float32.lanes import Lanes
from tercel_hw.float32.magnitude_maximum import MagnitudeMaximum
from tercel_hw.float32.multiplier import Multiplier
from tercel_hw.float32.normaliser import Normaliser
from tercel_hw.float32.primitive import Primitive, attach
from tercel_hw.float32.reciprocal import Reciprocal
from tercel_hw.float32.round_to_int8 import RoundToInt8
from tercel_hw.float32.rounded_shift import RoundedShift
from tercel_hw.float32.rsqrt import Rsqrt
from tercel_hw.float32.segment_interpolator import SegmentInterpolator
from tercel_hw.float32.sigmoid import Sigmoid
from tercel_hw.float32.significand_product import SignificandProduct
from tercel_hw.float32.silu import Silu
from tercel_hw.float32.squared_relu import SquaredRelu
from tercel_hw.float32.stages import Stages
from tercel_hw.float32.stream_pipeline import StreamPipeline

__all__ = [
    "Adder",
    "AlignedSum",
    "Bfloat16Up",
    "Exp2",
    "FloatToFixed",
    "IntToFloat",
    "LanePartnerSum",
    "LaneSquareTree",
    "LaneSumOfSquares",
    "Lanes",
    "MagnitudeMaximum",
    "Multiplier",
    "Normaliser",
    "Primitive",
    "Reciprocal",
    "RoundToInt8",
    "RoundedShift",
    "Rsqrt",
    "SegmentInterpolator",
    "Sigmoid",
    "SignificandProduct",
    "Silu",
    "SquaredRelu",
    "Stages",
    "StreamPipeline",
    "attach",
]
