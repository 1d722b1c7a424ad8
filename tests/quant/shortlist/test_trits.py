import pytest
import torch

from tercel_quant.shortlist import trits as module
from tercel_quant.shortlist.trits import shortlist_trits


def problem(rows=200, columns=64):
    """Rows of a head, and inputs with a mean that has a large part of their energy."""
    generator = torch.Generator().manual_seed(3)
    head = torch.randn(rows, columns, generator=generator)
    x = torch.randn(2000, columns, generator=generator) + 1.5
    return head, x


def test_trits_rank_inputs_that_have_a_mean():
    """The error of the product with the mean, alike for all inputs, nearly vanishes."""
    head, x = problem()
    found = shortlist_trits(head, x.T @ x / len(x))
    weights = found.dequantise()
    assert set(found.trits.unique().tolist()) == {-1, 0, 1}
    errors = x @ (weights - head).T
    assert float(errors.mean(0).square().mean()) < 0.1 * float(errors.var(0).mean())
    exact = x @ head.T
    scores = x @ weights.T
    best = exact.argmax(1)
    rank = (scores > scores.gather(1, best[:, None])).sum(1)
    assert float((rank < 20).float().mean()) > 0.99


def test_rows_do_not_depend_on_each_other(monkeypatch):
    head, x = problem()
    moments = x.T @ x / len(x)
    whole = shortlist_trits(head, moments)
    monkeypatch.setattr(module, "PART", 120)
    counts = []
    parts = shortlist_trits(head, moments, report=counts.append)
    assert counts == [120, 200]
    assert torch.equal(parts.trits, whole.trits)
    assert torch.allclose(parts.scale, whole.scale)


@pytest.mark.parametrize("part", [15, 5])
def test_rows_of_zeros_have_the_scale_0(monkeypatch, part):
    monkeypatch.setattr(module, "PART", part)
    head, x = problem(15)
    head[:5] = 0
    found = shortlist_trits(head, x.T @ x / len(x))
    assert not found.trits[:5].any()
    assert found.scale[:5].tolist() == [0] * 5
    assert (found.scale[5:] > 0).all()
