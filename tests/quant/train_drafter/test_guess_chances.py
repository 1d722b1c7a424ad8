import numpy as np
import pytest
import torch

from tercel_quant.train_drafter import guess_chances as module
from tercel_quant.train_drafter.guess_chances import guess_chances

TEXT = torch.zeros(5, 40, dtype=torch.int64)
LOGITS = torch.tensor([2.0, 1.0, 0.5, 0.0, -1.0])


class KnownModel:
    """The stream of a place is its logits."""

    def logits(self, stream):
        return stream


def measure(monkeypatch, guessed, temperature):
    def streams(model, rows, windows, places):
        shape = (len(windows), len(places), len(rows))
        return guessed.expand(*shape, -1), LOGITS.expand(*windows.shape, -1)

    monkeypatch.setattr(module, "guess_streams", streams)
    rows = torch.zeros(2, 3)
    return guess_chances(
        KnownModel(), rows, TEXT, ranks=3, temperature=temperature, places=30, seed=1
    ).numpy()


def test_greedy_guesses_are_right_at_the_rank_of_the_likeliest_token(monkeypatch):
    assert measure(monkeypatch, LOGITS, 0.0).tolist() == [[1, 0, 0]] * 2
    assert measure(monkeypatch, LOGITS[[1, 0, 2, 3, 4]], 0.0).tolist() == [[0, 1, 0]] * 2
    assert measure(monkeypatch, -LOGITS, 0.0).tolist() == [[0, 0, 0]] * 2


@pytest.mark.parametrize("temperature", [0.5, 1.0])
def test_with_the_noise_of_the_draw_the_models_own_logits_guess_all(monkeypatch, temperature):
    found = measure(monkeypatch, LOGITS, temperature)
    drawn = LOGITS.div(temperature).softmax(-1)
    # A token among the first three by logit is guessed at rank 0; others never.
    np.testing.assert_allclose(found[:, 0], drawn[:3].sum(), atol=0.06)
    assert found[:, 1:].sum() == 0
