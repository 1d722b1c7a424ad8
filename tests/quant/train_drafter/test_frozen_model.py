import dataclasses

import pytest
import torch

from tercel.config import PRESETS
from tercel.errors import TercelError
from tercel.image import Image, random_image
from tercel_quant.reference import hidden_states
from tercel_quant.train_drafter.frozen_model import FrozenModel
from tercel_quant.weights import ImageWeights

TINY = dataclasses.replace(PRESETS["tiny"], context=64)
CONFIGS = {
    "tiny": TINY,
    "grouped": dataclasses.replace(TINY, kv_heads=1),
    "relu2": dataclasses.replace(TINY, activation="relu2", sub_norms=True),
}


@pytest.fixture(params=CONFIGS)
def weights(request, tmp_path):
    random_image(tmp_path / "tiny.tercel", CONFIGS[request.param], seed=1)
    return ImageWeights(Image.open(tmp_path / "tiny.tercel"))


def random_tokens(windows, time, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(TINY.vocab_size, (windows, time), generator=generator)


def test_whole_windows_are_those_of_the_reference(weights):
    tokens = random_tokens(2, 20)
    assert torch.equal(FrozenModel(weights).read(tokens).stream, hidden_states(weights, tokens))


def test_nodes_after_a_past_are_those_of_the_whole_text(weights):
    model, tokens = FrozenModel(weights), random_tokens(2, 12)
    whole = model.read(tokens).stream
    past = model.read(tokens[:, :9])
    visible = torch.ones(3, 12, dtype=torch.bool).tril(9)
    found = model.run(model.embed(tokens[:, 9:]), torch.arange(9, 12), past, visible)
    torch.testing.assert_close(found.stream, whole[:, 9:], rtol=1e-4, atol=1e-4)
    assert found.keys[0].shape[2] == 3


def test_gradients_pass_the_rounding_as_if_it_were_none(weights):
    model, tokens = FrozenModel(weights), random_tokens(1, 8)
    past = model.read(tokens)
    visible = torch.ones(1, 9, dtype=torch.bool)
    rows = model.embed(tokens[:, :1]).clone().requires_grad_()

    def score(rows):
        found = model.run(rows, torch.tensor([8]), past, visible)
        return model.logits(found.stream).log_softmax(-1)[0, 0, 3]

    score(rows).backward()
    assert rows.grad is not None
    step = rows.grad / rows.grad.norm() * rows.norm() * 0.3
    with torch.no_grad():  # rounding hides small steps; a larger one along the gradient gains
        assert score(rows + step) > score(rows) > score(rows - step)


def test_a_window_within_the_context_is_read(weights):
    with pytest.raises(TercelError, match="a window has at most 64 tokens, not 65"):
        FrozenModel(weights).read(random_tokens(1, 65))
