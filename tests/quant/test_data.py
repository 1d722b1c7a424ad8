"""Token files: batches as a pure function of (seed, step), evaluation windows, errors."""

import numpy as np
import pytest
import torch

from tercel.errors import TercelError
from tercel_quant.data import TokenFile


@pytest.fixture
def counting(tmp_path):
    """A file whose token at position i is i."""
    path = tmp_path / "tokens.u16"
    np.arange(1000, dtype="<u2").tofile(path)
    return TokenFile(path, vocab_size=1000)


def test_batch_is_a_pure_function(counting):
    arguments = {"seed": 3, "step": 17, "batch_size": 4, "length": 10}
    first = counting.batch(**arguments)
    counting.batch(seed=3, step=2, batch_size=4, length=10)
    assert torch.equal(counting.batch(**arguments), first)
    assert not torch.equal(counting.batch(**{**arguments, "seed": 4}), first)
    assert first.shape == (4, 11)
    assert first.dtype == torch.int64
    assert torch.equal(first - first[:, :1], torch.arange(11).expand(4, 11))


def test_epoch_visits_every_window_once_and_the_next_cuts_elsewhere(counting):
    epochs = []
    for epoch in range(2):
        steps = range(epoch * 33, (epoch + 1) * 33)
        batches = [counting.batch(seed=0, step=s, batch_size=3, length=10) for s in steps]
        epochs.append(torch.cat(batches)[:, 0])
    for starts in epochs:
        assert len(set(starts.tolist())) == 99
        assert len(set((starts % 10).tolist())) == 1
    assert not torch.equal(*epochs)


def test_sequential_windows_predict_each_token_once(counting):
    windows = counting.sequential(length=100)
    assert windows[:, 1:].flatten().tolist() == list(range(1, 901))
    assert len(counting.sequential(length=100, limit=2)) == 2


def test_refuses_a_missing_file(tmp_path):
    with pytest.raises(TercelError, match=r"there is no token file .*absent; tokenise the corpus"):
        TokenFile(tmp_path / "absent", vocab_size=8)


@pytest.mark.parametrize("content", [b"", b"abc"])
def test_refuses_a_file_of_another_kind(tmp_path, content):
    path = tmp_path / "odd"
    path.write_bytes(content)
    with pytest.raises(TercelError, match=f"two bytes a token, but .* has {len(content)} bytes"):
        TokenFile(path, vocab_size=8)


def test_refuses_a_file_too_short_for_a_batch(counting):
    with pytest.raises(TercelError, match="has 1000 tokens, fewer than a batch of 8 windows"):
        counting.batch(seed=0, step=0, batch_size=8, length=200)
    with pytest.raises(TercelError, match="has 1000 tokens, fewer than one window of 1000"):
        counting.sequential(length=1000)


def test_refuses_tokens_of_another_tokenizer(counting):
    small = TokenFile(counting.path, vocab_size=500)
    with pytest.raises(TercelError, match="has the token 999, but the vocabulary has 500"):
        small.sequential(length=999)
