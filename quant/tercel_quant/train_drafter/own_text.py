"""Text that a model wrote itself, with its hidden states and distributions: the training data."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file, save
from torch import Tensor

from tercel.errors import TercelError
from tercel.files import make_folder, write_whole
from tercel.image import Image
from tercel.runtime import TextTokenizer
from tercel.speculation.drafter_file import model_identity
from tercel_quant.train_drafter.batch_decoder import BatchDecoder
from tercel_quant.weights import ImageWeights

__all__ = ["OwnTextConfig", "TextPart", "write_own_text"]

CHARACTERS = 16
"""Length of a passage per token of a prompt, more than any language needs."""


@dataclass(frozen=True, kw_only=True)
class OwnTextConfig:
    """Size and sampling of the text.

    Raises
    ------
    TercelError
        If a field breaks its rule.
    """

    tokens: int = 360_000
    """Tokens of all sequences, prompts included, rounded up to whole parts."""
    sequences: int = 128
    """Sequences of a part, which are decoded together."""
    prompt: int = 64
    """Tokens of a prompt, which are cut from the text at random places."""
    length: int = 256
    """Tokens of a sequence."""
    temperatures: tuple[float, ...] = (0.0, 0.4, 0.6, 0.8, 0.8, 0.8, 1.0, 1.0)
    """Sequence ``i`` has the temperature ``i`` modulo their number."""
    top: int = 32
    """Tokens of the model's distribution that are kept."""
    seed: int = 0

    def __post_init__(self):
        if self.tokens < 1 or self.sequences < 1:
            raise TercelError("the text needs at least one token and one sequence")
        if not 1 <= self.prompt < self.length:
            raise TercelError(
                f"a prompt has 1 to {self.length - 1} tokens, fewer than the length, "
                f"not {self.prompt}"
            )
        if not self.temperatures or min(self.temperatures) < 0:
            raise TercelError(f"temperatures must be 0 or more, not {self.temperatures}")

    @property
    def parts(self) -> int:
        return -(-self.tokens // (self.sequences * self.length))


@dataclass(frozen=True, kw_only=True, eq=False)
class TextPart:
    """Sequences and the model's results for each of their positions."""

    tokens: Tensor
    """int64 ``[sequences, time]``."""
    hidden: Tensor
    """float16 ``[sequences, time, hidden_size]``, the residual stream before the final norm."""
    top_ids: Tensor
    """int64 ``[sequences, time, top]``, the likeliest tokens after each position, best first."""
    top_logs: Tensor
    """float16 ``[sequences, time, top]``, their log-probabilities."""

    @classmethod
    def load(cls, path: Path) -> "TextPart":
        """Read a file of :func:`write_own_text`.

        Raises
        ------
        TercelError
            If the file is missing or damaged.
        """
        try:
            arrays = load_file(path)
            return cls(
                tokens=torch.from_numpy(arrays["tokens"].astype(np.int64)),
                hidden=torch.from_numpy(arrays["hidden"]),
                top_ids=torch.from_numpy(arrays["top_ids"].astype(np.int64)),
                top_logs=torch.from_numpy(arrays["top_logs"]),
            )
        except (OSError, SafetensorError, KeyError) as error:
            raise TercelError(
                f"{path} is no part of a model's own text ({error}); delete it and run again"
            ) from None


def write_own_text(
    image: Image,
    texts: Sequence[Path],
    folder: Path,
    config: OwnTextConfig,
    *,
    report: Callable[[str], None] = lambda line: None,
) -> list[Path]:
    """Let a model continue passages of a text; keep parts that an earlier run has written.

    Each part is a pure function of the model, the texts, the config and the part's number.

    Returns
    -------
    The files of the parts, in order; :meth:`TextPart.load` reads them.

    Raises
    ------
    TercelError
        If a text cannot be read or is too short, or the folder has the parts of another model, text
        or config.
    """
    _claim(folder, image, texts, config)
    paths = [folder / f"text-{part:03}.safetensors" for part in range(config.parts)]
    missing = [part for part, path in enumerate(paths) if not path.exists()]
    if not missing:
        return paths
    tokenizer = TextTokenizer.of_image(image)
    content = "\n\n".join(_read(path) for path in texts)
    decoder = BatchDecoder(ImageWeights(image), sequences=config.sequences, context=config.length)
    for part in missing:
        prompts = _prompts(content, tokenizer, config, part)
        write_whole(paths[part], _write_part(decoder, prompts, config, part))
        report(f"part {part + 1} of {config.parts} of the model's own text is written")
    return paths


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TercelError(f"the text {path} cannot be read: {error}") from None


def _claim(folder: Path, image: Image, texts: Sequence[Path], config: OwnTextConfig) -> None:
    """Note in the folder what its parts are made of; refuse a folder of something else."""
    make_folder(folder)
    sources = [[path.name, path.stat().st_size] for path in texts]
    facts = {"model": model_identity(image), "texts": sources, **asdict(config)}
    facts["temperatures"] = list(config.temperatures)
    del facts["tokens"]  # more of them are more parts
    path = folder / "text.json"
    if path.exists() and any(folder.glob("text-*.safetensors")):
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            raise TercelError(f"{path} is damaged; delete the folder {folder}") from None
        if changed := [name for name in facts if before.get(name) != facts[name]]:
            raise TercelError(
                f"{folder} has a model's own text with another {', '.join(changed)}; "
                "use the same values, or another folder"
            )
    write_whole(path, (json.dumps(facts, indent=1) + "\n").encode())


def _prompts(content: str, tokenizer: TextTokenizer, config: OwnTextConfig, part: int) -> Tensor:
    """Passages that start behind a white space, int64 ``[sequences, prompt]``."""
    generator = np.random.Generator(np.random.PCG64([config.seed, part]))
    span = CHARACTERS * config.prompt
    rows: list[list[int]] = []
    for _ in range(100 * config.sequences):
        start = int(generator.integers(0, max(1, len(content) - span)))
        passage = content[start : start + span].partition(" ")[2]
        tokens = tokenizer.encode(passage)[: config.prompt]
        if len(tokens) == config.prompt:
            rows.append(tokens)
        if len(rows) == config.sequences:
            return torch.tensor(rows)
    raise TercelError(
        f"the text has no {config.sequences} passages of {config.prompt} tokens; give more text"
    )


def _write_part(decoder: BatchDecoder, prompts: Tensor, config: OwnTextConfig, part: int) -> bytes:
    temperatures = torch.tensor(
        [config.temperatures[row % len(config.temperatures)] for row in range(config.sequences)]
    )
    generator = torch.Generator().manual_seed(config.seed * 1_000_003 + part)
    decoder.reset()
    tokens, inputs = [prompts], prompts
    hidden, top_ids, top_logs = [], [], []
    for _ in range(config.length - config.prompt + 1):
        stream, logits = decoder.read(inputs)
        best = logits.log_softmax(-1).topk(config.top, sorted=True)
        hidden.append(stream.half())
        top_ids.append(best.indices.int())
        top_logs.append(best.values.half())
        inputs = _draw(logits[:, -1], temperatures, generator)
        tokens.append(inputs)
    arrays = {
        "tokens": torch.cat(tokens[:-1], 1).int().numpy(),
        "hidden": torch.cat(hidden, 1).numpy(),
        "top_ids": torch.cat(top_ids, 1).numpy(),
        "top_logs": torch.cat(top_logs, 1).numpy(),
    }
    return save(arrays)


def _draw(logits: Tensor, temperatures: Tensor, generator: torch.Generator) -> Tensor:
    """One token ``[sequences, 1]`` after each row of logits, by inversion of the distribution."""
    tempered = logits / temperatures.clamp(min=1e-3)[:, None]
    sums = tempered.softmax(-1).cumsum(-1)
    levels = torch.rand(len(logits), 1, generator=generator) * sums[:, -1:]
    drawn = torch.searchsorted(sums, levels, right=True).clamp(max=logits.shape[1] - 1)
    return torch.where(temperatures[:, None] > 0, drawn, logits.argmax(-1, keepdim=True))
