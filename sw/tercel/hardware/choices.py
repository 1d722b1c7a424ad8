"""Choices of a device that a finished accelerator limits: memory and nodes."""

from tercel.errors import TercelError
from tercel.image import Image
from tercel.program import AcceleratorSpec, memory_map

__all__ = ["check_nodes", "words_for"]


def words_for(image: Image, spec: AcceleratorSpec, context: int | None) -> int:
    """Words of memory for a model with a context, by default the largest.

    Raises
    ------
    TercelError
        If the accelerator cannot run the model.
    """
    spec.check(image.config, image.layout)
    if context is None:
        context = min(image.config.context, spec.positions)
    return memory_map(config=image.config, spec=spec, context=context).words


def check_nodes(nodes: int | None, spec: AcceleratorSpec) -> None:
    """Refuse another K than the accelerator's; ``None`` is its own.

    Raises
    ------
    TercelError
        If it is another.
    """
    if nodes not in (None, spec.nodes):
        raise TercelError(
            f"nodes is a property of the overlay, {spec.nodes}, not {nodes}; leave it out"
        )
