from tercel.sampling import SamplingConfig
from tercel.speculation import DraftBudget, DraftState, NoDrafter, PassNeeds


def test_plain_decoding_drafts_nothing_and_needs_nothing():
    state = DraftState(tokens=[1, 2], position=1, sampling=SamplingConfig())
    assert len(NoDrafter().propose(state, DraftBudget(nodes=7, depth=7))) == 0
    assert NoDrafter.needs == PassNeeds()
