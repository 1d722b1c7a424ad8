import dataclasses

import pytest

from tercel.config import PRESETS
from tercel_hw.top import ACCELERATORS
from tercel_sim.cycle_model import predict_pass
from tercel_sim.ddr import DDR
from tercel_sim.predicted_speed import memory_of, predicted_speed


@pytest.mark.parametrize("layers", [3, 9])
def test_layers_are_extrapolated(layers):
    model = dataclasses.replace(PRESETS["tiny"], layers=layers)
    whole = predict_pass(
        model, ACCELERATORS["tiny"], DDR["ideal"], nodes=1, base=40, head_rows=model.vocab_size
    )
    found, memory = predicted_speed(model, preset="tiny", context=40, memory="ideal")
    assert memory == "ideal"
    assert found == pytest.approx(whole.passes_per_second, rel=0.01)


def test_no_more_positions_than_there_are():
    model = PRESETS["tiny"]
    far, last = (predicted_speed(model, preset="tiny", context=each) for each in (500, 63))
    assert far == last


def test_a_preset_has_the_memory_of_its_board():
    assert memory_of("pynq-z2").startswith("pynq-z2-")
    assert memory_of("kv260-wide") == memory_of("kv260")
