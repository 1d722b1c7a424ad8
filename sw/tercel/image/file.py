"""An image file, opened for reading."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tercel.config import ModelConfig
from tercel.errors import TercelError
from tercel.image.builder import FORMAT, VERSIONS
from tercel.image.chat_format import ChatFormat
from tercel.image.container import Header, read_header, verify_checksum
from tercel.image.footprint import Footprint, PassBytes, footprint
from tercel.image.layout import TapeLayout
from tercel.image.matrix import fetch_grouped, take_matrix, take_multipliers, take_row_scales
from tercel.image.rows import fetch_rows, take_rows
from tercel.image.sampling_filters import SamplingFilters
from tercel.image.segment import Part, Segment, segments, segments_json
from tercel.image.striping import interleave, split_words
from tercel.numerics import grouped_weights, multiply

__all__ = ["Image"]


def _check_format(path: Path, header: Header) -> None:
    found = header.metadata.get("format")
    if found != FORMAT:
        what = "no format" if found is None else f"the format {found!r}"
        raise TercelError(
            f"{path} is a safetensors file but not a tercel image: its metadata has {what}, "
            f"not {FORMAT!r}; make an image of its checkpoint with `tercel quantize`"
        )
    version = header.metadata.get("version", "")
    if version not in map(str, VERSIONS):
        known = " and ".join(map(str, VERSIONS))
        raise TercelError(
            f"{path} is an image of version {version!r}, but this tercel reads the versions "
            f"{known}; update tercel or build the image again"
        )
    for key in ("config", "layout", "segments", "checksum"):
        if key not in header.metadata:
            raise TercelError(f"{path} lacks the metadata {key!r}; build it again")


def _check_tensors(path: Path, header: Header, tape_shape: tuple[int, int]) -> None:
    tensors = header.tensors
    shapes = {name: entry.shape for name, entry in tensors.items() if entry.dtype == "U8"}
    if len(shapes) < len(tensors) or not {"tape"} <= set(shapes) <= {"tape", "tokenizer"}:
        names = ", ".join(sorted(tensors))
        raise TercelError(
            f"{path} must have the uint8 tensors tape and, if any, tokenizer, not {names}"
        )
    if shapes["tape"] != tape_shape:
        raise TercelError(
            f"the tape of {path} must have the shape {tape_shape}, not {shapes['tape']}"
        )
    if len(shapes.get("tokenizer", (0,))) != 1:
        raise TercelError(f"the tokenizer of {path} must be one run of bytes")


class Image:
    """A model in the memory layout of its device, mapped from a file by :meth:`open`.

    Methods return copies; :attr:`tape` is a view.
    """

    def __init__(
        self,
        *,
        path: Path,
        config: ModelConfig,
        layout: TapeLayout,
        tape: npt.NDArray[np.uint8],
        tokenizer: bytes | None,
        chat: ChatFormat | None = None,
        sampling: SamplingFilters | None = None,
        checksum: str = "",
    ):
        self._path = path
        self._config = config
        self._layout = layout
        self._tape = tape
        self._tokenizer = tokenizer
        self._chat = chat
        self._sampling = sampling
        self._checksum = checksum
        self._segments = segments(config, layout)
        self._pass_bytes = PassBytes(self._segments, layout)
        self._by_name = {segment.name: segment for segment in self._segments}

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, verify: bool = True) -> "Image":
        """Open and check an image.

        Parameters
        ----------
        verify
            Read the whole file and compare it with its checksum; otherwise only its structure is
            checked.

        Raises
        ------
        TercelError
            If the file is missing, damaged, truncated, not a tercel image, of another version, or
            inconsistent.
        """
        path = Path(path)
        header = read_header(path)
        _check_format(path, header)
        if verify:
            verify_checksum(path)
        config = ModelConfig.from_json(header.metadata["config"])
        version = header.metadata["version"]
        if version != str(config.image_version):
            raise TercelError(
                f"{path} is an image of version {version}, but its config is one of version "
                f"{config.image_version}; build it again"
            )
        layout = TapeLayout.from_json(header.metadata["layout"])
        table = segments(config, layout)
        if header.metadata["segments"] != segments_json(table):
            raise TercelError(
                f"{path} has a segment table that its config and layout do not give; build it again"
            )
        shape = (layout.ports, table[-1].end_word * layout.port_bytes)
        _check_tensors(path, header, shape)
        tokenizer = None
        if (entry := header.tensors.get("tokenizer")) is not None:
            with open(path, "rb") as file:
                file.seek(entry.offset)
                tokenizer = file.read(entry.shape[0])
        tape = np.memmap(path, np.uint8, "r", header.tensors["tape"].offset, shape)
        chat, sampling = (header.metadata.get(key) for key in ("chat", "sampling"))
        return cls(
            path=path,
            config=config,
            layout=layout,
            tape=tape,
            tokenizer=tokenizer,
            chat=None if chat is None else ChatFormat.from_json(chat),
            sampling=None if sampling is None else SamplingFilters.from_json(sampling),
            checksum=header.metadata["checksum"],
        )

    @property
    def path(self) -> Path:
        return self._path

    @property
    def config(self) -> ModelConfig:
        return self._config

    @property
    def layout(self) -> TapeLayout:
        return self._layout

    @property
    def segments(self) -> tuple[Segment, ...]:
        return self._segments

    @property
    def tokenizer(self) -> bytes | None:
        """The bytes of ``tokenizer.json``, if the image has one."""
        return self._tokenizer

    @property
    def chat(self) -> ChatFormat | None:
        """The model's chat template, if the image has one."""
        return self._chat

    @property
    def sampling(self) -> SamplingFilters | None:
        """The sampling that the model's makers recommend, if the image has it."""
        return self._sampling

    @property
    def checksum(self) -> str:
        """The file's checksum, 64 hexadecimal digits: the identity of the model."""
        return self._checksum

    @property
    def tape(self) -> npt.NDArray[np.uint8]:
        """The mapped tape, read-only, uint8 ``[ports, bytes per port]``."""
        return self._tape

    @property
    def footprint(self) -> Footprint:
        """Bytes by use."""
        return footprint(self._config, self._layout)

    def bytes_per_pass(
        self,
        *,
        nodes: int = 1,
        layer_mask: Sequence[tuple[bool, bool]] | None = None,
        head_rows: int | None = None,
        listed: int | None = None,
    ) -> int:
        """Bytes of the tape that a pass reads; see :meth:`PassBytes.count`."""
        return self._pass_bytes.count(
            nodes=nodes, layer_mask=layer_mask, head_rows=head_rows, listed=listed
        )

    def segment(self, name: str) -> Segment:
        """The segment with a name such as ``layers.0.qkv`` or ``head.vector``.

        Raises
        ------
        TercelError
            If the image has no such segment.
        """
        if name not in self._by_name:
            raise TercelError(f"the image of {self._config.name} has no segment {name!r}")
        return self._by_name[name]

    def content(self, name: str) -> npt.NDArray[np.uint8]:
        """The bytes of a segment in word order, ``[words * word bytes]``."""
        segment = self.segment(name)
        return self._words(segment.first_word, segment.words)

    def _words(self, first: int, count: int) -> npt.NDArray[np.uint8]:
        """The bytes of ``count`` words of the tape."""
        ports = split_words(self._tape, self._layout.port_bytes)
        return interleave([port[first : first + count] for port in ports]).reshape(-1)

    def ternary(self, name: str) -> npt.NDArray[np.int8]:
        """Trits of a ternary segment or of one of its tensors, int8 ``[rows, columns]``.

        ``layers.0.qkv`` is the segment in its row order, ``layers.0.q`` one tensor.

        Raises
        ------
        TercelError
            If the name is unknown, or a weight code is corrupt.
        """
        segment, part = self._matrix(name)
        try:
            return take_matrix(self._layout, segment, self.content(segment.name), part)
        except TercelError as error:
            raise TercelError(f"{self._path}: {segment.name}: {error}") from None

    def scales(self, name: str) -> npt.NDArray[np.float32]:
        """Weight scales ``[parts]`` of a ternary segment, in part order, if each has one.

        Raises
        ------
        TercelError
            If there is no such segment, it is not ternary, or its rows have scales of their own.
        """
        segment = self.segment(name)
        if not segment.ternary:
            raise TercelError(f"{name} has no weight scales: it is a {segment.kind} segment")
        return np.array([self.weight_scale(part.name) for part in segment.parts], np.float32)

    def row_scales(self, name: str) -> npt.NDArray[np.float32]:
        """The scale of each row ``[rows]`` of a ternary segment or of one of its tensors.

        Raises
        ------
        TercelError
            If the name is unknown.
        """
        segment, part = self._matrix(name)
        if segment.granularity != "tensor":
            return take_row_scales(self._layout, segment, self.content(segment.name), part)
        if part is not None:
            return np.full(part.rows, self.weight_scale(name))
        scales = np.empty(segment.rows, np.float32)
        for each in segment.parts:
            scales[each.slice()] = self.weight_scale(each.name)
        return scales

    def multipliers(self, name: str) -> npt.NDArray[np.uint16]:
        """Multipliers ``[rows, groups]`` of a ternary segment or of one of its tensors.

        Raises
        ------
        TercelError
            If the name is unknown, the matrix has none, or the bits after them are not zero.
        """
        segment, part = self._matrix(name)
        if segment.granularity != "group":
            raise TercelError(f"{name} has no multipliers: its granularity is not group")
        try:
            return take_multipliers(self._layout, segment, self.content(segment.name), part)
        except TercelError as error:
            raise TercelError(f"{self._path}: {segment.name}: {error}") from None

    def weights(self, name: str) -> npt.NDArray[np.float32]:
        """The weights ``[rows, columns]`` of a ternary segment or tensor: trits times scales.

        Raises
        ------
        TercelError
            If the name is unknown, or the matrix is corrupt.
        """
        segment, _ = self._matrix(name)
        trits, scales = self.ternary(name), self.row_scales(name)
        if segment.granularity == "group":
            return grouped_weights(trits, self.multipliers(name), scales)
        return multiply(trits.astype(np.float32), scales[:, None])

    def weight_scale(self, name: str) -> np.float32:
        """The scale of one ternary tensor such as ``layers.0.q`` that has one.

        Raises
        ------
        TercelError
            If there is no such tensor, or it has a scale for each row.
        """
        segment, _ = self._find(name, ternary=True)
        if segment.granularity != "tensor":
            raise TercelError(
                f"{name} has a scale for each row, not one: its granularity is "
                f"{segment.granularity}"
            )
        segment, part = self._find(name, ternary=False)
        return self._vector(segment.name)[part.start]

    def gain(self, name: str) -> npt.NDArray[np.float32]:
        """The gain ``[width]`` of a norm such as ``layers.0.attention_norm`` or ``norm``.

        Raises
        ------
        TercelError
            If there is no such norm.
        """
        segment, part = self._find(name, ternary=False)
        return self._vector(segment.name)[part.slice()].copy()

    def rows(
        self, name: str, ids: npt.ArrayLike | None = None
    ) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
        """Rows of ``head`` or ``embedding`` with their scales.

        Parameters
        ----------
        name
            With a tied head both names give the same rows.
        ids
            Row indices ``[n]``; by default all rows.

        Returns
        -------
        values, scales
            int8 ``[n, hidden_size]`` and float32 ``[n]``.

        Raises
        ------
        TercelError
            If there are no such rows, or an id is outside the vocabulary.
        """
        segment = self._rows_segment(name)
        if segment.ternary:
            raise TercelError(
                f"the {name} of {self._config.name} has no int8 rows: it is a ternary matrix"
            )
        if ids is None:
            return take_rows(self._layout, segment, self.content(segment.name))
        return fetch_rows(self._layout, segment, self._tape, self._row_ids(name, ids))

    def float_rows(self, name: str, ids: npt.ArrayLike | None = None) -> npt.NDArray[np.float32]:
        """Dequantised rows ``[n, hidden_size]`` of ``head`` or ``embedding``, int8 or ternary.

        Parameters and errors are those of :meth:`rows`; a corrupt ternary row is an error, too.
        """
        segment = self._rows_segment(name)
        if not segment.ternary:
            values, scales = self.rows(name, ids)
            return multiply(values.astype(np.float32), scales[:, None])
        if ids is None:
            return self.weights(segment.name)

        def read(word: int, count: int) -> npt.NDArray[np.uint8]:
            return self._words(segment.first_word + word, count)

        rows = fetch_grouped(self._layout, segment, read, self._row_ids(name, ids))
        return grouped_weights(*rows)

    def _rows_segment(self, name: str) -> Segment:
        """The segment of the rows ``head`` or ``embedding``."""
        if name not in ("head", "embedding"):
            raise TercelError(f"rows are of head or embedding, not of {name!r}")
        return self.segment("head" if self._config.tied_head else name)

    def _row_ids(self, name: str, ids: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Checked row indices ``[n]``."""
        found = np.asarray(ids, np.int64).reshape(-1)
        if found.size and not 0 <= found.min() <= found.max() < self._config.vocab_size:
            raise TercelError(
                f"rows of {name} are 0..{self._config.vocab_size - 1}, "
                f"but {found.min()}..{found.max()} are asked"
            )
        return found

    def rope(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Cosines and sines, each ``[context, head_size / 2]``."""
        half = self._config.head_size // 2
        table = self._vector("rope").reshape(self._config.context, -1)
        return table[:, :half].copy(), table[:, half : 2 * half].copy()

    def _vector(self, name: str) -> npt.NDArray[np.float32]:
        return self.content(name).view("<f4").astype(np.float32, copy=False)

    def _matrix(self, name: str) -> tuple[Segment, Part | None]:
        """The ternary segment with a name, or that of a tensor with its part."""
        if name in self._by_name and self._by_name[name].ternary:
            return self._by_name[name], None
        return self._find(name, ternary=True)

    def _find(self, name: str, *, ternary: bool) -> tuple[Segment, Part]:
        """The place of a ternary tensor's trits, or of a tensor's floats."""
        for segment in self._segments:
            matches = segment.ternary if ternary else segment.kind == "vector"
            if matches and (part := segment.part(name)) is not None:
                return segment, part
        kind = "ternary" if ternary else "vector"
        raise TercelError(f"the image of {self._config.name} has no {kind} tensor {name!r}")
