"""Writing keys, values and their scales to the cache in memory."""

from tercel_hw.cache.config import CacheConfig
from tercel_hw.cache.scale_packer import ScalePacker
from tercel_hw.cache.transposer import Transposer
from tercel_hw.cache.writer import CacheWriter

__all__ = ["CacheConfig", "CacheWriter", "ScalePacker", "Transposer"]
