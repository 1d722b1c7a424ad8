"""Decoding in steps gives the results of the reference on whole windows."""

import pytest
import torch

from tercel_quant.reference import head_logits, hidden_states
from tercel_quant.train_drafter.batch_decoder import BatchDecoder
from tercel_quant.weights import ImageWeights


@pytest.mark.parametrize("steps", [(12,), (5, 1, 1, 5), (1,) * 12])
def test_steps_of_any_length_equal_whole_windows(image, steps):
    weights = ImageWeights(image)
    tokens = torch.randint(0, 256, (3, 12), generator=torch.Generator().manual_seed(0))
    decoder = BatchDecoder(weights, sequences=3, context=12)
    for _ in range(2):
        decoder.reset()
        found = [decoder.read(part) for part in tokens.split(list(steps), 1)]
        stream = torch.cat([part for part, _ in found], 1)
        logits = torch.cat([part for _, part in found], 1)
        expected = hidden_states(weights, tokens)
        assert torch.allclose(stream, expected, atol=2e-2 * float(expected.std()))
        expected = torch.cat(list(head_logits(weights, stream.flatten(0, 1)))).view_as(logits)
        assert torch.allclose(logits, expected, atol=1e-4)
