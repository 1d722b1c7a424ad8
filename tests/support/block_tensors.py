"""Random tensors of the one-step diffusion drafter."""

import numpy as np


def block_tensors(*, width, context, masks, layers=2, ffn=12, seed=0):
    rng = np.random.default_rng(seed)
    shapes = {"positions": (context + masks, width), "input_norm": (width,), "norm": (width,)}
    for layer in range(layers):
        parts = {"attention_norm": (width,), "qkv": (3 * width, width), "o": (width, width)}
        parts |= {"mlp_norm": (width,), "up": (ffn, width), "down": (width, ffn)}
        shapes |= {f"layers.{layer}.{name}": shape for name, shape in parts.items()}
    return {name: rng.normal(0, 0.5, shape).astype(np.float32) for name, shape in shapes.items()}
