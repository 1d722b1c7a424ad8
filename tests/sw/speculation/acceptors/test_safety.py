import numpy as np
import pytest
from verdicts import given, law

from tercel.device import PassResult
from tercel.errors import TercelError
from tercel.sampling import Distribution
from tercel.speculation import ROOT, DraftTree, PassNeeds
from tercel.speculation.acceptors import SafetyComposite, SafetyConfig
from tercel.speculation.acceptors.safety import SafetyState

MODEL = np.log(np.array([0.5, 0.3, 0.15, 0.05])).astype(np.float32)
EXPERT = law(0.1, 0.2, 0.6, 0.1)
OPEN = np.log(np.array([0.1, 0.2, 0.3, 0.4])).astype(np.float32)
SURE = law(0.01, 0.01, 0.01, 0.97)


def chosen(*, model=MODEL, expert=EXPERT, union=False, **options):
    rule = SafetyComposite(SafetyConfig(**options))
    state = SafetyState(union=union, threshold=0.6, weight=rule.first_state.weight)
    tree = DraftTree(predictions={ROOT: expert})
    verdict = given(tree, result=PassResult(logits={0: model}), state=state)
    return rule.accept(verdict).tokens


def test_the_intersection_has_the_overlap_of_both_best_lists():
    """By hand: tokens 0, 1, 2 are shared at lengths 3, 2, 3."""
    # length 2: only 1 is shared, and the model's best is not among the expert's two
    assert chosen(overlap=1, intersection_weight=5.0) == (0,)
    # length 3 shares 0, 1, 2; scores 0.38, 0.27, 0.285
    assert chosen(overlap=2, intersection_weight=0.3) == (0,)
    # scores 0.18, 0.22, 0.51
    assert chosen(overlap=2, intersection_weight=0.8) == (2,)
    # the expert's best lies outside the lists of length 3, since both need length 3 for 1, 2, 3
    assert chosen(model=OPEN, expert=law(0.7, 0.15, 0.1, 0.05), overlap=2) == (3,)


def test_the_union_has_the_best_of_both():
    assert chosen(union=True, overlap=1, union_weight=0.3) == (0,)  # 0.38 against 0.285
    assert chosen(union=True, overlap=1, union_weight=0.8) == (2,)  # 0.18 against 0.51
    # token 3 leads the whole vocabulary by 0.688, but is not among the best of either
    far = law(0.1, 0.6, 0.3)
    assert chosen(union=True, expert=far, overlap=1, union_weight=0.8) == (1,)


def test_an_expert_of_few_tokens_shares_those():
    only = Distribution.certain(0)
    assert chosen(expert=only, overlap=10) == (0,)
    assert chosen(expert=only, union=True, overlap=10, union_weight=0.0) == (0,)
    # the only shared token needs the whole lists, and the model's best is not among the expert's
    assert chosen(expert=Distribution.certain(3), overlap=10, intersection_weight=9.0) == (0,)


def test_the_mode_and_its_annealing():
    """By hand, two judged tokens a period."""
    config = SafetyConfig(period=2, threshold=0.6, intersection_weight=0.55)
    state, seen = SafetyComposite(config).first_state, []
    for matches in ((0, 0), (1, 0), (1, 0), (1, 1), (1, 1), (1, 1), (0, 0)):
        for matched in matches:
            state = state.judge(bool(matched), config)
        assert state.judged == state.matched == 0
        seen.append((state.union, round(state.threshold, 9), round(state.weight, 9)))
    assert seen == [
        (True, 0.6, 0.55),  # 0 is below 0.6: the mode changes
        (True, 0.5, 0.55),  # 0.5 is below 0.6: the same again
        (False, 0.6, 0.55),  # 0.5 is not below 0.5: it changes back
        (False, 0.5, 0.4),
        (False, 0.4, 0.3),
        (False, 0.3, 0.3),
        (True, 0.6, 0.55),
    ]


def test_the_threshold_ends_at_zero_and_a_small_weight_stays():
    config = SafetyConfig(period=1, intersection_weight=0.2)
    state = SafetyComposite(config).first_state
    for _ in range(9):
        state = state.judge(True, config)
    assert (state.threshold, state.weight) == (0.0, 0.2)
    assert not state.judge(False, config).union


def test_a_round_judges_as_many_tokens_as_it_emits():
    """Two drafted tokens, three predictions: the third is judged although it is not in the pass."""
    tree = DraftTree(
        tokens=(2, 2), parents=(ROOT, 0), predictions={ROOT: EXPERT, 0: EXPERT, 1: SURE}
    )
    rule = SafetyComposite(SafetyConfig(overlap=2, period=3, intersection_weight=0.8))
    logits = {0: MODEL, 1: MODEL, 2: OPEN}
    verdict = given(tree, result=PassResult(logits=logits), state=rule.first_state)
    outcome = rule.accept(verdict)
    assert outcome.path == (0, 1)
    assert outcome.tokens == (2, 2, 3)
    assert [(state.judged, state.matched) for state in outcome.states] == [(1, 1), (2, 2), (0, 0)]
    assert outcome.states[-1].threshold == 0.5
    outcome.check(tree)


def test_a_disagreement_ends_the_round():
    tree = DraftTree(tokens=(2, 2), parents=(ROOT, 0), predictions={ROOT: EXPERT, 0: EXPERT})
    rule = SafetyComposite(SafetyConfig(overlap=2, intersection_weight=0.0))
    verdict = given(
        tree, result=PassResult(logits={0: MODEL, 1: MODEL, 2: MODEL}), state=rule.first_state
    )
    outcome = rule.accept(verdict)
    assert (outcome.path, outcome.tokens) == ((), (0,))
    assert (outcome.states[0].judged, outcome.states[0].matched) == (1, 0)


def test_without_a_prediction_the_model_decides():
    rule = SafetyComposite()
    verdict = given(DraftTree(), draws={ROOT: 9}, state=rule.first_state)
    outcome = rule.accept(verdict)
    assert outcome.tokens == (9,)
    assert outcome.states == (rule.first_state,)
    assert not rule.lossless
    assert rule.needs == PassNeeds(logits=True)


def test_a_drafter_without_predictions_is_no_expert():
    rule = SafetyComposite()
    verdict = given(DraftTree.chain((1,)), draws={ROOT: 1, 0: 1}, state=rule.first_state)
    with pytest.raises(TercelError, match="but the drafter is none; take `--spec expert"):
        rule.accept(verdict)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"overlap": 0}, "overlap must be 1 or more, not 0"),
        ({"period": 0}, "period must be 1 or more, not 0"),
        ({"union_weight": -1.0}, "union_weight must be 0 or more, not -1.0"),
        ({"intersection_weight": float("inf")}, "intersection_weight must be 0 or more, not inf"),
        ({"threshold": 1.5}, r"threshold must be in 0\.\.1, not 1.5"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(TercelError, match=message):
        SafetyConfig(**options)
