import numpy as np
from rounds import TREE, make_round

from tercel.speculation import PROBE, ROOT, DraftTree, SpeculationStatistics


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


def test_probes_are_no_drafted_tokens():
    rows = {node: np.zeros(4, np.float32) for node in (1, 2)}
    mixed = DraftTree(tokens=(5, PROBE, PROBE), parents=(ROOT, ROOT, 0), rows=rows)
    alone = DraftTree(tokens=(PROBE, PROBE), parents=(ROOT, 0), rows={0: rows[1], 1: rows[2]})
    found = SpeculationStatistics().add(make_round((0,), (5, 9), tree=mixed), 0.0)
    found = found.add(make_round((), (9,), tree=alone), 0.0)
    assert (found.drafts, found.drafted, found.accepted, found.bonus) == (1, 1, (1,), 1)
