from tercel.config import PRESETS
from tercel_sim.cycle_model.requests import chain_request

MODEL = PRESETS["tiny"]


def test_a_chain_with_a_head():
    found = chain_request(MODEL, nodes=3, base=7, head_rows=20, top_k=4)
    assert (found.parents, found.base, found.nodes) == ((-1, 0, 1), 7, 3)
    assert (found.head_rows, found.ask.argmax, found.ask.top_k) == (20, True, 4)
    assert found.layer_mask == ((True, True),) * MODEL.layers
    assert not found.ask.logits
    assert not found.ask.hidden


def test_without_a_head_nothing_is_asked_of_it():
    found = chain_request(MODEL, nodes=1, base=0, head_rows=None, top_k=4)
    assert (found.head_rows, found.ask.argmax, found.ask.top_k) == (0, False, 0)
