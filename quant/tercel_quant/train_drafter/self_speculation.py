"""The search of skipped layers from a text to the drafter's file."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tercel.device.emulator import EmulatorDevice
from tercel.errors import TercelError
from tercel.image import Image
from tercel.runtime import open_device
from tercel.sampling import SamplingConfig
from tercel.speculation.drafter_file import save_drafter
from tercel.speculation.drafters.self_speculation import KIND, LayerMask
from tercel_quant.train_drafter.layer_search import (
    LayerSearchConfig,
    MaskFigures,
    accepted_by_depth,
    first_prompts,
    mask_figures,
    search_layers,
    write_texts,
)
from tercel_quant.train_drafter.pass_costs import PassCosts, measure_costs

__all__ = ["layer_judge", "search_best_layers", "search_self_speculation"]


def search_self_speculation(
    image: Image,
    tokens: npt.NDArray[np.unsignedinteger],
    *,
    path: Path,
    config: LayerSearchConfig,
    device: str,
    report: Callable[[str], None],
) -> MaskFigures:
    """Search the layers of drafts and write the drafter's file.

    Acceptance is judged on the emulator, whose bits are every device's; times are measured.

    Parameters
    ----------
    tokens
        Text of the kind of the prompts.
    path
        The file to write.
    device
        Name of the device whose passes are timed.
    report
        Called with a line for each set of layers that is the best so far.

    Raises
    ------
    TercelError
        If the rows are not the model's, the text is too short, or there is no such device.
    """
    if config.head_rows > image.config.vocab_size:
        raise TercelError(
            f"head_rows of {image.config.name} must be at most {image.config.vocab_size}, "
            f"not {config.head_rows}"
        )
    prompts = first_prompts(tokens, config)
    timed = open_device(device, image)
    count = config.prompt + timed.limits.nodes
    costs = measure_costs(
        timed,
        tokens=[int(token) for token in np.resize(tokens, min(count, timed.limits.context))],
        sampling=SamplingConfig(temperature=config.temperature),
        head_rows=config.head_rows,
        top_k=config.top_k,
    )
    judge = layer_judge(image, prompts, costs, config)
    layers = image.config.layers
    best = search_best_layers(judge, layers=layers, config=config, report=report)[0]
    save_drafter(
        path,
        kind=KIND,
        image=image,
        tensors={
            "layer_mask": np.array(best.mask, np.uint8),
            "head_rows": np.array([config.head_rows], np.uint32),
            "top_k": np.array([config.top_k], np.uint32),
        },
        settings={
            "device": device,
            "temperature": config.temperature,
            "trials": config.trials,
            "seed": config.seed,
            "accepted": best.accepted,
            "drafted": best.drafted,
            "gain": best.gain,
        },
    )
    return best


def layer_judge(
    image: Image, prompts: list[list[int]], costs: PassCosts, config: LayerSearchConfig
) -> Callable[[LayerMask], MaskFigures]:
    """The figures of sets of layers on the texts that the model writes behind some prompts."""
    emulator = EmulatorDevice(image)
    texts = write_texts(emulator, prompts, config)

    def judge(mask: LayerMask) -> MaskFigures:
        return mask_figures(mask, accepted_by_depth(emulator, texts, mask, config), costs)

    return judge


def search_best_layers(
    judge: Callable[[LayerMask], MaskFigures],
    *,
    layers: int,
    config: LayerSearchConfig,
    report: Callable[[str], None],
) -> list[MaskFigures]:
    """Search with a report of each set that is the best so far; all sets, the best first."""
    best = 0.0

    def progress(figures: MaskFigures) -> None:
        nonlocal best
        if figures.gain > best:
            best = figures.gain
            report(f"{figures.description}: gain {figures.gain:.3f}")

    return search_layers(judge, layers=layers, config=config, progress=progress)
