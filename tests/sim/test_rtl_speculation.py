"""Speculation on the simulated accelerator gives the text of plain decoding on the emulator."""

import numpy as np
import pytest

from tercel.device.emulator import EmulatorDevice
from tercel.sampling import Sampler, SamplingConfig
from tercel.speculation import DraftBudget, DraftState, Speculator
from tercel.speculation.methods import AUTO, DraftSources, open_speculator

PROMPT = [5, 17, 3, 5, 17]
TOKENS = 24
SAMPLINGS = {
    "greedy": SamplingConfig(),
    "temperature": SamplingConfig(temperature=0.8, seed=2),
    "top-p": SamplingConfig(temperature=1.2, top_p=0.8, seed=3),
}


def generate(device, sampling, speculator):
    """The tokens after a prompt, and the sizes of the passes."""
    sampler = Sampler(sampling, limits=device.limits, vocab_size=device.config.vocab_size)
    device.reset()
    speculator.reset()
    device.prefill(PROMPT[:-1])
    text, sizes = list(PROMPT), []
    while len(text) < len(PROMPT) + TOKENS:
        waiting = text[device.length :]
        nodes = device.limits.nodes - len(waiting)
        round = speculator.run(
            device,
            DraftState(tokens=text, position=len(text) - 1, sampling=sampling),
            waiting,
            sampler,
            DraftBudget(nodes=nodes, depth=nodes),
        )
        device.commit(round.kept_nodes)
        text += round.tokens
        sizes.append(round.nodes)
        speculator.observe(round)
    return text[len(PROMPT) : len(PROMPT) + TOKENS], sizes


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("method", [AUTO, "suffix", "recycle"])
def test_the_text_is_that_of_plain_decoding(
    rtl_device, random_images, four_lanes, little_model, method, sampling
):
    rtl = rtl_device(little_model, four_lanes, seed=1)
    image = random_images(little_model, four_lanes, 1)
    emulator = EmulatorDevice(image, nodes=1)
    expected, _ = generate(emulator, SAMPLINGS[sampling], Speculator())
    speculator = open_speculator(method, DraftSources(image=image, device=rtl))
    found, sizes = generate(rtl, SAMPLINGS[sampling], speculator)
    assert found == expected
    assert max(sizes) == four_lanes.nodes  # it did draft
    assert np.mean(sizes) > 1
