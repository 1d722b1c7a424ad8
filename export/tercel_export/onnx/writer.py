"""Folders with an ONNX model, its weights as external data, and what generation needs."""

import json
from collections.abc import Iterator
from pathlib import Path

import onnx
import onnx_ir as ir

from tercel.image import Image
from tercel_export.folder import export_folder
from tercel_export.onnx.decoder import decoder_model
from tercel_export.onnx.form import Form
from tercel_export.onnx.genai_config import genai_config
from tercel_export.onnx.metadata import DATA, MODEL
from tercel_export.text_files import FILES, text_files

__all__ = ["write_onnx"]

GENAI_CONFIG = "genai_config.json"
NAMES = frozenset((MODEL, DATA, GENAI_CONFIG, *FILES))
INLINE_BYTES = 1024
"""Largest tensor that is stored in the model file itself."""


def write_onnx(form: type[Form], image: Image, output: Path) -> Iterator[str]:
    """Write an image as a folder with an ONNX model; yield lines for the user.

    One tensor is in memory at a time, beside the image's mapped tape.

    Raises
    ------
    TercelError
        If the folder cannot be written or holds other files.
    """
    with export_folder(output, NAMES.__contains__) as folder:
        ir.save(
            decoder_model(image, form),
            folder / MODEL,
            external_data=DATA,
            size_threshold_bytes=INLINE_BYTES,
        )
        onnx.checker.check_model(folder / MODEL)
        config = genai_config(image, MODEL)
        (folder / GENAI_CONFIG).write_text(json.dumps(config, indent=2) + "\n")
        for name, content in text_files(image).items():
            (folder / name).write_bytes(content)
    if form.ADVICE:
        yield form.ADVICE
