"""Facts about a checkpoint without converting it: layout, granularity, refusals."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from torch import Tensor

from tercel.errors import TercelError
from tercel.image import check_tokenizer
from tercel.runtime import TextTokenizer
from tercel_quant.conversion_plan import finest_granularity, has_ternary_head
from tercel_quant.importers import Checkpoint, GroupedTernary, Ternary, open_checkpoint
from tercel_quant.importers.tensor_store import TensorStore
from tercel_quant.importers.ternary import recognise

__all__ = ["checkpoint_facts"]

FIRST_LAYER = re.compile(r"\.layers\.0\..*weight$")
SPARSE_GROUP = 4
"""Weights of a group of a 3:4 sparse format, one of which is 0."""

AS_IT_IS = "imported as it is"

Matrix = Tensor | Ternary | GroupedTernary


def checkpoint_facts(path: Path, *, i2s_layout: str | None = None) -> dict[str, Any]:
    """Facts about a checkpoint, for JSON.

    Parameters
    ----------
    path : Path
        A folder, a GGUF file, or a file of weights beside its config.json.
    i2s_layout : str, optional
        As that of :func:`open_checkpoint`.

    Returns
    -------
    dict
        ``layout`` (a description) and ``config`` (the fields of the model config that an image
        would have), both ``None`` if the checkpoint is refused; ``refused``, the reasons;
        ``weights``, a description of the weights to the names of the matrices that it is true of,
        in the first and the last layer;
        ``head_size``, that of the checkpoint before padding; ``conversion``, the way to convert it
        or ``None``; ``tokenizer``, a description.

    Raises
    ------
    TercelError
        If the path is no checkpoint.
    """
    if path.suffix in (".safetensors", ".bin") and (path.parent / "config.json").exists():
        path = path.parent
    facts: dict[str, Any] = {"path": str(path), "layout": None, "config": None}
    facts |= {"refused": [], "tokenizer": None, "conversion": None, "head_size": None}
    try:
        checkpoint = open_checkpoint(path, i2s_layout=i2s_layout)
    except TercelError as error:
        if not (path / "config.json").exists():
            raise
        facts["refused"].append(str(error))
        facts["weights"] = _described(_matrices_of_folder(path), declared=False)
        return facts
    facts["layout"] = checkpoint.description
    facts["config"] = checkpoint.config.to_fields()
    padding = checkpoint.padding
    facts["head_size"] = checkpoint.config.head_size if padding is None else padding.size
    matrices: dict[str, Matrix] = {}
    facts["weights"] = {}
    try:
        facts["tokenizer"] = _tokenizer(checkpoint)
        matrices = dict(_matrices(checkpoint))
        facts["weights"] = _described(matrices.items(), declared=checkpoint.declared_ternary)
        checkpoint.chat()  # both refuse what is malformed
        checkpoint.sampling()
    except TercelError as error:
        facts["refused"].append(str(error))
    else:
        _tell_conversion(facts, checkpoint, matrices)
    return facts


def _matrices(checkpoint: Checkpoint) -> Iterator[tuple[str, Matrix]]:
    """Name and weights of all matrices of the first and the last layer."""
    for layer in sorted({0, checkpoint.config.layers - 1}):
        for part in checkpoint.config.linears():
            yield (name := f"layers.{layer}.{part}"), checkpoint.matrix(name)


def _matrices_of_folder(folder: Path) -> Iterator[tuple[str, Matrix]]:
    """Name and weights of the first layer's matrices, whatever the model is."""
    try:
        store = TensorStore(folder)
    except TercelError:
        return
    for name, shape in store.shapes.items():
        if FIRST_LAYER.search(name) and len(shape) == 2:
            weight = store.read(name)
            if weight.dtype.is_floating_point:
                yield name, recognise(weight.float()) or weight


def _described(matrices: Any, *, declared: bool) -> dict[str, list[str]]:
    """Description of weights to the names of the matrices that it is true of."""
    found: dict[str, list[str]] = {}
    for name, weight in matrices:
        found.setdefault(_description(weight, declared), []).append(name)
    return found


def _description(weight: Matrix, declared: bool) -> str:
    if isinstance(weight, Tensor):
        return "float masters of ternary weights" if declared else "floats that are not ternary"
    sparse = ", 3:4 sparse" if _is_sparse(weight.trits) else ""
    scales = f", {weight.scales.numel()} scales" if isinstance(weight, GroupedTernary) else ""
    return f"ternary with {weight.granularity}{' per matrix' * (not scales)}{scales}{sparse}"


def _is_sparse(trits: Tensor) -> bool:
    """True if exactly one of every four weights of a row is 0."""
    if trits.shape[1] % SPARSE_GROUP:
        return False
    zeros = (trits.reshape(-1, SPARSE_GROUP) == 0).sum(1)
    return bool((zeros == 1).all())


def _tokenizer(checkpoint: Checkpoint) -> str:
    data = checkpoint.tokenizer()
    if data is None:
        return "none; give one to tercel quantize with --tokenizer"
    check_tokenizer(data, checkpoint.config.vocab_size)
    TextTokenizer(data)  # refuses a kind that the runtime does not decode
    count = Tokenizer.from_str(data.decode()).get_vocab_size(with_added_tokens=True)
    return f"{count} of the embedding's {checkpoint.config.vocab_size} ids"


def _tell_conversion(
    facts: dict[str, Any], checkpoint: Checkpoint, matrices: dict[str, Matrix]
) -> None:
    """Add the way to convert a checkpoint, in words, and the granularity that its image has."""
    config = checkpoint.config
    if checkpoint.declared_ternary:
        facts["conversion"] = AS_IT_IS
        return
    try:
        granularity = finest_granularity(config, matrices.items())
    except TercelError as error:
        facts["conversion"] = f"only at a loss: {error}"
        return
    if any(isinstance(weight, Tensor) for weight in matrices.values()):
        facts["conversion"] = (
            "with --method absmean if these are masters of a ternary model that its files do not "
            "call so, such as the revision prequantized of Falcon-E; else ternarised by --method "
            "calibrated, at a loss"
        )
        return
    head = granularity == "group" and has_ternary_head(checkpoint)
    facts["config"] = replace(config, granularity=granularity, ternary_head=head).to_fields()
    facts["conversion"] = AS_IT_IS
    if granularity != "tensor":
        facts["conversion"] += f", with scales of the granularity {granularity!r}"
    if head:
        facts["conversion"] += "; embedding and head are ternary as well"
