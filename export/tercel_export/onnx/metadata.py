"""Metadata of an exported ONNX model, by which it is recognised and read again."""

from tercel.config import ModelConfig

__all__ = ["CONFIG", "DATA", "FORM", "MODEL", "VERSION", "VERSION_KEY", "properties"]

MODEL, DATA = "model.onnx", "model.onnx.data"
"""Names of the files."""

FORM = "tercel.form"
VERSION_KEY = "tercel.version"
CONFIG = "tercel.config"
VERSION = "1"
"""Version of the graphs that are written; a change of the graph needs a new one."""


def properties(config: ModelConfig, form: str) -> dict[str, str]:
    """Metadata of a model: the form, the version and the config as JSON."""
    return {FORM: form, VERSION_KEY: VERSION, CONFIG: config.to_json()}
