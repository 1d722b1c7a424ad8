"""Batches of the own text, and the trimmed vocabulary, against loops over its tokens."""

from collections import Counter

import pytest
import torch

from tercel.errors import TercelError
from tercel_quant.train_drafter.head_data import FIRST, HeadData, normalise
from tercel_quant.train_drafter.own_text import TextPart


@pytest.fixture(scope="module")
def own(parts):
    loaded = [TextPart.load(path) for path in parts]
    return {
        name: torch.cat([getattr(part, name) for part in loaded])
        for name in ("tokens", "hidden", "top_ids", "top_logs")
    }


def test_normalised_states_have_a_root_mean_square_of_1():
    x = torch.randn(4, 7, 32) * 50
    assert torch.allclose(normalise(x.half()).square().mean(-1), torch.ones(4, 7), atol=1e-3)


def test_rows_are_the_tokens_that_the_model_wrote_most(data, own):
    counts = Counter(own["tokens"][:, 8:].flatten().tolist())
    ids = data.vocabulary.ids.tolist()
    assert ids == sorted(set(ids))
    assert len(ids) == 64
    least = min(counts[token] for token in ids)
    assert all(counts[token] <= least for token in range(256) if token not in ids)
    covered = sum(counts[token] for token in ids) / sum(counts.values())
    assert data.vocabulary.covered == pytest.approx(covered)
    for token in range(256):
        row = int(data.vocabulary.row_of[token])
        assert (ids[row] == token) if token in ids else (row == -1)


def test_candidates_are_the_likeliest_followers(data, own):
    ids, row_of = data.vocabulary.ids, data.vocabulary.row_of
    counts = torch.bincount(own["tokens"][:, 8:].flatten(), minlength=256)
    general = 2.0 * counts[ids] / counts.sum()
    for token in (int(own["tokens"][0, 20]), int(own["tokens"][5, 30])):
        scores = general.double().clone()
        for top, logs in zip(
            own["top_ids"][own["tokens"] == token],
            own["top_logs"][own["tokens"] == token],
            strict=True,
        ):
            for each, log in zip(top.tolist(), logs.double().exp().tolist(), strict=True):
                if row_of[each] >= 0:
                    scores[row_of[each]] += log
        expected = scores.topk(16).values
        assert torch.allclose(scores[data.vocabulary.candidates[token]], expected, atol=1e-4)


def test_a_batch_has_the_positions_after_the_hidden_state(data, own):
    batch = data.batch(seed=0, step=3, size=50)
    hidden = normalise(own["hidden"])
    assert batch.tokens.shape == (50, 3)
    for index in range(50):
        # Equal passages have equal hidden states.
        places = (hidden == batch.hidden[index]).all(-1).nonzero().tolist()
        sequence, after = next(
            (sequence, slice(time + 1, time + 4))
            for sequence, time in places
            if own["tokens"][sequence, time + 1 : time + 4].equal(batch.tokens[index])
        )
        assert after.start > FIRST
        assert sequence < len(hidden) - 1
        assert torch.equal(batch.following[index], hidden[sequence, after])
        rows = data.vocabulary.row_of[own["top_ids"][sequence, after]]
        assert torch.equal(batch.rows[index], rows)
        assert torch.equal(batch.logs[index], own["top_logs"][sequence, after].float())


def test_batches_are_a_pure_function_of_seed_and_step(data):
    first, again = (data.batch(seed=1, step=2, size=9) for _ in range(2))
    assert torch.equal(first.hidden, again.hidden)
    other = data.batch(seed=1, step=3, size=9)
    assert not torch.equal(first.tokens, other.tokens)


def test_held_out_positions_are_of_the_last_sequences(data, own):
    held = data.held_out(10)
    hidden = normalise(own["hidden"])[-1]
    for row in held.hidden:
        assert (hidden == row).all(-1).any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": 257}, "1 to 256 rows"),
        ({"candidates": 65}, "1 to 256 rows"),
        ({"candidates": 0}, "1 to 256 rows"),
        ({"levels": 32}, "too short"),
        ({"held_out": 1.0}, "too short"),
    ],
)
def test_sizes_are_checked(image, parts, changes, message):
    sizes = {"rows": 64, "candidates": 16, "levels": 3, "prompt": 8} | changes
    with pytest.raises(TercelError, match=message):
        HeadData(parts, image.config, **sizes)
