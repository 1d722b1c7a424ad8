"""The rules of AXI by themselves: a manager a rule breaks it, and others are not accused."""

import pytest
from axi_managers import BAD, BEAT_BYTES, GOOD, beat, burst, playing

from tercel_sim.axi_rules import AxiRuleError, AxiRules


def play(script):
    """Show the rules what a memory sees that takes requests at once and beats after them."""
    rules, manager, announced = AxiRules(beat_bytes=BEAT_BYTES), playing(script), 0
    offers, stalled = next(manager)
    while True:
        taken = set() if stalled else {"ar", "aw"} & set(offers)
        if "w" in offers and announced and not stalled:
            taken.add("w")
        rules.write_beat(offers.get("w"), ready="w" in taken)
        rules.read_request(offers.get("ar"), ready=not stalled)
        rules.write_request(offers.get("aw"), ready=not stalled)
        announced -= "w" in taken
        if "aw" in taken:
            announced += offers["aw"].length + 1
        try:
            offers, stalled = manager.send(taken)
        except StopIteration:
            return


@pytest.mark.parametrize("name", BAD)
def test_a_bad_manager_is_named(name):
    rule, script = BAD[name]
    with pytest.raises(AxiRuleError, match=f"^{rule}$"):
        play(script)


@pytest.mark.parametrize("name", GOOD)
def test_a_good_manager_breaks_no_rule(name):
    play(GOOD[name])


def test_a_reset_forgets_what_is_under_way():
    rules = AxiRules(beat_bytes=8)
    rules.read_request(burst(), ready=False)
    rules.write_request(burst(0, 2), ready=True)
    rules.write_beat(beat(), ready=True)
    rules.reset()
    rules.read_request(None, ready=True)
    rules.write_request(burst(0, 1), ready=True)
    rules.write_beat(beat(), ready=True)
    rules.write_beat(beat(last=True), ready=True)


@pytest.mark.parametrize("beats", [1, 2, 3, 4])
def test_a_memory_may_take_beats_before_their_request(beats):
    rules = AxiRules(beat_bytes=8)
    for _ in range(2):
        for index in range(beats):
            rules.write_beat(beat(last=index == beats - 1), ready=True)
    rules.write_beat(beat(), ready=True)
    rules.write_request(burst(0, beats - 1), ready=True)
    rules.write_request(burst(0, beats - 1), ready=True)
    rules.write_request(burst(0, 1), ready=True)
    with pytest.raises(AxiRuleError, match="wlast is not on the last beat"):
        rules.write_beat(beat(), ready=True)


@pytest.mark.parametrize(("beats", "length"), [(1, 1), (2, 0), (3, 1)])
def test_last_before_the_request_of_another_length_is_named(beats, length):
    rules = AxiRules(beat_bytes=8)
    for index in range(beats):
        rules.write_beat(beat(last=index == beats - 1), ready=True)
    with pytest.raises(AxiRuleError, match="wlast is not on the last beat"):
        rules.write_request(burst(0, length), ready=True)
