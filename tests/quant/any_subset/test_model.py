import numpy as np
import pytest
import torch

from tercel.errors import TercelError
from tercel_quant.any_subset import AnySubsetConfig, AnySubsetModel

CONFIG = AnySubsetConfig(vocab_size=7, length=6, width=16, layers=2, heads=2)
ORDER = np.array([4, 1, 0, 5, 3, 2])
TOKENS = np.array([1, 2, 3, 4, 5, 6])


@pytest.fixture(scope="module")
def model():
    model = AnySubsetModel(CONFIG)
    model.initialise(seed=3)
    return model


def ask(model, tokens, first, last, known):
    return model.probabilities(
        np.asarray(tokens), ORDER, asked=slice(first, last), known=np.asarray(known)
    )


def test_a_query_depends_on_the_known_tokens_alone(model):
    found = ask(model, TOKENS, 2, 3, [2])
    np.testing.assert_allclose(found.sum(-1), 1, rtol=1e-12)
    for place, position in enumerate(ORDER):
        changed = TOKENS.copy()
        changed[position] = 0
        other = ask(model, changed, 2, 3, [2])
        assert (np.abs(other - found).max() > 1e-6) == (place < 2), place


def test_no_drafted_position_sees_another_but_verified_ones_see_those_before(model):
    drafted = ask(model, TOKENS, 2, 5, [2, 2, 2])
    verified = ask(model, TOKENS, 2, 5, [2, 3, 4])
    np.testing.assert_allclose(verified[0], drafted[0], atol=1e-6)
    changed = TOKENS.copy()
    changed[ORDER[2]] = 0
    np.testing.assert_allclose(ask(model, changed, 2, 5, [2, 2, 2]), drafted, atol=1e-6)
    after = ask(model, changed, 2, 5, [2, 3, 4])
    np.testing.assert_allclose(after[0], verified[0], atol=1e-6)
    assert (np.abs(after - verified).max(axis=1)[1:] > 1e-6).all()


def test_queries_do_not_depend_on_what_else_is_asked(model):
    together = ask(model, TOKENS, 1, 6, [1, 2, 3, 4, 5])
    for place in range(1, 6):
        alone = ask(model, TOKENS, place, place + 1, [place])
        np.testing.assert_allclose(together[place - 1], alone[0], atol=1e-6)


def test_without_any_knowledge_there_is_a_prediction(model):
    assert np.isfinite(ask(model, TOKENS, 0, 1, [0])).all()


def test_texts_of_a_batch_are_independent(model):
    tokens = torch.from_numpy(np.stack([TOKENS, TOKENS[::-1]]))
    ranks = torch.from_numpy(np.stack([np.argsort(ORDER), np.arange(6)]))
    together = model(tokens, ranks, ranks)
    for row in range(2):
        alone = model(tokens[row : row + 1], ranks[row : row + 1], ranks[row : row + 1])
        torch.testing.assert_close(together[row], alone[0], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("fields", "message"),
    [({"layers": 0}, "layers must be 1 or more"), ({"heads": 3}, "3 heads do not divide")],
)
def test_bad_shapes_are_refused(fields, message):
    with pytest.raises(TercelError, match=message):
        AnySubsetConfig(**{"vocab_size": 7, "width": 16, **fields})
