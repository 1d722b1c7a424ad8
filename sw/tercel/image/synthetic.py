"""Random models for tests and benchmarks."""

import os

import numpy as np

from tercel.config import ModelConfig
from tercel.image.builder import ImageBuilder
from tercel.image.chat_format import ChatFormat
from tercel.image.layout import TapeLayout
from tercel.image.multiplier import quantise_scales
from tercel.image.sampling_filters import SamplingFilters
from tercel.numerics import GROUP

__all__ = ["fill_random", "random_image"]


def fill_random(builder: ImageBuilder, seed: int) -> None:
    """Add random values for all missing tensors of a builder.

    Trits are uniform in -1, 0, 1; weight scales near ``sqrt(1.5 / columns)``, which keeps the
    magnitude of a normalised input, log-normal if rows or groups have their own; gains near 1; rows
    uniform in -127..127 with scales that keep logits near 3. A shortlist is random, too, and no
    form of the head. Each tensor depends only on the seed and its name.
    """
    config = builder.config
    shapes = config.linears()
    rows = config.vocab_size, config.hidden_size
    if config.ternary_head:
        shapes |= {"embedding": rows, "head": rows}
    if config.shortlist:
        shapes |= {"shortlist": rows}
    for name in builder.missing:
        rng = np.random.default_rng([seed, *name.encode()])
        kind = name.rpartition(".")[2]
        if kind in shapes:
            trits = rng.integers(-1, 2, shapes[kind], np.int8)
            scale = np.sqrt(1.5 / shapes[kind][1]) * rng.uniform(0.8, 1.25)
            granularity = "row" if kind == "shortlist" else config.granularity
            if granularity == "tensor":
                builder.ternary(name, trits, float(scale))
            elif granularity == "row":
                scales = scale * rng.lognormal(0.0, 0.25, len(trits))
                builder.ternary(name, trits, scales.astype(np.float32))
            else:
                groups = -(-trits.shape[1] // GROUP)
                found = quantise_scales(scale * rng.lognormal(0.0, 0.25, (len(trits), groups)))
                builder.ternary(name, trits, found.row_scale, found.multipliers)
        elif kind in ("embedding", "head"):
            values = rng.integers(-127, 128, rows, np.int8)
            typical = 3 / (73 * np.sqrt(config.hidden_size))
            scales = typical * rng.uniform(0.8, 1.25, config.vocab_size)
            builder.rows(name, values, scales.astype(np.float32))
        else:
            width = (config.norms() | {"norm": config.hidden_size})[kind]
            builder.gain(name, rng.normal(1.0, 0.1, width).astype(np.float32))


def random_image(
    path: str | os.PathLike[str],
    config: ModelConfig,
    *,
    layout: TapeLayout | None = None,
    seed: int = 0,
    tokenizer: bytes | None = None,
    chat: ChatFormat | None = None,
    sampling: SamplingFilters | None = None,
) -> None:
    """Write the image of a random model.

    Peak memory is one tape plus one tensor.

    Raises
    ------
    TercelError
        If the tokenizer does not fit the model, or the file cannot be written.
    """
    builder = ImageBuilder(
        config=config, layout=layout, tokenizer=tokenizer, chat=chat, sampling=sampling
    )
    fill_random(builder, seed)
    builder.write(path)
