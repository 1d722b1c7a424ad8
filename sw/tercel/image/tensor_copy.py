"""Tensors of an image for a builder, to make another image of the same model."""

from tercel.image.builder import ImageBuilder
from tercel.image.file import Image

__all__ = ["copy_tensors"]


def copy_tensors(image: Image, builder: ImageBuilder) -> None:
    """Give a builder the tensors of an image that it still misses.

    Tensors that the image has not stay missing.

    Raises
    ------
    TercelError
        If a tensor does not fit the builder's config, or the image is corrupt.
    """
    kinds: dict[str, str] = {}
    for segment in image.segments:
        for part in segment.parts:
            # The scale of a matrix is a part of a vector, under the matrix's name.
            if segment.kind != "vector" or part.name not in kinds:
                kinds[part.name] = segment.kind
    for name in builder.missing:
        if name not in kinds:
            continue
        if kinds[name] == "vector":
            builder.gain(name, image.gain(name))
        elif kinds[name] == "rows":
            builder.rows(name, *image.rows(name))
        else:
            one = kinds[name] == "ternary"
            scale = float(image.weight_scale(name)) if one else image.row_scales(name)
            grouped = kinds[name] == "ternary-group"
            multipliers = image.multipliers(name) if grouped else None
            builder.ternary(name, image.ternary(name), scale, multipliers)
