"""GGUF files, written tensor by tensor."""

from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np
from gguf import GGUFWriter

from tercel.errors import TercelError
from tercel.files import whole_file, write_errors
from tercel.image import Image
from tercel_export.gguf.architecture import Architecture, architecture_of
from tercel_export.gguf.blocks import TERNARY_TYPES
from tercel_export.gguf.tensors import Entry, entries
from tercel_export.gguf.tokenizer import END_TOKENS, add_tokenizer
from tercel_export.model_tensors import check_exportable

__all__ = ["write_gguf"]

FILE_TYPES = {
    "TQ1_0": gguf.LlamaFileType.MOSTLY_TQ1_0,
    "TQ2_0": gguf.LlamaFileType.MOSTLY_TQ2_0,
}


def write_gguf(image: Image, output: Path, *, tensor_type: str = "TQ1_0") -> Iterator[str]:
    """Write an image as a GGUF file; yield lines for the user.

    Matrices whose rows are no multiple of 256 are Q8_0, as 8-bit integers, or float32.

    Raises
    ------
    TercelError
        If no graph of llama.cpp computes the model, its tokenizer is of another kind than those of
        llama.cpp, or the file cannot be written.
    """
    check_exportable(image.config)
    if tensor_type not in TERNARY_TYPES:
        raise TercelError(f"type must be one of {', '.join(TERNARY_TYPES)}, not {tensor_type!r}")
    architecture = architecture_of(image.config)
    tensors = list(entries(image, architecture, TERNARY_TYPES[tensor_type]))
    with whole_file(output, inputs=[image.path]) as file, write_errors(output):
        writer = GGUFWriter(None, architecture.name)
        _add_config(writer, image, architecture, tensor_type)
        add_tokenizer(writer, image)
        for entry in tensors:
            rows = entry.shape[:-1]
            quantised = entry.kind != gguf.GGMLQuantizationType.F32
            writer.add_tensor_info(
                entry.name,
                (*rows, entry.row_bytes) if quantised else entry.shape,
                np.dtype(np.uint8 if quantised else np.float32),
                entry.nbytes,
                raw_dtype=entry.kind,
            )
        try:
            writer.write_header_to_file(Path(file.name))
            writer.write_kv_data_to_file()
            writer.write_ti_data_to_file()
            for entry in tensors:
                writer.write_tensor_data(entry.encode())
        finally:
            writer.close()
    if architecture.advice:
        yield architecture.advice
    if lost := image.config.eos_tokens[END_TOKENS:]:
        yield (
            f"warning: the format has {END_TOKENS} end tokens, so {', '.join(map(str, lost))} "
            "do not end a text"
        )
    yield from _fallbacks(tensors, tensor_type)


def _add_config(
    writer: GGUFWriter, image: Image, architecture: Architecture, tensor_type: str
) -> None:
    config, sampling = image.config, image.sampling
    writer.add_name(config.name)
    writer.add_file_type(FILE_TYPES[tensor_type])
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(config.context)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.layers)
    writer.add_feed_forward_length(config.ffn_size)
    writer.add_head_count(config.heads)
    writer.add_head_count_kv(config.kv_heads)
    writer.add_key_length(config.head_size)
    writer.add_value_length(config.head_size)
    writer.add_rope_dimension_count(config.head_size)
    writer.add_rope_freq_base(config.rope_base)
    writer.add_layer_norm_rms_eps(config.norm_epsilon)
    writer.add_string(f"{architecture.name}.hidden_activation", config.activation)
    if sampling is not None:
        prefix = "general.sampling"
        writer.add_float32(f"{prefix}.temp", sampling.temperature)
        writer.add_int32(f"{prefix}.top_k", sampling.top_k)
        writer.add_float32(f"{prefix}.top_p", sampling.top_p)
        writer.add_float32(f"{prefix}.min_p", sampling.min_p)


def _fallbacks(tensors: list[Entry], tensor_type: str) -> Iterator[str]:
    """Lines about matrices in another type than the one that was asked for."""
    others: dict[str, list[Entry]] = {}
    for entry in tensors:
        if entry.canonical is not None and entry.kind.name != tensor_type:
            others.setdefault(entry.kind.name, []).append(entry)
    for kind, found in others.items():
        block, size = gguf.GGML_QUANT_SIZES[found[0].kind]
        yield (
            f"warning: {len(found)} matrices are {kind} ({8 * size / block:g} bits a weight), as "
            f"their rows are no multiple of 256 or their scales no float16 numbers; the first is "
            f"{found[0].canonical}, {found[0].shape[1]} columns"
        )
