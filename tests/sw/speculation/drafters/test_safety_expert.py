import numpy as np
import pytest

from tercel.device import Ask
from tercel.device.emulator import EmulatorDevice
from tercel.errors import TercelError
from tercel.sampling import SamplingConfig
from tercel.speculation import ROOT, DraftBudget, DraftState
from tercel.speculation.acceptors import SafetyComposite, SafetyConfig
from tercel.speculation.drafters.safety_expert import SafetyExpert


@pytest.fixture(scope="session")
def target(make_image):
    return make_image(1)


@pytest.fixture(scope="session")
def expert(make_image):
    return make_image(2, layers=1)


def draft(drafter, tokens, nodes=7, **sampling):
    state = DraftState(tokens=tokens, position=len(tokens) - 1, sampling=SamplingConfig(**sampling))
    return drafter.propose(state, DraftBudget(nodes=nodes, depth=nodes))


@pytest.mark.parametrize("sampling", [{}, {"temperature": 0.3, "top_k": 2, "seed": 9}])
def test_three_predictions_and_the_two_tokens_between_them(target, expert, sampling):
    tree = draft(SafetyExpert.open(target, expert), [97, 98, 99], **sampling)
    assert tree.parents == (ROOT, 0)
    assert set(tree.predictions) == {ROOT, 0, 1}
    device = EmulatorDevice(expert)
    text = [97, 98, 99]
    for node in (ROOT, 0, 1):
        result = device.run_pass(text, ask=Ask(logits=(len(text) - 1,)))
        logits = result.logits[len(text) - 1].astype(np.float64)
        softmax = np.exp(logits - logits.max())
        softmax /= softmax.sum()
        q = tree.predictions[node]
        assert len(q.ids) == 257
        assert q.probabilities == pytest.approx(softmax[q.ids])
        if node + 1 < len(tree):
            assert tree.tokens[node + 1] == result.argmax[-1] == q.ids[0]
            text.append(tree.tokens[node + 1])


@pytest.mark.parametrize("nodes", [1, 2, 3])
def test_a_small_budget_has_fewer_predictions(target, expert, nodes):
    tree = draft(SafetyExpert.open(target, expert), [97], nodes=nodes)
    assert len(tree) == min(nodes, 2)
    assert set(tree.predictions) == {ROOT, 0, 1} if nodes > 1 else {ROOT, 0}


def test_the_end_of_the_experts_context(target, expert):
    drafter = SafetyExpert(EmulatorDevice(expert, context=5))
    assert [len(draft(drafter, [97] * length)) for length in (1, 4, 5, 6)] == [2, 1, 0, 0]
    assert draft(drafter, [97] * 6).predictions == {}
    drafter.reset()
    assert set(draft(drafter, [97] * 5).predictions) == {ROOT}


def test_by_agreement_its_text_is_that_of_plain_decoding(target, expert, write):
    expected, _ = write(target, temperature=0.8)
    found, generator = write(target, SafetyExpert.open(target, expert), temperature=0.8)
    assert found == expected
    assert generator.statistics.speculation.failures == 0
    _, generator = write(target, SafetyExpert.open(target, target), max_tokens=13)
    assert generator.statistics.speculation.tokens_per_round == 3


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_by_the_composite_rule_it_decides_as_far_as_its_weight_goes(target, expert, write, weight):
    """Weight 1 in the union of all tokens is the expert alone, weight 0 the model alone."""
    config = SafetyConfig(
        overlap=300, intersection_weight=weight, union_weight=weight, threshold=1.0
    )
    drafter = SafetyExpert.open(target, expert)
    found, generator = write(target, drafter, acceptor=SafetyComposite(config))
    assert found[1:] == continued(expert if weight else target, found[0], len(found))
    assert generator.statistics.speculation.failures == 0


def continued(image, first, count):
    """Greedy tokens of a model behind the prompt ``ab`` and another model's first token."""
    device, text = EmulatorDevice(image), [*b"ab", first]
    while len(text) < count + 2:
        text.append(int(device.run_pass(text[device.length :]).argmax[-1]))
        device.commit(range(len(text) - 1 - device.length))
    return text[3:]


def test_an_interrupt_reaches_the_device(expert, monkeypatch):
    device = EmulatorDevice(expert)
    reached = []
    monkeypatch.setattr(device, "interrupt", lambda: reached.append(True))
    SafetyExpert(device).interrupt()
    assert reached == [True]


def test_another_vocabulary_and_no_tokens_are_refused(target, make_image, expert):
    with pytest.raises(TercelError, match="must have the vocabulary of tiny"):
        SafetyExpert.open(target, make_image(2, vocab_size=258))
    with pytest.raises(TercelError, match="1 or more tokens, not 0"):
        SafetyExpert(EmulatorDevice(expert), tokens=0)
