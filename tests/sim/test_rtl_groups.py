"""An accelerator with groups gives the emulator's bits for models of every granularity.

One compilation, a minute of a free core; programs of such models are played without RTL in
``tests/sw/program``.
"""

from dataclasses import replace

import numpy as np
import pytest

from tercel import numerics
from tercel.config import ModelConfig
from tercel.device import Ask, KVCache
from tercel.device.emulator import EmulatorDevice
from tercel.device.weights import ModelWeights
from tercel.errors import TercelError
from tercel_hw.tlmm.config import TlmmConfig
from tercel_hw.top import ACCELERATORS
from tercel_sim.cycle_model import predict_pass
from tercel_sim.ddr import DDR, DdrConfig
from tercel_sim.measurement import measure_pass
from tercel_sim.rtl_library import rtl_library
from tercel_sim.selfcheck import check_model

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

TINY = ACCELERATORS["tiny"]
ENGINE = TlmmConfig(tables=26, groups=1, nodes=2, block_rows=16, generators=2, max_columns=384)
MODEL = ModelConfig(
    name="groups",
    layers=2,
    hidden_size=160,
    ffn_size=300,
    heads=4,
    kv_heads=2,
    head_size=16,
    vocab_size=90,
    context=64,
    granularity="group",
)
EVERYTHING = {"ternary_head": True, "qk_norm": True}
MODELS = {
    "groups": {},
    "groups, q/k norms": {"qk_norm": True, "kv_heads": 4, "head_size": 32, "hidden_size": 128},
    "groups, ternary head": EVERYTHING | {"sub_norms": True, "activation": "relu2"},
    "groups, own ternary head": EVERYTHING | {"tied_head": False, "vocab_size": 33},
    "rows": {"granularity": "row", "hidden_size": 70, "ffn_size": 384},
    "rows, q/k norms": {"granularity": "row", "qk_norm": True, "tied_head": False},
    "one scale": {"granularity": "tensor", "hidden_size": 100},
    "one scale, q/k norms": {"granularity": "tensor", "qk_norm": True, "kv_heads": 1},
}
TOKENS = [5, 17, 3, 32, 21, 2]
PASSES = [(1, 0, True, 0), (2, 7, True, 0), (2, 50, True, 3), (1, 30, False, 0)]
"""Nodes, base, whether there is a head, ranks."""
MEMORIES = {
    "ideal": DDR["ideal"],
    "kv260": DDR["kv260-15.0"],
    "slow": DdrConfig(sustained_gbs=0.6),
}


@pytest.fixture(scope="module")
def grouped(verilator):
    """The tiny accelerator with a group in a row-chunk, compiled."""
    config = replace(TINY, tlmm=ENGINE, hidden=160, qk_norm=True, shortlist=64)
    rtl_library(config)
    return config


def all_of(nodes, **fields):
    return Ask(top_k=5, logits=tuple(range(nodes)), hidden=tuple(range(nodes)), **fields)


def check(pair):
    pair.prefill(TOKENS[:3])
    pair.step(TOKENS[:2], ask=all_of(2), parents=[-1, 0], path=[0, 1])
    row = np.random.default_rng(1).normal(size=pair.rtl.config.hidden_size).astype(np.float32)
    pair.step([4, None], embedding_rows={1: row}, ask=all_of(2, head_rows=17), path=[0])
    pair.step(TOKENS[4:5], ask=all_of(1, head_rows=16))
    # Without sums of exponentials nothing but the rows tells the head when to write.
    pair.step(TOKENS[4:5], ask=Ask(logits=(0,)))


def test_a_model_that_has_everything(lockstep, grouped):
    check(lockstep(replace(MODEL, layers=1, **EVERYTHING), grouped))


@pytest.mark.parametrize("family", MODELS)
def test_every_family_of_models(lockstep, grouped, family):
    memory = replace(DDR["kv260-13.3"], pause=0.2, seed=3)
    check(lockstep(replace(MODEL, **MODELS[family]), grouped, ddr=memory))


LISTS = {
    "one scale": {"shortlist": 32, "granularity": "tensor"},
    "groups": {"shortlist": 64, "qk_norm": True, "vocab_size": 250, "tied_head": False},
    "rows": {"shortlist": 32, "granularity": "row", "hidden_size": 70, "vocab_size": 130},
}


@pytest.mark.parametrize("family", LISTS)
def test_two_stage_heads(lockstep, grouped, family):
    """Between whole heads, with rows that count, trees, given rows, masks of layers."""
    memory = replace(DDR["kv260-13.3"], pause=0.2, seed=4)
    pair = lockstep(replace(MODEL, **LISTS[family]), grouped, ddr=memory)
    pair.prefill(TOKENS[:3])
    asked = {"two_stage": True, "top_k": 8}
    pair.step(TOKENS[:2], ask=Ask(**asked), parents=[-1, 0], path=[0, 1])
    pair.step(TOKENS[:2], ask=all_of(2))
    for nodes, rows in ((2, 17), (1, 16), (2, 33), (1, 70), (2, 90)):
        pair.step(TOKENS[:nodes], ask=Ask(**asked, head_rows=rows), path=[0])
    row = np.random.default_rng(1).normal(size=pair.rtl.config.hidden_size).astype(np.float32)
    both = {"embedding_rows": {1: row}, "path": [0]}
    pair.step([4, None], ask=Ask(two_stage=True, hidden=(0, 1)), **both)
    nothing = ((False, False),) * pair.rtl.config.layers
    pair.run_pass(TOKENS[4:5], ask=Ask(**asked, layer_mask=nothing))
    pair.step(TOKENS[4:5], ask=Ask(argmax=False, top_k=3, two_stage=True))


