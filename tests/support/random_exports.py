"""Random images whose rows quantisation could have made, as those of converted checkpoints."""

import numpy as np

from tercel.image import Image, ImageBuilder, fill_random
from tercel.numerics import quantise_rows


def write_image(path, config, *, scale=lambda value: value, **metadata):
    """Write a random image with rows as quantisation makes them.

    ``scale`` rounds every scale of rows and matrices.
    """
    builder, rng = ImageBuilder(config=config, **metadata), np.random.default_rng(3)
    for name in ("embedding",) if config.tied_head else ("embedding", "head"):
        values, scales = quantise_rows(rng.normal(0, 0.05, (config.vocab_size, config.hidden_size)))
        builder.rows(name, values, scale(scales).astype(np.float32))
    for layer in range(config.layers):
        for part, shape in config.linears().items():
            trits = rng.integers(-1, 2, shape, np.int8)
            own = np.float32(rng.uniform(0.8, 1.25) * np.sqrt(1.5 / shape[1]))
            builder.ternary(f"layers.{layer}.{part}", trits, float(scale(own)))
    fill_random(builder, 3)
    builder.write(path)
    return Image.open(path)
