from tercel.device import Ask, Limits
from tercel.speculation import PassNeeds

LIMITS = Limits(nodes=8, context=64, top_k=16)


def test_needs_combine_to_the_larger():
    both = PassNeeds(top_k=3, hidden=True) | PassNeeds(top_k=5, logits=True)
    assert both == PassNeeds(top_k=5, hidden=True, logits=True)
    assert PassNeeds() | PassNeeds() == PassNeeds()


def test_needs_add_to_what_the_sampler_asks():
    ask = Ask(argmax=True, logits=(1,))
    assert PassNeeds().extend(ask, (1, 2), LIMITS) == ask
    found = PassNeeds(top_k=8, logits=True, hidden=True).extend(ask, (1, 2), LIMITS)
    assert found == Ask(argmax=True, top_k=8, logits=(1, 2), hidden=(1, 2))


def test_top_k_is_the_larger_one_within_the_device():
    assert PassNeeds(top_k=8).extend(Ask(top_k=12), (0,), LIMITS).top_k == 12
    assert PassNeeds(top_k=99).extend(Ask(), (0,), LIMITS).top_k == 16


def test_a_two_stage_head_stays_and_sorts_its_rows_alone():
    limits = Limits(nodes=8, context=64, top_k=64, shortlist=32)
    ask = Ask(argmax=False, top_k=5, two_stage=True)
    found = PassNeeds(top_k=50, hidden=True).extend(ask, (0,), limits)
    assert found == Ask(argmax=False, top_k=32, two_stage=True, hidden=(0,))
