"""Random arrays of drafters with trained heads."""

import numpy as np

from tercel.speculation.drafters.int8_matrix import write_matrix

LEVELS, ROWS, CANDIDATES = 3, 40, 12


def head_tensors(image, rng, *, width):
    """The head's arrays, with the frequent tokens spread over the vocabulary."""
    vocabulary = image.config.vocab_size
    ids = np.sort(rng.choice(vocabulary, ROWS, replace=False)).astype(np.int32)
    candidates = np.stack([rng.permutation(ROWS)[:CANDIDATES] for _ in range(vocabulary)])
    return {
        "ids": ids,
        "candidates": candidates.astype(np.uint16),
        "spread": rng.uniform(0.3, 1, (2, LEVELS)).astype(np.float32),
        "coverage": rng.uniform(0.7, 1, (2, LEVELS)).astype(np.float32),
        "accuracy": np.sort(rng.uniform(0, 0.5, (2, LEVELS, 8)))[..., ::-1].astype(np.float32),
        **write_matrix("head", rng.normal(0, 1, (ROWS, width))),
    }


def matrices(rng, shapes):
    found = {}
    for name, (rows, columns) in shapes.items():
        found |= write_matrix(name, rng.normal(0, rows**-0.5, (rows, columns)))
    return found


def vector(rng, *shape):
    return rng.normal(0, 0.3, shape).astype(np.float32)


def hydra_tensors(image, seed=0, *, width=24, inner=(20, 16)):
    rng = np.random.default_rng(seed)
    d = image.config.hidden_size
    tensors = head_tensors(image, rng, width=width)
    for name, columns, middle in (("first", d, inner[0]), ("next", width, inner[1])):
        shapes = {
            f"{name}.state": (columns, middle + width),
            f"{name}.token": (d, middle + width),
            f"{name}.output": (middle, width),
        }
        tensors |= matrices(rng, shapes) | {f"{name}.bias": vector(rng, middle + width)}
    return tensors


def medusa_tensors(image, seed=0, *, sees_root=True):
    rng = np.random.default_rng(seed)
    d = image.config.hidden_size
    names = ("block", "state", "token") if sees_root else ("block",)
    tensors = head_tensors(image, rng, width=d)
    tensors |= matrices(rng, dict.fromkeys(names, (LEVELS * d, d)))
    return tensors | {"bias": vector(rng, LEVELS, d)}


def blockwise_tensors(image, seed=0, *, inner=20, sees_root=True):
    rng = np.random.default_rng(seed)
    d = image.config.hidden_size
    shapes = {"state": (d, inner), "block": (inner, LEVELS * d)}
    if sees_root:
        shapes["token"] = (d, inner)
    tensors = head_tensors(image, rng, width=d)
    return tensors | matrices(rng, shapes) | {"bias": vector(rng, inner)}
