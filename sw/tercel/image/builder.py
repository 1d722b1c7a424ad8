"""Builder of image files from canonical tensors."""

import os
from collections.abc import Iterator
from numbers import Real
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from tercel.config import ModelConfig
from tercel.errors import TercelError
from tercel.files import whole_file
from tercel.image.chat_format import ChatFormat
from tercel.image.container import Stream, write_container
from tercel.image.layout import TapeLayout, default_layout
from tercel.image.matrix import place_matrix
from tercel.image.rows import place_rows
from tercel.image.sampling_filters import SamplingFilters
from tercel.image.segment import Part, Segment, segments, segments_json
from tercel.image.tape_content import TapeContent
from tercel.numerics import GROUP, flush, rope_table

__all__ = ["FORMAT", "VERSIONS", "ImageBuilder", "check_tokenizer"]

FORMAT = "tercel"
VERSIONS = (2, 3)
"""Versions of the image; which one a model needs, its config says."""


def check_tokenizer(data: bytes, vocab_size: int) -> None:
    """Check that ``data`` is a ``tokenizer.json`` whose ids are below ``vocab_size``.

    Raises
    ------
    TercelError
        If it is malformed or has a larger id.
    """
    try:
        ids = Tokenizer.from_str(data.decode()).get_vocab(with_added_tokens=True)
    except Exception as error:  # the library raises nothing narrower
        raise TercelError(f"the tokenizer is not a valid tokenizer.json: {error}") from error
    token, largest = max(ids.items(), key=lambda item: item[1], default=("", -1))
    if largest >= vocab_size:
        raise TercelError(
            f"the tokenizer has the id {largest} ({token!r}), but the model's vocab_size is "
            f"{vocab_size}: its ids must be below that; is it the model's own tokenizer?"
        )


