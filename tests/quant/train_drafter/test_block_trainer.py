"""The block model of training against that of drafting, and its training."""

import dataclasses

import numpy as np
import pytest
import torch

from tercel.errors import TercelError
from tercel.speculation.drafters.block_model import BlockModel as DraftingModel
from tercel_quant.train_drafter.block_model import BlockConfig, BlockModel
from tercel_quant.train_drafter.block_trainer import BlockTrainer, BlockTrainingConfig

SHAPE = BlockConfig(context=4, masks=2, heads=2, ffn_size=16)
CONFIG = BlockTrainingConfig(
    continuation_steps=20, refinement_steps=10, batch=16, learning_rate=1e-2
)
WORDS, WIDTH = 6, 16


def make_model(seed=1):
    generator = torch.Generator().manual_seed(5)
    embedding = torch.randn(WORDS, WIDTH, generator=generator)
    model = BlockModel(SHAPE, embedding, embedding.clone())
    model.initialise(seed)
    return model


def cycle(length=20, rows=8):
    """Text in which every token follows from the one before, and its distributions."""
    tokens = (torch.arange(length) + torch.arange(rows)[:, None]) % WORDS
    ids = torch.stack(((tokens + 1) % WORDS, torch.full_like(tokens, -1)), dim=-1)
    logs = torch.log(torch.tensor([0.75, 0.25])).expand(rows, length, 2)
    return {"tokens": tokens, "top_ids": ids, "top_logs": logs}


def test_drafting_computes_what_training_does():
    model = make_model()
    tokens = torch.tensor([[0, 3, 1, 5], [2, 2, 0, 4]])
    expected = model(tokens).detach().numpy()
    drafting = DraftingModel(
        {name: tensor.numpy() for name, tensor in model.state_dict().items()},
        masks=SHAPE.masks,
        heads=SHAPE.heads,
        epsilon=SHAPE.epsilon,
        head=model.head.numpy(),
    )
    for row, text in enumerate(tokens):
        found = drafting.fill(model.embedding[text].numpy())
        np.testing.assert_allclose(found, expected[row], rtol=1e-4, atol=1e-4)


def test_the_loss_is_against_the_distribution_before_each_mask():
    model = make_model()
    text = cycle()
    trainer = BlockTrainer(model, CONFIG, **text)
    found = trainer.losses(torch.tensor([2]), torch.tensor([6]))
    filled = model(text["tokens"][2:3, 3:7]).log_softmax(-1)[0]
    for mask in range(2):  # behind position 6, mask i is the token at 7 + i
        right = text["tokens"][2, 7 + mask]
        torch.testing.assert_close(found[mask], -0.75 * filled[mask, right])


def test_training_learns_and_resumes_with_the_same_weights(tmp_path):
    trainer = BlockTrainer(make_model(), CONFIG, **cycle())
    losses = [trainer.advance() for _ in range(CONFIG.steps)]
    assert max(losses[-1]) < 0.2 < 1 < min(losses[0])

    checkpoint = tmp_path / "block.pt"
    first = BlockTrainer(make_model(), CONFIG, **cycle(), checkpoint=checkpoint)
    for _ in range(7):
        first.advance()
    first.save()
    second = BlockTrainer(make_model(seed=9), CONFIG, **cycle(), checkpoint=checkpoint)
    assert second.step == 7
    assert [second.advance() for _ in range(CONFIG.steps - 7)] == losses[7:]
    other = dataclasses.replace(CONFIG, decay=0.5)
    with pytest.raises(TercelError, match="is from a training with other parameters"):
        BlockTrainer(make_model(), other, **cycle(), checkpoint=checkpoint)
    text = cycle()
    text["tokens"] = text["tokens"].flip(1)
    with pytest.raises(TercelError, match="or another text; use the same"):
        BlockTrainer(make_model(), CONFIG, **text, checkpoint=checkpoint)


def test_sequences_are_as_long_as_a_window():
    with pytest.raises(TercelError, match="sequences need 6 tokens or more, not 5"):
        BlockTrainer(make_model(), CONFIG, **cycle(length=5))


@pytest.mark.parametrize(
    "fields",
    [
        {"continuation_steps": 0, "refinement_steps": 0},
        {"refinement_steps": -1},
        {"decay": 0.0},
        {"batch": 0},
        {"learning_rate": -1.0},
    ],
)
def test_bad_parameters_are_refused(fields):
    with pytest.raises(TercelError):
        BlockTrainingConfig(**fields)
