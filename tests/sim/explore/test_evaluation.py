from dataclasses import replace

import pytest

from tercel.config import PRESETS
from tercel_hw.top import ACCELERATORS
from tercel_sim.banks import BankConfig
from tercel_sim.cycle_model import predict_pass, predict_prefill
from tercel_sim.ddr import DDR
from tercel_sim.explore.evaluation import CONTEXT, PROMPT, VERIFIED, ddr_at, predict_speed

MEMORY = DDR["kv260-15.0"]
MODEL = replace(PRESETS["small"], layers=8, vocab_size=8800)


def test_what_is_extrapolated_is_near_the_whole_model():
    accelerator = ACCELERATORS["kv260"]
    speed = predict_speed(MODEL, accelerator, MEMORY)
    asked = {"base": CONTEXT, "head_rows": MODEL.vocab_size}
    one = predict_pass(MODEL, accelerator, MEMORY, nodes=1, **asked)
    assert speed.tokens_per_second == pytest.approx(one.passes_per_second, rel=0.01)
    verify = predict_pass(MODEL, accelerator, MEMORY, nodes=VERIFIED, **asked)
    assert speed.verify_ms == pytest.approx(1000 * verify.seconds, rel=0.01)
    assert speed.verify_cost == pytest.approx(verify.seconds / one.seconds, rel=0.01)
    prefill = predict_prefill(MODEL, accelerator, MEMORY, tokens=PROMPT)
    head = one.parts["head"] / one.cycles * one.seconds
    first = 1000 * (prefill.tokens / prefill.tokens_per_second + head)
    assert speed.first_token_ms == pytest.approx(first, rel=0.02)


def test_few_lanes_verify_in_several_passes():
    model, memory = PRESETS["tiny"], MEMORY
    preset = ACCELERATORS["tiny"]
    context = replace(preset, positions=256)
    model = replace(model, context=256)
    speeds = [
        predict_speed(model, replace(context, tlmm=replace(preset.tlmm, nodes=nodes)), memory)
        for nodes in (1, 4)
    ]
    assert speeds[0].verify_cost == pytest.approx(8, rel=0.05)
    assert speeds[1].verify_cost < 4
    assert speeds[0].tokens_per_second == pytest.approx(speeds[1].tokens_per_second, rel=0.1)
    assert speeds[0].first_token_ms > 2 * speeds[1].first_token_ms


def test_a_memory_has_the_same_nanoseconds_at_every_clock():
    half = ddr_at(MEMORY, 125)
    assert half.clock_mhz == 125
    assert half.sustained_gbs == MEMORY.sustained_gbs
    assert half.read_latency == MEMORY.read_latency / 2
    assert half.refresh_part == pytest.approx(MEMORY.refresh_part, rel=0.01)
    assert ddr_at(MEMORY, 250) == MEMORY
    assert ddr_at(DDR["ideal"], 10).read_latency == 1
    banked = replace(DDR["kv260-banks"], banks=BankConfig(lags=(0, 12)))
    banks = ddr_at(banked, 125).banks
    assert (banks.open_cycles, banks.change_cycles, banks.lags) == (2, 4, (0, 6))
    assert ddr_at(banked, 250) == banked
