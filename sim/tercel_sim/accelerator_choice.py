"""The choice of the accelerator that plays an image: a preset, or a user's own."""

from dataclasses import replace
from pathlib import Path

from tercel.errors import TercelError
from tercel.image import Image
from tercel_hw.export.configuration import read_configuration
from tercel_hw.top import ACCELERATORS, AcceleratorConfig

__all__ = ["accelerator_for", "choose_accelerator", "with_nodes"]


def choose_accelerator(
    image: Image,
    *,
    name: str | None = None,
    file: Path | None = None,
    nodes: int | None = None,
) -> AcceleratorConfig:
    """Return an accelerator that can run the image's model.

    Parameters
    ----------
    image
        The model.
    name
        Preset; without one and without a file, the preset that plays the image's tape.
    file
        Parameters as JSON, or an accelerator's sidecar.
    nodes
        K; ``None`` is that of the preset or of the file.

    Raises
    ------
    TercelError
        If the options exclude each other or break a rule, or the accelerator does not play the
        image.
    """
    if name is not None and file is not None:
        raise TercelError("give the accelerator by its preset or by a file, not both")
    if file is not None:
        config = with_nodes(read_configuration(file), nodes)
    elif name is not None:
        if name not in ACCELERATORS:
            raise TercelError(f"accelerator must be one of {', '.join(ACCELERATORS)}, not {name!r}")
        config = with_nodes(ACCELERATORS[name], nodes)
    else:
        config = accelerator_for(image, nodes=nodes)
    config.spec.check(image.config, image.layout)
    return config


def accelerator_for(image: Image, *, nodes: int | None = None) -> AcceleratorConfig:
    """Return the preset that plays the image's tape, with K = ``nodes``, by default its own.

    Raises
    ------
    TercelError
        If there is no such preset.
    """
    for config in ACCELERATORS.values():
        if config.layout == image.layout:
            return with_nodes(config, nodes)
    presets = ", ".join(ACCELERATORS)
    raise TercelError(
        f"no accelerator preset ({presets}) plays tapes of the layout {image.layout.to_json()}; "
        "quantise for one of their layouts, or give the accelerator's configuration"
    )


def with_nodes(config: AcceleratorConfig, nodes: int | None) -> AcceleratorConfig:
    """Return an accelerator with another K, or itself for ``None``.

    Raises
    ------
    TercelError
        If no accelerator can have so many lanes.
    """
    if nodes is None:
        return config
    replace(config.spec, nodes=nodes)  # has the limit, and refuses what breaks it
    return replace(config, tlmm=replace(config.tlmm, nodes=nodes))
