"""The file of a drafter with trained heads."""

from pathlib import Path

import numpy as np

from tercel.image import Image
from tercel.speculation.drafter_file import save_drafter
from tercel.speculation.drafters.int8_matrix import write_matrix
from tercel_quant.train_drafter.calibration import Calibration
from tercel_quant.train_drafter.head_data import HeadData
from tercel_quant.train_drafter.head_model import HeadModel

__all__ = ["write_heads"]


def write_heads(
    path: Path,
    *,
    kind: str,
    image: Image,
    model: HeadModel,
    data: HeadData,
    calibration: Calibration,
    settings: dict[str, object],
) -> None:
    """Round the matrices to int8 and write them with vocabulary and calibration.

    Raises
    ------
    TercelError
        If the file cannot be written.
    """
    vocabulary = data.vocabulary
    unsigned = np.uint16 if len(vocabulary.ids) <= 1 << 16 else np.uint32
    tensors = {
        "ids": vocabulary.ids.numpy().astype(np.int32),
        "candidates": vocabulary.candidates.numpy().astype(unsigned),
        "spread": calibration.spread.numpy(),
        "coverage": calibration.coverage.numpy(),
        "accuracy": calibration.accuracy.numpy(),
    }
    for name, matrix in {"head": model.output, **model.matrices()}.items():
        tensors |= write_matrix(name, matrix.detach().numpy())
    for name, vector in model.vectors().items():
        tensors[name] = vector.detach().numpy()
    facts = {**settings, "vocabulary_coverage": round(vocabulary.covered, 4)}
    save_drafter(path, kind=kind, image=image, tensors=tensors, settings=facts)
