from rounds import TREE, make_round

from tercel.speculation import SpeculationStatistics


def test_statistics_add_up():
    found = SpeculationStatistics()
    assert found.tokens_per_round is None
    found = found.add(make_round(), 0.5)
    found = found.add(make_round((0, 1), (1, 2, 7), tree=TREE), 0.0)
    found = found.add(make_round((3,), (2, 7), tree=TREE), 0.0)
    found = found.add(make_round(declined="ValueError: no"), 0.0)
    assert found == SpeculationStatistics(
        rounds=4,
        drafts=2,
        drafted=8,
        accepted=(2, 1),
        bonus=1,
        emitted=7,
        failures=1,
        failure="ValueError: no",
        draft_seconds=1.5,
        verify_seconds=4.0,
        accept_seconds=2.0,
    )
    assert found.tokens_per_round == 1.75
    assert found.milliseconds_per_token == 7500 / 7
    values = found.to_dict()
    assert values["ms_per_draft"] == 750
    assert values["ms_per_verify"] == 1000
    assert values["ms_per_accept"] == 500
    assert values["accepted"] == [2, 1]
