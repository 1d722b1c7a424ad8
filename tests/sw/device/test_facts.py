from tercel.device import DeviceFacts, Fact, Timing


def test_a_fact_has_a_source_or_a_reason():
    assert Fact(value=0, note="x").to_dict() == {"value": 0, "source": "x"}
    assert Fact(value=None, note="x").to_dict() == {"value": None, "reason": "x"}


def test_every_fact_that_a_device_does_not_tell_has_a_reason():
    facts = DeviceFacts(timing=Timing.BOARD).to_dict()
    assert facts.pop("timing") == "measured on a board"
    assert len(facts) == 7
    for name, fact in facts.items():
        assert fact == {"value": None, "reason": "the device does not tell it"}, name
