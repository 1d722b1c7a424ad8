"""One whole training of heads: own text, vocabulary, updates, calibration, file."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from tercel.image import Image
from tercel_quant.train_drafter.calibration import TEMPERATURES, Calibration, calibrate
from tercel_quant.train_drafter.head_data import HeadData
from tercel_quant.train_drafter.head_file import write_heads
from tercel_quant.train_drafter.head_model import HeadModel
from tercel_quant.train_drafter.head_trainer import HeadTrainer, HeadTraining
from tercel_quant.train_drafter.own_text import OwnTextConfig, write_own_text

__all__ = ["train_heads"]


def train_heads(
    kind: str,
    build: Callable[[Image, HeadData], HeadModel],
    image: Image,
    texts: Sequence[Path],
    output: Path,
    folder: Path,
    *,
    own: Mapping[str, Any],
    heads: Mapping[str, Any],
    training: Mapping[str, Any],
    progress: bool = True,
    report: Callable[[str], None] = lambda line: None,
) -> dict[str, object]:
    """Train heads and write their file; a second run resumes.

    Parameters
    ----------
    kind
        Kind of the file.
    build
        The untrained heads.
    image
    texts
        Files whose passages the model continues.
    output
    folder
        For the own text (``text``) and the checkpoint (``KIND.pt``).
    own, heads, training
        Fields of :class:`OwnTextConfig`, arguments of :class:`HeadData`, fields of
        :class:`HeadTraining`.

    Returns
    -------
    Figures for the user.

    Raises
    ------
    TercelError
        If an input is refused, or the folder belongs to another run.
    KeyboardInterrupt
        After a checkpoint.
    """
    # More threads slow products of this size down, and make their sums depend on the machine.
    torch.set_num_threads(1)
    torch.manual_seed(training["seed"])
    text = OwnTextConfig(**own)
    config = HeadTraining(**training)
    parts = write_own_text(image, texts, folder / "text", text, report=report)
    data = HeadData(parts, image.config, prompt=text.prompt, **heads)
    report(
        f"{data.positions:,} positions; {len(data.vocabulary.ids)} rows cover "
        f"{100 * data.vocabulary.covered:.1f} % of the text"
    )
    model = build(image, data)
    HeadTrainer(model, data, config, checkpoint=folder / f"{kind}.pt", progress=progress).run()
    calibration = calibrate(model, data)
    settings = {**own, **heads, **training, "texts": [path.name for path in texts]}
    write_heads(
        output,
        kind=kind,
        image=image,
        model=model,
        data=data,
        calibration=calibration,
        settings=settings,
    )
    return _figures(model, data, calibration)


def _figures(model: HeadModel, data: HeadData, calibration: Calibration) -> dict[str, object]:
    def listed(values: torch.Tensor) -> str:
        return " ".join(f"{value:.3f}" for value in values.tolist())

    facts: dict[str, object] = {
        "parameters": f"{sum(value.numel() for value in model.parameters()):,}",
        "tokens of the own text with a row": f"{data.vocabulary.covered:.4f}",
    }
    for index, temperature in enumerate(TEMPERATURES):
        facts |= {
            f"first guess right at temperature {temperature:g}, by depth": listed(
                calibration.accuracy[index, :, 0]
            ),
            f"draw among the candidates at {temperature:g}": listed(calibration.coverage[index]),
            f"error of a logit at {temperature:g}, nats": listed(calibration.spread[index]),
        }
    return facts