@pytest.mark.parametrize("seed", range(12))
def test_random_models_and_passes(grouped, seed):
    found = check_model(grouped, seed=seed, passes=6, most_cycles=12_000)
    assert found.failure is None, found.failure


def test_a_corrupt_multiplier(lockstep, random_images, grouped):
    """The bits behind the last multiplier of a row-chunk are not zero."""
    model = replace(MODEL, **EVERYTHING)
    pair = lockstep(model, grouped, ddr=DDR["kv260-15.0"], watchdog=1000)
    pair.step(TOKENS[:2])
    image = random_images(model, grouped)
    segment, layout = image.segment("layers.1.down"), image.layout
    at = layout.padded(4 * layout.block_rows) + segment.form(layout).row_chunks.sizes[0] - 1
    place, board = segment.first_word + at // layout.word_bytes, pair.rtl.board
    good = board.read(place, 1)
    bad = good.copy()
    bad.reshape(-1)[at % layout.word_bytes] |= 0x80
    board.write(place, bad)
    with pytest.raises(TercelError, match="reported the errors code and was reset"):
        pair.rtl.run_pass(TOKENS[:2], ask=all_of(2))
    board.write(place, good)
    pair.step(TOKENS[:2], ask=all_of(2), path=[0])


def test_a_corrupt_code_of_a_shortlist(lockstep, random_images, grouped):
    """A two-stage pass reports it, one with the whole head does not read it."""
    model = replace(MODEL, **LISTS["one scale"])
    pair = lockstep(model, grouped, ddr=DDR["kv260-15.0"], watchdog=1000)
    asked = Ask(two_stage=True, top_k=3)
    pair.step(TOKENS[:2], ask=asked)
    image = random_images(model, grouped)
    segment, layout = image.segment("shortlist"), image.layout
    at = layout.padded(4 * layout.block_rows)
    place, board = segment.first_word + at // layout.word_bytes, pair.rtl.board
    good = board.read(place, 1)
    bad = good.copy()
    bad.reshape(-1)[at % layout.word_bytes] = 255
    board.write(place, bad)
    pair.run_pass(TOKENS[:2], ask=all_of(2))
    with pytest.raises(TercelError, match="reported the errors code and was reset"):
        pair.rtl.run_pass(TOKENS[:2], ask=asked)
    board.write(place, good)
    pair.step(TOKENS[:2], ask=asked, path=[0])


@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("family", MODELS)
def test_predicted_passes(rtl_device, grouped, family, memory):
    model = replace(MODEL, **MODELS[family])
    device = rtl_device(model, grouped, ddr=MEMORIES[memory], watchdog=100_000)
    cache = KVCache(config=model, positions=device.limits.context)
    for nodes, base, headed, top_k in PASSES:
        rows = model.vocab_size if headed else None
        device.restore(cache, base)
        measured, _ = measure_pass(device, [0] * nodes, Ask(argmax=headed, top_k=top_k))
        predicted = predict_pass(
            model,
            grouped,
            MEMORIES[memory],
            start=measured.start,
            nodes=nodes,
            base=base,
            head_rows=rows,
            top_k=top_k,
        )
        assert predicted.cycles == pytest.approx(measured.cycles, rel=0.03), (nodes, base)
        for name in ("bytes_read", "bytes_written"):
            assert getattr(predicted, name) == measured.counted[name], (nodes, base)


def listed_rows(image, nodes, base):
    """Rows that some node lists in a pass of tokens 0 behind an empty cache."""
    emulator = EmulatorDevice(image, nodes=nodes)
    emulator.restore(KVCache(config=image.config, positions=image.config.context), base)
    found = emulator.run_pass([0] * nodes, ask=Ask(hidden=tuple(range(nodes))))
    stream = np.stack([found.hidden[node] for node in range(nodes)])
    x = numerics.norm_quantise(stream, image.gain("norm"), image.config.norm_epsilon)
    lists, _ = ModelWeights(image).listed(x, image.config.vocab_size)
    return len(np.unique(lists))


@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("family", LISTS)
def test_predicted_two_stage_heads(rtl_device, random_images, grouped, family, memory):
    model = replace(MODEL, **LISTS[family])
    device = rtl_device(model, grouped, ddr=MEMORIES[memory], watchdog=100_000)
    image = random_images(model, grouped)
    cache = KVCache(config=model, positions=device.limits.context)
    for nodes, base, top_k in ((1, 0, 0), (2, 7, 0), (2, 50, 3)):
        device.restore(cache, base)
        ask = Ask(top_k=top_k, two_stage=True)
        measured, _ = measure_pass(device, [0] * nodes, ask)
        predicted = predict_pass(
            model,
            grouped,
            MEMORIES[memory],
            start=measured.start,
            nodes=nodes,
            base=base,
            head_rows=model.vocab_size,
            top_k=top_k,
            two_stage=True,
            listed=listed_rows(image, nodes, base),
        )
        assert predicted.cycles == pytest.approx(measured.cycles, rel=0.03), (nodes, base)
        for name in ("bytes_read", "bytes_written"):
            assert getattr(predicted, name) == measured.counted[name], (nodes, base)
