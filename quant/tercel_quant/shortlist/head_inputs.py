"""The inputs of a model's head over a text, from the device's own passes."""

from collections.abc import Callable

import numpy as np
from torch import Tensor

from tercel import numerics
from tercel.device import Ask, Device
from tercel.image import Image
from tercel.numerics import Quantised

__all__ = ["head_inputs"]


def head_inputs(
    device: Device, image: Image, windows: Tensor, report: Callable[[int], None]
) -> Quantised:
    """Run windows of tokens and gather what the head reads after each token.

    Parameters
    ----------
    device : Device
        A device with the image's model; its cache is reset before every window and after the last.
    image : Image
        An image with an int8 head.
    windows : Tensor, int64, shape (windows, time)
    report : callable
        Called with the number of tokens after each window.

    Returns
    -------
    Quantised
        Int8 values ``[windows * time, hidden_size]`` and their scales.
    """
    hidden = np.empty((*windows.shape, image.config.hidden_size), np.float32)
    for index, window in enumerate(windows.tolist()):
        device.reset()
        for start in range(0, len(window), device.limits.nodes):
            tokens = window[start : start + device.limits.nodes]
            nodes = range(len(tokens))
            result = device.run_pass(tokens, ask=Ask(argmax=False, hidden=tuple(nodes)))
            for node in nodes:
                hidden[index, start + node] = result.hidden[node]
            device.commit(nodes)
        report((index + 1) * len(window))
    device.reset()
    stream = hidden.reshape(-1, image.config.hidden_size)
    return numerics.norm_quantise(stream, image.gain("norm"), image.config.norm_epsilon)
