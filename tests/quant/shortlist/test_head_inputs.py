import numpy as np
import torch

from tercel import numerics
from tercel.device import Ask
from tercel.device.emulator import EmulatorDevice
from tercel_quant.shortlist.head_inputs import head_inputs


def test_they_are_what_the_head_of_the_device_reads(image):
    windows = torch.tensor([[5, 90, 33, 7, 255], [1, 2, 3, 4, 5]])
    told = []
    device = EmulatorDevice(image, nodes=2)
    found = head_inputs(device, image, windows, told.append)
    assert told == [5, 10]
    assert device.length == 0
    assert found.values.shape == (10, 64)
    unscaled = numerics.head_logits(*image.rows("head"), found)
    for index, window in enumerate(windows.tolist()):
        nodes = tuple(range(5))
        result = EmulatorDevice(image).run_pass(window, ask=Ask(logits=nodes))
        for node in nodes:
            place = 5 * index + node
            logits = numerics.multiply(unscaled[place], found.scale[place])
            assert np.array_equal(result.logits[node], logits)
