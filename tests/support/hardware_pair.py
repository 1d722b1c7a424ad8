"""A model on hardware, compared with the emulator."""

import numpy as np
import pytest

from tercel.device import Ask
from tercel.device.emulator import EmulatorDevice
from tercel.errors import TercelError

TOKENS = [5, 17, 3, 38]


class Pair:
    """A model on hardware and on the emulator, pass by pass."""

    def __init__(self, device, image):
        self.hardware = device
        self.emulator = EmulatorDevice(image, nodes=device.limits.nodes)

    def step(self, tokens, *, parents=None, path=None):
        nodes = tuple(range(min(2, len(tokens))))
        ask, results = Ask(top_k=2, logits=nodes, hidden=nodes), []
        for device in (self.hardware, self.emulator):
            result = device.run_pass(tokens, parents=parents, ask=ask)
            device.commit(range(len(tokens)) if path is None else path)
            results.append(result)
        found, expected = results
        assert np.array_equal(found.argmax, expected.argmax)
        assert np.array_equal(found.top_ids, expected.top_ids)
        assert np.array_equal(found.top_logits, expected.top_logits)
        rows = np.arange(self.hardware.config.vocab_size)
        for node in range(min(2, len(tokens))):
            assert np.array_equal(found.logits[node], expected.logits[node])
            assert np.array_equal(found.logits_at(node, rows[::5]), expected.logits[node][::5])
            assert np.array_equal(found.hidden[node], expected.hidden[node])

    def same_cache(self):
        for layer in range(self.hardware.config.layers):
            found, expected = (
                device.read_cache(layer, self.emulator.length)
                for device in (self.hardware, self.emulator)
            )
            for name in ("keys", "values", "key_scales", "value_scales"):
                if not np.array_equal(getattr(found, name), getattr(expected, name)):
                    return False
        return True

    def works(self):
        """Passes and cache are right."""
        self.step(TOKENS[:2])
        self.step(TOKENS, parents=[-1, 0, 0, 1], path=[0, 2])
        assert self.same_cache()

    def fails(self, message):
        """A pass on the hardware alone, which must fail with a message and keep the cache."""
        length = self.hardware.length
        with pytest.raises(TercelError, match=message):
            self.hardware.run_pass(TOKENS[:2], ask=Ask(top_k=2, logits=(0, 1), hidden=(0, 1)))
        assert self.hardware.length == length
