"""The one-step diffusion drafter's transformer in NumPy."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from tercel.errors import TercelError
from tercel.numerics.float32 import Float32

__all__ = ["BlockModel"]


class BlockModel:
    """A transformer without a causal mask over the last tokens of a text and masks behind them.

    Parameters
    ----------
    tensors
        Float arrays: ``positions`` ``[context + masks, width]``, ``input_norm`` and ``norm``
        ``[width]``, and by layer ``layers.{i}.`` with ``attention_norm``, ``qkv``, ``o``,
        ``mlp_norm``, ``up``, ``down``.
    masks
        Tokens that are filled in one step.
    heads
        Attention heads.
    epsilon
        Of the norms.
    head
        ``[words, width]`` rows of the tokens that can be drafted.

    Raises
    ------
    TercelError
        If tensors are missing or their shapes do not agree.
    """

    def __init__(
        self,
        tensors: Mapping[str, npt.NDArray],
        *,
        masks: int,
        heads: int,
        epsilon: float,
        head: Float32,
    ):
        width = head.shape[1]
        layers = sum(name.endswith(".qkv") for name in tensors)
        try:
            ffn = len(tensors["layers.0.up"])
            shapes = {"positions": (len(tensors["positions"]), width)}
            shapes |= {"input_norm": (width,), "norm": (width,)}
            for layer in range(layers):
                parts = {"attention_norm": (width,), "qkv": (3 * width, width), "o": (width, width)}
                parts |= {"mlp_norm": (width,), "up": (ffn, width), "down": (width, ffn)}
                shapes |= {f"layers.{layer}.{name}": shape for name, shape in parts.items()}
            found = {name: tensors[name].shape for name in shapes}
        except KeyError as error:
            raise TercelError(f"a block drafter lacks the tensor {error}; train it again") from None
        if found != shapes or width % heads or len(tensors["positions"]) <= masks:
            raise TercelError(
                f"a block drafter of width {width} with {heads} heads and {masks} masks has "
                f"tensors of other shapes: {found}"
            )
        self._tensors = {name: np.asarray(tensors[name], np.float32) for name in shapes}
        self._layers, self._masks, self._heads, self._epsilon = layers, masks, heads, epsilon
        self._head = head

    @property
    def context(self) -> int:
        """Tokens of the text that it sees."""
        return len(self._tensors["positions"]) - self._masks

    def fill(self, embedded: Float32) -> Float32:
        """Logits ``[masks, words]`` of the masks behind ``[context, width]`` embeddings."""
        tensors, context = self._tensors, self.context
        x = tensors["positions"].copy()
        x[:context] += self._norm(embedded, "input_norm")
        for layer in range(self._layers):
            # Behind the last layer, only the masks are read.
            kept = context if layer == self._layers - 1 else 0
            x = self._layer(f"layers.{layer}.", x, kept)
        return self._norm(x, "norm") @ self._head.T

    def _norm(self, x: Float32, name: str) -> Float32:
        squares = np.square(x).mean(-1, keepdims=True)
        return x / np.sqrt(squares + np.float32(self._epsilon)) * self._tensors[name]

    def _layer(self, prefix: str, x: Float32, first: int) -> Float32:
        """The layer's outputs at the positions from ``first`` on."""
        tensors, heads = self._tensors, self._heads
        qkv = self._norm(x, f"{prefix}attention_norm") @ tensors[f"{prefix}qkv"].T
        nodes, size = len(x), x.shape[1] // heads
        q, k, v = qkv.reshape(nodes, 3, heads, size).transpose(1, 2, 0, 3)
        scores = q[:, first:] @ k.transpose(0, 2, 1) / np.float32(np.sqrt(size))
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        mixed = (weights @ v).transpose(1, 0, 2).reshape(nodes - first, -1)
        x = x[first:] + mixed @ tensors[f"{prefix}o"].T
        inner = self._norm(x, f"{prefix}mlp_norm") @ tensors[f"{prefix}up"].T
        return x + np.square(np.maximum(inner, 0)) @ tensors[f"{prefix}down"].T
