"""Predicted passes against the cycle-accurate simulation."""

from dataclasses import replace

import pytest

from tercel.config import PRESETS
from tercel.device import Ask, KVCache
from tercel.errors import TercelError
from tercel_hw.top import ACCELERATORS
from tercel_sim.banks import BankConfig
from tercel_sim.cycle_model import predict_pass, predict_prefill
from tercel_sim.ddr import DDR, BankedDdrConfig, DdrConfig
from tercel_sim.measurement import measure_pass

MEMORIES = {
    "ideal": DDR["ideal"],
    "kv260": DDR["kv260-15.0"],
    "slow": DdrConfig(sustained_gbs=0.6),
    "far": DdrConfig(sustained_gbs=1.0, read_latency=200),
    "narrow": DdrConfig(port_rate=0.25),
    "banks": DDR["kv260-banks"],
    "one bank": BankedDdrConfig(sustained_gbs=1.0, banks=BankConfig(stagger=0)),
}
TINY = PRESETS["tiny"]
SHAPES = {
    "tiny": {},
    "a block of rows that is not full": {"vocab_size": 81},
    "wide": {"hidden_size": 128, "ffn_size": 240, "layers": 1, "vocab_size": 208},
    "large heads": {"ffn_size": 64, "heads": 2, "head_size": 48},
    "a query head a KV head": {"hidden_size": 48, "ffn_size": 96, "layers": 3, "kv_heads": 4},
    "deep": {"hidden_size": 32, "ffn_size": 48, "layers": 6, "heads": 2, "kv_heads": 1},
    "all head": {"hidden_size": 96, "ffn_size": 64, "layers": 1, "vocab_size": 256},
}
PASSES = [(1, 0, True, 0), (3, 7, True, 0), (4, 50, True, 3), (1, 30, False, 0)]
"""Nodes, base, whether there is a head, ranks."""


@pytest.fixture
def check(rtl_device):
    """Runs passes and compares them with what is predicted."""

    def check(model, accelerator, memory, passes, bound):
        device = rtl_device(model, accelerator, ddr=memory, watchdog=100_000)
        # The contents of the cache change no cycle.
        cache = KVCache(config=model, positions=device.limits.context)
        for nodes, base, headed, top_k in passes:
            asked = {
                "nodes": nodes,
                "base": base,
                "head_rows": model.vocab_size if headed else None,
                "top_k": top_k,
            }
            device.restore(cache, base)
            measured, _ = measure_pass(device, [0] * nodes, Ask(argmax=headed, top_k=top_k))
            predicted = predict_pass(model, accelerator, memory, start=measured.start, **asked)
            assert predicted.cycles == pytest.approx(measured.cycles, rel=bound), asked
            for name in ("bytes_read", "bytes_written"):
                assert getattr(predicted, name) == measured.counted[name], asked
            assert sum(predicted.parts.values()) == pytest.approx(predicted.cycles, abs=1)

    return check


# In so short a pass a refresh more or less counts, and most in a slow memory.
@pytest.mark.parametrize(
    ("memory", "bound"),
    [("ideal", 0.01), ("kv260", 0.02), ("slow", 0.04), ("banks", 0.03), ("one bank", 0.03)],
)
def test_a_little_model(check, four_lanes, little_model, memory, bound):
    check(little_model, four_lanes, MEMORIES[memory], PASSES, bound)


@pytest.mark.parametrize("mask", [(True, False), (False, True), (False, False)])
def test_passes_of_some_layers(rtl_device, four_lanes, little_model, mask):
    device = rtl_device(little_model, four_lanes, ddr=MEMORIES["kv260"], watchdog=100_000)
    device.restore(KVCache(config=little_model, positions=30), 30)
    layers = ((True, True), mask)
    ask = Ask(top_k=3, layer_mask=layers)
    measured, _ = measure_pass(device, [0] * 2, ask)
    predicted = predict_pass(
        little_model,
        four_lanes,
        MEMORIES["kv260"],
        nodes=2,
        base=30,
        head_rows=48,
        top_k=3,
        layer_mask=layers,
        start=measured.start,
    )
    assert predicted.cycles == pytest.approx(measured.cycles, rel=0.03)
    assert predicted.bytes_read == measured.counted["bytes_read"]


