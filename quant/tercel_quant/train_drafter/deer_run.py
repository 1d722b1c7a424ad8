"""One whole training of the one-step diffusion drafter: own text, two stages, file."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from tercel.image import Image
from tercel.speculation.drafter_file import save_drafter
from tercel_quant.train_drafter.block_model import BlockConfig, BlockModel
from tercel_quant.train_drafter.block_trainer import BlockTrainer, BlockTrainingConfig
from tercel_quant.train_drafter.own_text import OwnTextConfig, TextPart, write_own_text
from tercel_quant.train_drafter.training_run import run_steps
from tercel_quant.weights import ImageWeights

__all__ = ["train_deer"]

TOP = 16
"""Tokens of the target's distribution that the losses see."""


def train_deer(
    image: Image,
    texts: Sequence[Path],
    output: Path,
    folder: Path,
    *,
    own: OwnTextConfig,
    shape: BlockConfig,
    config: BlockTrainingConfig,
    words: int,
    progress: bool = True,
    report: Callable[[str], None] = lambda line: None,
) -> float:
    """Train the drafter and write its file; a second run resumes.

    Parameters
    ----------
    image
    texts
        Files whose passages the model continues.
    output
    folder
        For the own text (``text``) and the checkpoint (``deer.pt``).
    own, shape, config
        Size of the text, shape of the drafter, parameters of the training.
    words
        Tokens that can be drafted: the most frequent ones of the own text.

    Returns
    -------
    Share of the own text that can be drafted.

    Raises
    ------
    TercelError
        If an input is refused, or the folder belongs to another run.
    KeyboardInterrupt
        After a checkpoint.
    """
    torch.set_num_threads(1)
    parts = [
        TextPart.load(path)
        for path in write_own_text(image, texts, folder / "text", own, report=report)
    ]
    tokens = torch.cat([part.tokens for part in parts])
    size = image.config.vocab_size
    counts = torch.bincount(tokens[:, own.prompt :].flatten(), minlength=size)
    vocabulary = counts.topk(min(words, size)).indices.sort().values
    index = torch.full((size,), -1)
    index[vocabulary] = torch.arange(len(vocabulary))
    weights = ImageWeights(image)
    model = BlockModel(shape, weights.embed(torch.arange(size)), weights.head()[vocabulary])
    model.initialise(config.seed)
    trainer = BlockTrainer(
        model,
        config,
        tokens=tokens,
        top_ids=index[torch.cat([part.top_ids[..., :TOP] for part in parts])],
        top_logs=torch.cat([part.top_logs[..., :TOP] for part in parts]),
        checkpoint=folder / "deer.pt",
    )
    run_steps(trainer, config.steps, progress=progress)
    tensors = {name: value.half().numpy() for name, value in model.state_dict().items()}
    tensors["vocabulary"] = vocabulary.numpy().astype(np.int32)
    settings = {"own_text": asdict(own), "training": asdict(config), **asdict(shape)}
    settings["texts"] = [path.name for path in texts]
    save_drafter(output, kind="deer", image=image, tensors=tensors, settings=settings)
    return float(counts[vocabulary].sum() / counts.sum())
