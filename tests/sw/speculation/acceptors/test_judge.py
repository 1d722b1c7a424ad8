from dataclasses import replace

import numpy as np
import pytest
from verdicts import given

from tercel.config import PRESETS
from tercel.device import PassResult
from tercel.errors import TercelError
from tercel.image import Image, random_image
from tercel.speculation import ROOT, DraftTree, Outcome, PassNeeds
from tercel.speculation.acceptors import (
    AcceptorResources,
    Blockwise,
    Judge,
    JudgeConfig,
    JudgeHead,
    load_judge,
    make_acceptor,
    save_judge,
)
from tercel.speculation.drafter_file import drafter_path

HEAD = JudgeHead(weight=np.array([1.0, -2.0], np.float32), bias=0.5, threshold=0.5)
GOOD, BETTER, BAD = (np.array(x, np.float32) for x in ([3.0, 0.1], [5.0, -5.0], [1.0, 4.0]))
TREE = DraftTree(tokens=(1, 2, 3, 4), parents=(ROOT, ROOT, 1, 2))


def verdict(*hidden, draws):
    result = PassResult(hidden=dict(enumerate([BAD, *hidden])))
    return given(TREE, result=result, draws=draws)


def test_the_score_is_the_logistic_of_the_normalised_stream():
    """By hand: (3, 4) has the root mean square sqrt(12.5)."""
    logit = (3 - 2 * 4) / np.sqrt(12.5) + 0.5
    assert HEAD.score(np.array([3.0, 4.0], np.float32)) == pytest.approx(1 / (1 + np.exp(-logit)))
    assert HEAD.score(np.array([30.0, 40.0], np.float32)) == pytest.approx(
        HEAD.score(np.array([3.0, 4.0], np.float32))
    )
    assert HEAD.score(np.zeros(2, np.float32)) == pytest.approx(1 / (1 + np.exp(-0.5)))


def test_a_disagreement_passes_by_the_score_at_the_tokens_own_node():
    rule = Judge(HEAD)
    draws = {ROOT: 9, 0: 9, 1: 3, 2: 8, 3: 7}
    # the better sibling, then an agreement, then a harmful one
    found = rule.accept(verdict(GOOD, BETTER, BAD, BAD, draws=draws))
    assert found == Outcome(path=(1, 2), tokens=(2, 3, 8))
    # the same with a harmless last node
    found = rule.accept(verdict(GOOD, BETTER, BAD, GOOD, draws=draws))
    assert found == Outcome(path=(1, 2, 3), tokens=(2, 3, 4, 7))
    found = rule.accept(verdict(BAD, BAD, GOOD, GOOD, draws=draws))
    assert found == Outcome(path=(), tokens=(9,))


def test_an_agreement_is_accepted_whatever_its_score():
    draws = {ROOT: 1, 0: 5}
    found = Judge(HEAD).accept(verdict(BAD, BETTER, BAD, BAD, draws=draws))
    assert found == Outcome(path=(0,), tokens=(1, 5))


def test_the_threshold_is_the_heads_or_the_users():
    draws = {ROOT: 9, 0: 9, 1: 9, 2: 9, 3: 9}
    best = verdict(GOOD, BETTER, BAD, BAD, draws=draws)
    score = HEAD.score(BETTER)
    assert Judge(replace(HEAD, threshold=score)).accept(best).path == ()
    assert Judge(HEAD, JudgeConfig(threshold=score)).accept(best).path == ()
    assert Judge(HEAD, JudgeConfig(threshold=score - 1e-6)).accept(best).path == (1,)
    with pytest.raises(TercelError, match=r"threshold must be in 0\.\.1, not 2"):
        JudgeConfig(threshold=2)


def test_the_rule_is_lossy_and_needs_the_residual_stream():
    assert not Judge.lossless
    assert not Judge.keeps_text
    assert Judge(HEAD).needs == PassNeeds(hidden=True)
    assert Judge(HEAD, inner=Blockwise()).needs == PassNeeds(hidden=True, top_k=2)


@pytest.fixture
def image(tmp_path):
    random_image(tmp_path / "tiny.tercel", PRESETS["tiny"], seed=1)
    return Image.open(tmp_path / "tiny.tercel")


def test_a_head_is_read_as_it_was_written(image):
    resources = AcceptorResources(image=image, token_bytes=lambda token: b"")
    with pytest.raises(TercelError, match=r"needs .*tiny\.judge\.drafter, .*train-drafter judge"):
        make_acceptor("judge", resources)
    weight = np.arange(image.config.hidden_size, dtype=np.float32)
    head = JudgeHead(weight=weight, bias=0.25, threshold=0.75)
    path = drafter_path(image.path, "judge")
    save_judge(path, head, image=image, settings={"seed": 3})
    found = load_judge(image)
    assert np.array_equal(found.weight, weight)
    assert (found.bias, found.threshold) == (0.25, 0.75)
    assert not make_acceptor("judge:threshold=0.5", resources).lossless


def test_a_head_of_another_size_is_refused(image):
    head = JudgeHead(weight=np.zeros(3, np.float32), bias=0.0, threshold=0.5)
    save_judge(drafter_path(image.path, "judge"), head, image=image, settings={})
    with pytest.raises(TercelError, match="is no judge of this model; train it again"):
        load_judge(image)
