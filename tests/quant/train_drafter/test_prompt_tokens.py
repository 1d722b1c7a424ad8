import dataclasses

import pytest
import torch

from tercel.config import PRESETS
from tercel.errors import TercelError
from tercel.image import Image, random_image
from tercel_quant.train_drafter.frozen_model import FrozenModel
from tercel_quant.train_drafter.prompt_tokens import (
    PromptTokenConfig,
    PromptTokenTrainer,
    guess_streams,
)
from tercel_quant.weights import ImageWeights

TINY = dataclasses.replace(PRESETS["tiny"], context=64)
CONFIG = PromptTokenConfig(steps=12, windows=2, places=8, learning_rate=0.3)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "tiny.tercel"
    random_image(path, TINY, seed=1)
    return FrozenModel(ImageWeights(Image.open(path)))


@pytest.fixture(scope="module")
def text():
    generator = torch.Generator().manual_seed(0)
    return torch.randint(TINY.vocab_size, (6, 24), generator=generator)


def test_guesses_are_those_of_a_text_that_ends_at_the_place(model, text):
    rows = torch.randn(3, TINY.hidden_size, generator=torch.Generator().manual_seed(2)) * 0.1
    places = torch.tensor([4, 11])
    guesses, stream = guess_streams(model, rows, text[:2], places)
    assert guesses.shape == (2, 2, 3, TINY.hidden_size)
    torch.testing.assert_close(stream, model.read(text[:2]).stream)
    for index, place in enumerate(places.tolist()):
        past = model.read(text[:2, : place + 1])
        visible = torch.ones(3, place + 4, dtype=torch.bool).tril(place + 1)
        positions = torch.arange(place + 1, place + 4)
        alone = model.run(rows.expand(2, -1, -1), positions, past, visible).stream
        torch.testing.assert_close(guesses[:, index], alone, rtol=1e-4, atol=1e-4)


def test_the_loss_is_against_the_distribution_after_the_guessed_positions(model, text):
    trainer = PromptTokenTrainer(model, CONFIG, text)
    found = trainer.losses(text[:1], torch.tensor([5]))
    guesses, stream = guess_streams(model, trainer.rows, text[:1], torch.tensor([5]))
    for i in range(3):  # behind position 5, prompt token i guesses the token at 7 + i
        target = model.logits(stream[0, 6 + i]).softmax(-1)
        guessed = model.logits(guesses[0, 0, i]).log_softmax(-1)
        torch.testing.assert_close(found[i], -(target * guessed).sum())


def test_training_lowers_the_loss_and_resumes_with_the_same_rows(model, text, tmp_path):
    trainer = PromptTokenTrainer(model, CONFIG, text)
    places = torch.arange(20)
    with torch.no_grad():
        before = trainer.losses(text, places)
    for _ in range(CONFIG.steps):
        trainer.advance()
    with torch.no_grad():
        after = trainer.losses(text, places)
    assert (after < before).all()

    checkpoint = tmp_path / "prompts.pt"
    first = PromptTokenTrainer(model, CONFIG, text, checkpoint)
    for _ in range(5):
        first.advance()
    first.save()
    second = PromptTokenTrainer(model, CONFIG, text, checkpoint)
    assert second.step == 5
    while second.step < CONFIG.steps:
        second.advance()
    assert torch.equal(second.rows, trainer.rows)
    with pytest.raises(TercelError, match="is from a training with other parameters"):
        PromptTokenTrainer(model, dataclasses.replace(CONFIG, seed=2), text, checkpoint)
    with pytest.raises(TercelError, match="or another text; use the same"):
        PromptTokenTrainer(model, CONFIG, text.flip(0), checkpoint)


def test_texts_are_long_enough(model, text):
    with pytest.raises(TercelError, match="windows need 5 tokens or more, not 4"):
        PromptTokenTrainer(model, CONFIG, text[:, :4])
    with pytest.raises(TercelError, match="takes 2 windows of text, but there are 1"):
        PromptTokenTrainer(model, CONFIG, text[:1])


@pytest.mark.parametrize(
    "fields", [{"tokens": 0}, {"steps": 0}, {"learning_rate": 0.0}, {"decay": 1.5}]
)
def test_bad_parameters_are_refused(fields):
    with pytest.raises(TercelError, match="must be"):
        PromptTokenConfig(**fields)
