"""Memory that a model needs on an accelerator."""

from tercel.image import Image
from tercel.program import AcceleratorSpec, memory_map

__all__ = ["words_for"]


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
