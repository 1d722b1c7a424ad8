"""One whole training of prompt tokens: own text, steps, chances, file."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from tercel.image import Image
from tercel.speculation.drafter_file import save_drafter
from tercel.speculation.drafters.ppd import RANKS
from tercel_quant.train_drafter.frozen_model import FrozenModel
from tercel_quant.train_drafter.guess_chances import guess_chances
from tercel_quant.train_drafter.own_text import OwnTextConfig, TextPart, write_own_text
from tercel_quant.train_drafter.prompt_tokens import PromptTokenConfig, PromptTokenTrainer
from tercel_quant.train_drafter.training_run import run_steps
from tercel_quant.weights import ImageWeights

__all__ = ["pieces", "train_ppd"]

WINDOW = 128
"""Most tokens of a window of text."""
HELD_OUT = 8
"""One of so many windows is kept for the chances."""
MEASURED = 64
"""Most windows on which the chances are measured."""
PLACES = 24
"""Places of a held-out window."""
TEMPERATURE = 0.8
"""Temperature of the chances with noise."""


def train_ppd(
    image: Image,
    texts: Sequence[Path],
    output: Path,
    folder: Path,
    *,
    own: OwnTextConfig,
    config: PromptTokenConfig,
    progress: bool = True,
    report: Callable[[str], None] = lambda line: None,
) -> dict[str, Tensor]:
    """Train prompt tokens and write their file; a second run resumes.

    Parameters
    ----------
    image
    texts
        Files whose passages the model continues.
    output
    folder
        For the own text (``text``) and the checkpoint (``ppd.pt``).
    own, config
        Size of the text and parameters of the training.

    Returns
    -------
    By name, the chances ``[m, RANKS]`` on held-out text, which the file has too.

    Raises
    ------
    TercelError
        If an input is refused, or the folder belongs to another run.
    KeyboardInterrupt
        After a checkpoint.
    """
    torch.set_num_threads(1)
    parts = write_own_text(image, texts, folder / "text", own, report=report)
    windows = pieces(torch.cat([TextPart.load(path).tokens for path in parts]), WINDOW)
    held_out = torch.arange(len(windows)) % HELD_OUT == HELD_OUT - 1
    model = FrozenModel(ImageWeights(image))
    trainer = PromptTokenTrainer(model, config, windows[~held_out], folder / "ppd.pt")
    run_steps(trainer, config.steps, progress=progress)
    rows = trainer.rows.detach()
    chances = {
        name: guess_chances(
            model,
            rows,
            windows[held_out][:MEASURED],
            ranks=RANKS,
            temperature=temperature,
            places=PLACES,
            seed=config.seed,
        )
        for name, temperature in (("greedy", 0.0), ("sampled", TEMPERATURE))
    }
    tensors = {f"acceptance.{name}": table.float().numpy() for name, table in chances.items()}
    settings = {"own_text": asdict(own), "training": asdict(config), "temperature": TEMPERATURE}
    settings["texts"] = [path.name for path in texts]
    save_drafter(
        output,
        kind="ppd",
        image=image,
        tensors={"rows": rows.numpy(), **tensors},
        settings=settings,
    )
    return chances


def pieces(tokens: Tensor, window: int) -> Tensor:
    """Sequences ``[n, time]`` cut into windows of at most ``window`` tokens; a rest is dropped."""
    window = min(window, tokens.shape[1])
    return tokens[:, : tokens.shape[1] // window * window].reshape(-1, window)