def test_rows_that_do_not_count_are_read(check, four_lanes, little_model):
    model = replace(little_model, hidden_size=128, layers=1, vocab_size=33)
    check(model, four_lanes, MEMORIES["slow"], [(1, 0, True, 0), (1, 30, False, 0)], 0.02)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("shape", SHAPES)
def test_other_shapes(check, four_lanes, shape, memory):
    # Rows of banks that several channels open by turns are counted, not simulated.
    bound = 0.04 if "bank" in memory else 0.03
    check(replace(TINY, **SHAPES[shape]), four_lanes, MEMORIES[memory], PASSES, bound)


def test_the_kv260():
    accelerator, model = ACCELERATORS["kv260"], PRESETS["0.7b"]
    # The memory's rate bounds a token of a large model from below.
    memory = DDR["kv260-13.3"]
    one = predict_pass(model, accelerator, memory, nodes=1, base=100, head_rows=model.vocab_size)
    bound = one.bytes_read / (memory.sustained_gbs * 1e9)
    assert bound < one.seconds < 1.1 * bound
    assert one.passes_per_second == pytest.approx(1 / one.seconds)
    longer = predict_pass(
        model, accelerator, memory, nodes=8, base=1000, head_rows=model.vocab_size
    )
    assert one.cycles < longer.cycles < 1.5 * one.cycles


@pytest.mark.parametrize(("name", "least", "most"), [("0.7b", 1.0, 1.002), ("small", 3.4, 3.6)])
def test_what_all_lanes_and_the_best_64_cost_in_the_head(name, least, most):
    model, accelerator, memory = PRESETS[name], ACCELERATORS["kv260"], DDR["kv260-15.0"]
    rows = model.vocab_size
    one, all_lanes = (
        predict_pass(model, accelerator, memory, nodes=nodes, base=100, head_rows=rows, top_k=top_k)
        for nodes, top_k in ((1, 0), (8, 64))
    )
    assert least <= all_lanes.parts["head"] / one.parts["head"] <= most


def test_prefill():
    model, accelerator, memory = TINY, ACCELERATORS["tiny"], DDR["kv260-13.3"]
    passes = [
        predict_pass(model, accelerator, memory, nodes=2, base=base, head_rows=None).cycles
        for base in range(3, 33, 2)
    ]
    whole = predict_prefill(model, accelerator, memory, tokens=31, base=3)
    rest = predict_pass(model, accelerator, memory, nodes=1, base=33, head_rows=None)
    assert whole.passes == 16
    assert whole.cycles == pytest.approx(sum(passes) + rest.cycles, rel=0.005)
    assert whole.tokens_per_second == pytest.approx(31 * whole.clock_hz / whole.cycles)


def test_a_prompt_shorter_than_a_pass():
    model, accelerator, memory = TINY, ACCELERATORS["tiny"], DDR["kv260-13.3"]
    whole = predict_prefill(model, accelerator, memory, tokens=1)
    single = predict_pass(model, accelerator, memory, nodes=1, base=0, head_rows=None)
    assert (whole.cycles, whole.passes) == (single.cycles, 1)


@pytest.mark.parametrize(
    ("nodes", "base", "message"),
    [
        (0, 0, r"nodes must be in 1\.\.2, not 0"),
        (3, 0, r"nodes must be in 1\.\.2, not 3"),
        (2, 63, r"base must be in 0\.\.62, not 63"),
        (1, -1, r"base must be in 0\.\.63, not -1"),
    ],
)
def test_passes_that_cannot_be(nodes, base, message):
    with pytest.raises(ValueError, match=message):
        predict_pass(
            TINY, ACCELERATORS["tiny"], DDR["ideal"], nodes=nodes, base=base, head_rows=None
        )


def test_a_model_that_is_too_large():
    with pytest.raises(TercelError, match=r"hidden_size of 0\.7b must be at most 128"):
        predict_pass(
            PRESETS["0.7b"], ACCELERATORS["tiny"], DDR["ideal"], nodes=1, base=0, head_rows=None
        )


def test_a_model_of_version_3_is_refused():
    model = replace(TINY, granularity="group")
    with pytest.raises(TercelError, match="run it on the emulator"):
        predict_pass(model, ACCELERATORS["tiny"], DDR["ideal"], nodes=1, base=0, head_rows=None)