def _float32(name: str, what: str, values: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Convert to finite float32 and flush subnormals, as the device does."""
    with np.errstate(over="ignore"):
        values = np.asarray(values, np.float32)
    if not np.isfinite(values).all():
        raise TercelError(f"{what} of {name} must be finite, but has NaN or infinity")
    return flush(values)


def _check_not_negative(name: str, what: str, values: npt.NDArray[np.float32]) -> None:
    if (values < 0).any():
        raise TercelError(f"{what} of {name} must not be negative, but one is {values.min()}")


def _method(segment: Segment) -> str:
    """The builder method for the tensors of a segment."""
    return "ternary" if segment.ternary else "rows" if segment.kind == "rows" else "gain"


class ImageBuilder:
    """Collects the canonical tensors of a model, each once and in any order, and writes its image.

    The builder copies each tensor into the tape, which it holds in memory or, with ``scratch``, on
    a disk.

    Parameters
    ----------
    config
        The model's shape.
    layout
        Layout of the tape; by default that of the kv260 for the model's granularity.
    tokenizer
        The bytes of ``tokenizer.json``; its ids must be below ``config.vocab_size``.
    chat
        The model's chat template.
    sampling
        The sampling that the model's makers recommend.
    scratch
        A seekable file for reading and writing that holds the tape's segments once they are
        complete; by default they stay in memory.

    Raises
    ------
    TercelError
        If the tokenizer is invalid or does not fit the model.
    """

    def __init__(
        self,
        *,
        config: ModelConfig,
        layout: TapeLayout | None = None,
        tokenizer: bytes | None = None,
        chat: ChatFormat | None = None,
        sampling: SamplingFilters | None = None,
        scratch: BinaryIO | None = None,
    ):
        if tokenizer is not None:
            check_tokenizer(tokenizer, config.vocab_size)
        self._config = config
        self._layout = default_layout(config) if layout is None else layout
        self._tokenizer = tokenizer
        self._further = {"chat": chat, "sampling": sampling}
        self._segments = segments(config, self._layout)
        self._content = TapeContent(self._segments, self._layout, scratch)
        self._incomplete = {
            segment.name: {part.name for part in segment.parts} for segment in self._segments
        }
        self._places: dict[str, list[tuple[Segment, Part]]] = {}
        for segment in self._segments:
            for part in segment.parts:
                self._places.setdefault(part.name, []).append((segment, part))
        self._given: set[str] = set()
        self._write_rope()

    @property
    def config(self) -> ModelConfig:
        return self._config

    @property
    def layout(self) -> TapeLayout:
        return self._layout

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of the tensors that are still missing, in tape order."""
        return tuple(name for name in self._places if name not in self._given)

    def ternary(
        self,
        name: str,
        trits: npt.NDArray[np.int8],
        scale: float | npt.NDArray[np.float32],
        multipliers: npt.NDArray[np.uint16] | None = None,
    ) -> None:
        """Add a ternary matrix; the shortlist, and a ternary head and its embedding, are such, too.

        Parameters
        ----------
        trits
            int8 ``[rows out, columns in]`` in {-1, 0, 1}.
        scale
            The weights are ``trits * scale``; finite, not negative. A number, or, for a shortlist
            or unless the model's granularity is ``tensor``, float32 ``[rows out]``.
        multipliers
            Only of matrices with groups: uint16 ``[rows out, groups]``, numbers
            by which the weights of a group of 128 columns are multiplied as well, such as those of
            :func:`tercel.image.quantise_scales`; by default all are 1.

        Raises
        ------
        TercelError
            If the model has no such ternary tensor, it was added before, or a value breaks the
            rules above; the tensor then remains missing.
        """
        place = self._claim(name, "ternary")
        segment, part = place["ternary"]
        self._check_array(name, trits, np.int8, (part.rows, segment.columns))
        scales = self._scales(name, segment, part, scale)
        groups = self._multipliers(name, segment, part, multipliers)
        try:
            content = self._content[segment.name]
            place_matrix(self._layout, segment, content, part, trits, scales, groups)
        except TercelError as error:
            raise TercelError(f"{name}: {error}") from None
        if "gain" in place:
            self._place_floats(*place["gain"], scales[:1])
        self._done(name)

    def _scales(
        self,
        name: str,
        segment: Segment,
        part: Part,
        scale: float | npt.NDArray[np.float32],
    ) -> npt.NDArray[np.float32]:
        """A matrix's scales, one a row."""
        if isinstance(scale, Real):
            value = _float32(name, "the scale", scale)
        elif segment.granularity == "tensor":
            raise TercelError(
                f"the scale of {name} must be one number, not {scale!r}; "
                'scales of rows need a model with the granularity "row" or "group"'
            )
        else:
            what = f"the scales of {name}"
            self._check_array(what, np.asarray(scale), np.float32, (part.rows,))
            value = _float32(name, "the scale", scale)
        _check_not_negative(name, "the scale", value)
        return np.broadcast_to(value, part.rows)

    def _multipliers(
        self,
        name: str,
        segment: Segment,
        part: Part,
        multipliers: npt.NDArray[np.uint16] | None,
    ) -> npt.NDArray[np.uint16] | None:
        """A matrix's multipliers ``[rows, groups]``, if its granularity has them."""
        if segment.granularity != "group":
            if multipliers is not None:
                raise TercelError(
                    f"{name} must have no multipliers: they need a model with the granularity "
                    f'"group", not {segment.granularity!r}'
                )
            return None
        shape = (part.rows, -(-segment.columns // GROUP))
        if multipliers is None:
            return np.ones(shape, np.uint16)
        self._check_array(f"the multipliers of {name}", multipliers, np.uint16, shape)
        return multipliers

    def gain(self, name: str, vector: npt.NDArray[np.float32]) -> None:
        """Add the gain of a norm, float32 ``[width]``, finite.

        Raises
        ------
        TercelError
            If the model has no such gain, it was added before, or it breaks the rules above.
        """
        segment, part = self._claim(name, "gain")["gain"]
        self._check_array(name, vector, np.float32, (part.rows,))
        self._place_floats(segment, part, _float32(name, "the gain", vector))
        self._done(name)

    def rows(
        self, name: str, values: npt.NDArray[np.int8], scales: npt.NDArray[np.float32]
    ) -> None:
        """Add the int8 rows of the embedding or of an untied head, unless the head is ternary.

        Parameters
        ----------
        values
            int8 ``[vocab_size, hidden_size]`` in -127..127.
        scales
            float32 ``[vocab_size]``; finite, not negative.

        Raises
        ------
        TercelError
            If the model has no such rows, they were added before, or they break the rules above.
        """
        segment, _ = self._claim(name, "rows")["rows"]
        self._check_array(name, values, np.int8, (segment.rows, segment.columns))
        self._check_array(f"the scales of {name}", scales, np.float32, (segment.rows,))
        if values.min() < -127:
            raise TercelError(f"the values of {name} must be in -127..127, but one is -128")
        floats = _float32(name, "the scales", scales)
        _check_not_negative(name, "the scales", floats)
        place_rows(self._layout, segment, self._content[segment.name], values, floats)
        self._done(name)

    def write(self, output: str | os.PathLike[str] | BinaryIO) -> int:
        """Write the image.

        Parameters
        ----------
        output
            The path of a file, which is written as :func:`tercel.files.whole_file` does, or a
            seekable stream at its start.

        Returns
        -------
        The image's size in bytes.

        Raises
        ------
        TercelError
            If tensors are missing, or the file cannot be written.
        """
        if isinstance(output, (str, os.PathLike)):
            with whole_file(output) as file:
                return self.write(file)
        if missing := self.missing:
            shown = ", ".join(missing[:12]) + (", ..." if len(missing) > 12 else "")
            raise TercelError(f"the image lacks {len(missing)} of its tensors: {shown}")
        words = self._segments[-1].end_word
        shape = (self._layout.ports, words * self._layout.port_bytes)
        tensors = {"tape": Stream(shape=shape, blocks=self._tape())}
        if self._tokenizer is not None:
            data = np.frombuffer(self._tokenizer, np.uint8)
            tensors["tokenizer"] = Stream(shape=data.shape, blocks=[data])
        metadata = {
            "format": FORMAT,
            "version": str(self._config.image_version),
            "config": self._config.to_json(),
            "layout": self._layout.to_json(),
            "segments": segments_json(self._segments),
        }
        metadata |= {
            key: value.to_json() for key, value in self._further.items() if value is not None
        }
        return write_container(output, metadata, tensors)

    def _tape(self) -> Iterator[npt.NDArray[np.uint8]]:
        """The tape's bytes, port after port, one block per segment."""
        for port in range(self._layout.ports):
            for segment in self._segments:
                yield self._content.read(segment.name, port)

    def _done(self, name: str) -> None:
        """Note that a tensor is given, and complete the segments of which it is the last."""
        self._given.add(name)
        for segment, _ in self._places[name]:
            parts = self._incomplete[segment.name]
            parts.remove(name)
            if not parts:
                self._content.complete(segment.name)

    def _claim(self, name: str, method: str) -> dict[str, tuple[Segment, Part]]:
        """Places of a tensor by the method for it; the scale of a matrix is under ``gain``.

        Raises
        ------
        TercelError
            If there is no such tensor, it belongs to another method, or it was added before.
        """
        if name not in self._places:
            raise TercelError(f"the model {self._config.name} has no tensor {name!r}")
        places = {_method(segment): (segment, part) for segment, part in self._places[name]}
        expected = "ternary" if "ternary" in places else min(places)
        if expected != method:
            raise TercelError(f"{name} is given with {expected}(), not with {method}()")
        if name in self._given:
            raise TercelError(f"{name} is already given; every tensor is given once")
        return places

    def _check_array(self, name: str, values: np.ndarray, dtype: type, shape: tuple) -> None:
        if values.dtype != dtype:
            raise TercelError(f"{name} must be {np.dtype(dtype)}, not {values.dtype}")
        if values.shape != shape:
            raise TercelError(f"{name} must have the shape {shape}, not {values.shape}")

    def _place_floats(self, segment: Segment, part: Part, values: npt.NDArray[np.float32]) -> None:
        self._content[segment.name].view("<f4")[part.slice()] = values

    def _write_rope(self) -> None:
        config = self._config
        table = rope_table(config.context, config.head_size, config.rope_base, config.rope_factors)
        rows = self._content["rope"].view("<f4").reshape(config.context, -1)
        rows[:, : config.head_size] = flush(np.concatenate(table, axis=1))
        self._content.complete("rope")
