"""Folders with an ONNX model, its weights as external data, and what generation needs."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import onnx
import onnx_ir as ir

from tercel.errors import TercelError
from tercel.image import Image
from tercel_export.folder import export_folder
from tercel_export.model_tensors import check_exportable
from tercel_export.onnx.decoder import decoder_model, fixed_model
from tercel_export.onnx.form import Form
from tercel_export.onnx.genai_config import genai_config
from tercel_export.onnx.metadata import DATA, MODEL
from tercel_export.onnx.quant_nodes import QuantForm
from tercel_export.text_files import FILES, text_files

__all__ = ["write_onnx", "write_qonnx"]

GENAI_CONFIG = "genai_config.json"
NAMES = frozenset((MODEL, DATA, GENAI_CONFIG, *FILES))
INLINE_BYTES = 1024
"""Largest tensor that is stored in the model file itself."""
SEQUENCE = 32
"""Positions of a QONNX model by default."""


def write_onnx(form: type[Form], image: Image, output: Path) -> Iterator[str]:
    """Write an image as a folder with an ONNX model; yield lines for the user.

    One tensor is in memory at a time, beside the image's mapped tape.

    Raises
    ------
    TercelError
        If the folder cannot be written or holds other files.
    """
    check_exportable(image.config)
    config = json.dumps(genai_config(image, MODEL), indent=2) + "\n"
    further = {GENAI_CONFIG: config.encode(), **text_files(image)}
    _write(decoder_model(image, form), output, further)
    if form.ADVICE:
        yield form.ADVICE


def write_qonnx(image: Image, output: Path, *, sequence: int = SEQUENCE) -> Iterator[str]:
    """Write an image as a folder with a QONNX model of a text's first ``sequence`` positions.

    Weights are float32, which ``Quant`` nodes take, so the folder has 16 times the bytes of
    ``onnx``.

    Raises
    ------
    TercelError
        If the context has fewer positions, or the folder cannot be written or holds other files.
    """
    check_exportable(image.config)
    if not 1 <= sequence <= image.config.context:
        raise TercelError(
            f"sequence must be in 1..{image.config.context}, the positions of the image, not "
            f"{sequence}"
        )
    _write(fixed_model(image, QuantForm, sequence), output, text_files(image))
    yield (
        f"all shapes are fixed, for {sequence} positions of one text; infer the shapes within with "
        "qonnx's InferShapes"
    )


def _write(model: ir.Model, output: Path, further: Mapping[str, bytes]) -> None:
    """Write a folder with a model and further files."""
    with export_folder(output, NAMES.__contains__) as folder:
        ir.save(model, folder / MODEL, external_data=DATA, size_threshold_bytes=INLINE_BYTES)
        onnx.checker.check_model(folder / MODEL)
        for name, content in further.items():
            (folder / name).write_bytes(content)
