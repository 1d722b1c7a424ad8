"""The number-token loss against SciPy's Wasserstein distance."""

import pytest
import torch
from scipy.stats import wasserstein_distance
from tokenizers import Tokenizer, models

from tercel.errors import TercelError
from tercel_quant.number_loss import NumberLoss, number_values

NAN = float("nan")
VALUES = torch.tensor([NAN, 0, 1, 2, NAN, 7])


def test_equals_the_wasserstein_distance_to_the_label():
    logits = torch.randn(5, 6, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([1, 5, 0, 3, 4])
    expected = []
    for row, label in zip(logits, labels.tolist(), strict=True):
        if label in (1, 2, 3, 5):
            weights = row[[1, 2, 3, 5]].softmax(0).numpy()
            truth = VALUES[label].item()
            expected.append(wasserstein_distance([0, 1, 2, 7], [truth], weights, [1]))
    loss = NumberLoss(VALUES)(logits, labels)
    assert loss.item() == pytest.approx(sum(expected) / len(expected), rel=1e-5)


def test_close_numbers_cost_less():
    loss = NumberLoss(VALUES)
    label = torch.tensor([3])
    near, far = (30.0 * torch.eye(6)[token][None] for token in (2, 5))
    assert loss(near, label) == pytest.approx(1)
    assert loss(far, label) == pytest.approx(5)


def test_labels_without_numbers_give_zero_and_no_gradient():
    logits = torch.randn(2, 6, requires_grad=True)
    loss = NumberLoss(VALUES)(logits, torch.tensor([0, 4]))
    loss.backward()
    assert loss == 0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_values_of_a_vocabulary():
    vocabulary = {"a": 0, "7": 1, "Ġ12": 2, "1a": 3, "²": 4, "٣": 5, "▁0": 6, "Ġ": 7}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="a"))
    values = number_values(tokenizer)
    torch.testing.assert_close(
        values, torch.tensor([NAN, 7, 12, NAN, NAN, NAN, 0, NAN]), equal_nan=True
    )


def test_refuses_a_vocabulary_without_numbers():
    with pytest.raises(TercelError, match="at least two number tokens, not 1"):
        NumberLoss(torch.tensor([NAN, 3.0]))
