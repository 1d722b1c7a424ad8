"""Tensors of the reference from an image, or from a checkpoint without quantisation."""

from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from tercel.config import ModelConfig
from tercel.errors import TercelError
from tercel.image import Image
from tercel_quant.importers import Checkpoint, GroupedTernary, Ternary
from tercel_quant.reference import Layer, Linear, Weights

__all__ = ["CheckpointWeights", "ImageWeights", "image_matrix"]


class ImageWeights(Weights):
    """The quantised model of an image.

    Parameters
    ----------
    image : Image
    """

    def __init__(self, image: Image):
        self._image = image

    @property
    def config(self) -> ModelConfig:
        return self._image.config

    def embed(self, tokens: Tensor) -> Tensor:
        if self.config.ternary_head:
            return self._embedding[tokens]
        values, scales = self._image.rows("embedding", tokens.numpy())
        return _dequantised(values, scales).view(*tokens.shape, -1)

    def layer(self, index: int) -> Layer:
        linears = {}
        for name in self.config.linears():
            full = f"layers.{index}.{name}"
            linears[name] = Linear.of(image_matrix(self._image, full))
        gains = {
            name: torch.from_numpy(self._image.gain(f"layers.{index}.{name}"))
            for name in self.config.norms()
        }
        return Layer(linears=linears, gains=gains)

    def norm(self) -> Tensor:
        return torch.from_numpy(self._image.gain("norm"))

    def head(self) -> Tensor:
        if self.config.ternary_head:
            return self._embedding if self.config.tied_head else self._rows("head")
        return _dequantised(*self._image.rows("head"))

    @cached_property
    def _embedding(self) -> Tensor:
        """A ternary embedding, which is unpacked as a whole."""
        return self._rows("embedding")

    def _rows(self, name: str) -> Tensor:
        return torch.from_numpy(self._image.weights(name))


def image_matrix(image: Image, name: str) -> Ternary:
    """A ternary matrix of an image."""
    trits = torch.from_numpy(image.ternary(name))
    granularity = image.config.granularity
    if granularity == "tensor":
        return Ternary(trits=trits, scale=float(image.weight_scale(name)))
    multipliers = None
    if granularity == "group":
        multipliers = torch.from_numpy(image.multipliers(name).astype(np.int32))
    scales = torch.from_numpy(image.row_scales(name))
    return Ternary(trits=trits, scale=scales, multipliers=multipliers)


class CheckpointWeights(Weights):
    """A checkpoint's float tensors, unchanged, with float activations.

    Parameters
    ----------
    checkpoint : Checkpoint

    Raises
    ------
    TercelError
        By :meth:`layer`, if the checkpoint has only the packed trits of a model trained ternary.
    """

    def __init__(self, checkpoint: Checkpoint):
        self._checkpoint = checkpoint

    @property
    def config(self) -> ModelConfig:
        return self._checkpoint.config

    def embed(self, tokens: Tensor) -> Tensor:
        return self._checkpoint.floats("embedding")[tokens]

    def layer(self, index: int) -> Layer:
        linears, padding = {}, self._checkpoint.padding
        for name in self.config.linears():
            weight = self._checkpoint.matrix(f"layers.{index}.{name}")
            if isinstance(weight, Ternary | GroupedTernary):
                if self._checkpoint.declared_ternary:
                    raise TercelError(
                        "the checkpoint has no unquantised weights: it holds the trits alone"
                    )
                weight = weight.dequantise()
            if padding is not None:
                weight = padding.matrix(name, weight)
            linears[name] = Linear(weight=weight, scale=None)
        gains = {
            name: self._checkpoint.floats(f"layers.{index}.{name}") for name in self.config.norms()
        }
        if padding is not None:
            gains = {name: padding.gain(name, gain) for name, gain in gains.items()}
        return Layer(linears=linears, gains=gains)

    def norm(self) -> Tensor:
        return self._checkpoint.floats("norm")

    def head(self) -> Tensor:
        return self._checkpoint.floats("embedding" if self.config.tied_head else "head")


def _dequantised(values: np.ndarray, scales: np.ndarray) -> Tensor:
    return torch.from_numpy(values).float() * torch.from_numpy(scales)[:, None]
