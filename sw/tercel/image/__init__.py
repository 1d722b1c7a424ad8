"""The device image: a model in one file, in the layout in which the accelerator reads it."""

from tercel.image.builder import ImageBuilder, check_tokenizer
from tercel.image.chat_format import ChatFormat
from tercel.image.code import BASE3, CODES, INDEX5, WeightCode
from tercel.image.file import Image
from tercel.image.footprint import Footprint, PassBytes, footprint
from tercel.image.layout import LAYOUTS, Chunks, TapeLayout, default_layout
from tercel.image.multiplier import (
    GroupScales,
    multiplier_codes,
    multiplier_values,
    quantise_scales,
)
from tercel.image.sampling_filters import SamplingFilters
from tercel.image.segment import Part, Segment, segments
from tercel.image.synthetic import fill_random, random_image
from tercel.image.tensor_copy import copy_tensors

__all__ = [
    "BASE3",
    "CODES",
    "INDEX5",
    "LAYOUTS",
    "ChatFormat",
    "Chunks",
    "Footprint",
    "GroupScales",
    "Image",
    "ImageBuilder",
    "Part",
    "PassBytes",
    "SamplingFilters",
    "Segment",
    "TapeLayout",
    "WeightCode",
    "check_tokenizer",
    "copy_tensors",
    "default_layout",
    "fill_random",
    "footprint",
    "multiplier_codes",
    "multiplier_values",
    "quantise_scales",
    "random_image",
    "segments",
]
