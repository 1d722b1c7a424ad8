"""Sampling of tokens: filters, the draw, and its noise as a pure function."""

from tercel.sampling.config import SamplingConfig
from tercel.sampling.distribution import Distribution
from tercel.sampling.noise import gumbel, uniform
from tercel.sampling.sampler import Sampler

__all__ = ["Distribution", "Sampler", "SamplingConfig", "gumbel", "uniform"]
