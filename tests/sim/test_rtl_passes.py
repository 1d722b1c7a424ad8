"""The simulated accelerator gives the emulator's bits: results, and the cache in memory."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from tercel.config import PRESETS
from tercel.device import Ask
from tercel.device.registers import REGISTERS
from tercel_hw.registers import accelerator_registers
from tercel_sim.ddr import DDR
from tercel_sim.lockstep import MismatchError

TOKENS = [5, 17, 3, 38, 41, 2, 30, 9, 33, 21, 12, 40]
TREE = [-1, 0, 0, 1]
MODELS = {
    "silu_gqa_tied": PRESETS["tiny"],
    "silu_mha_sub_norms": replace(
        PRESETS["tiny"], hidden_size=80, ffn_size=48, kv_heads=4, head_size=48, sub_norms=True
    ),
    "relu2_untied": replace(
        PRESETS["tiny"],
        hidden_size=34,
        ffn_size=37,
        heads=2,
        kv_heads=1,
        head_size=32,
        vocab_size=50,
        activation="relu2",
        sub_norms=True,
        tied_head=False,
    ),
}


def all_of(nodes, **fields):
    return Ask(top_k=5, logits=tuple(range(nodes)), hidden=tuple(range(nodes)), **fields)


@pytest.fixture
def little(lockstep, little_model, four_lanes):
    """Makes pairs of devices of the little model."""

    def make(**options):
        return lockstep(little_model, four_lanes, **options)

    return make


@pytest.mark.parametrize("family", MODELS)
def test_every_family_of_models(lockstep, four_lanes, family):
    pair = lockstep(MODELS[family], four_lanes)
    pair.prefill(TOKENS[:6])
    pair.step(TOKENS[:4], ask=all_of(4), parents=TREE, path=[0, 1, 3])
    pair.step(TOKENS[4:5], ask=all_of(1))


@pytest.mark.parametrize("path", [[0], [0, 1], [0, 2], [0, 1, 3]])
def test_trees_and_their_paths(little, path):
    pair = little()
    pair.step(TOKENS[:3])
    pair.step(TOKENS[:4], parents=TREE, ask=all_of(4), path=path)
    pair.step(TOKENS[4:7], ask=all_of(3), path=[0])
    pair.step(TOKENS[5:9], parents=[-1, 0, 1, 1], ask=all_of(4), path=[0, 1, 3])
    pair.step([4], ask=all_of(1))


@pytest.mark.parametrize(
    "ask",
    [
        Ask(),
        Ask(argmax=False),
        Ask(argmax=False, hidden=(1,)),
        Ask(argmax=False, logits=(2, 0)),
        Ask(argmax=False, top_k=3),
        Ask(hidden=(2,)),
        Ask(top_k=8, head_rows=8, logits=(1,)),
        Ask(top_k=1, head_rows=33),
        Ask(head_rows=1),
    ],
)
def test_every_ask(little, ask):
    pair = little()
    pair.step(TOKENS[:3], ask=ask, path=[0, 1])
    pair.run_pass(TOKENS[3:6], ask=ask, parents=[-1, 0, 0])


@pytest.mark.parametrize("hidden", [(), (0, 1)])
@pytest.mark.parametrize("head", [True, False])
def test_layer_masks(little, head, hidden):
    pair = little()
    pair.step(TOKENS[:4], path=[0, 1])
    choices = tuple(itertools.product((True, False), repeat=2))
    for mask in itertools.product(choices, choices):
        pair.run_pass(TOKENS[5:7], ask=Ask(argmax=head, hidden=hidden, layer_mask=mask))


def test_rows_instead_of_tokens(little, little_model):
    pair = little()
    rows = np.random.default_rng(4).normal(size=(3, little_model.hidden_size)).astype(np.float32)
    rows[1, :5] = [1e-40, -1e-40, 0.0, -0.0, 1e30]
    pair.run_pass(embedding_rows=rows, ask=all_of(3))
    pair.commit([0, 1])
    pair.run_pass(embedding_rows=rows[:1], ask=all_of(1))
    nothing = ((False, False),) * little_model.layers
    pair.run_pass(embedding_rows=rows, ask=all_of(3, layer_mask=nothing))


@pytest.mark.parametrize("given", [(0,), (3, 1), (0, 1, 2, 3)])
def test_rows_beside_tokens(little, little_model, given):
    pair = little()
    pair.step(TOKENS[:3])
    generator = np.random.default_rng(6)
    rows = {
        node: generator.normal(size=little_model.hidden_size).astype(np.float32) for node in given
    }
    tokens = [None if node in rows else token for node, token in enumerate(TOKENS[:4])]
    pair.step(tokens, embedding_rows=rows, parents=TREE, ask=all_of(4), path=[0, 1, 3])
    own = dict(zip(given, pair.rtl.embed([TOKENS[node] for node in given]), strict=True))
    mixed = pair.run_pass(tokens, embedding_rows=own, parents=TREE, ask=all_of(4))
    plain = pair.run_pass(TOKENS[:4], parents=TREE, ask=all_of(4))
    assert np.array_equal(mixed.top_logits, plain.top_logits)
    assert all(np.array_equal(mixed.hidden[node], plain.hidden[node]) for node in range(4))


def test_a_full_context_and_a_new_sequence(little):
    pair = little()
    pair.prefill([token % 48 for token in range(57)])
    pair.step(TOKENS[:4], ask=all_of(4), parents=TREE, path=[0, 2])
    pair.step(TOKENS[:4], ask=all_of(4))
    pair.step(TOKENS[:1], ask=all_of(1))
    assert pair.rtl.length == pair.rtl.limits.context == 64
    pair.reset()
    pair.step(TOKENS[:2], ask=all_of(2))


def test_a_kept_prompt_is_gone_on_from(little):
    pair = little()
    pair.prefill(TOKENS[:9])
    cache = pair.rtl.save()
    expected = pair.step(TOKENS[9:12], ask=all_of(3), path=[0])
    other = little(ddr=DDR["kv260-13.3"])
    other.step(TOKENS[4:7])
    other.restore(cache, 9)
    result = other.step(TOKENS[9:12], ask=all_of(3), path=[0])
    assert all(np.array_equal(result.logits[node], expected.logits[node]) for node in range(3))
    other.restore(cache, 4)
    other.step(TOKENS[:4], ask=all_of(4), parents=TREE, path=[0, 2])
    other.rewind(3)
    other.step(TOKENS[:1], ask=all_of(1))


def test_a_short_context(little):
    pair = little(context=5)
    pair.step(TOKENS[:4], ask=all_of(4))
    pair.step(TOKENS[4:5], ask=all_of(1))


def test_steps_a_chain_and_a_shuffled_tree_agree(little):
    """The same token after the same tokens, however it comes."""
    steps, chain, tree = little(), little(), little()
    for pair in (steps, chain, tree):
        pair.prefill(TOKENS[:5])
    single = [steps.step([token], ask=all_of(1)) for token in TOKENS[5:8]]
    together = chain.run_pass(TOKENS[5:8], ask=all_of(3))
    shuffled = tree.run_pass(
        [TOKENS[5], 1, TOKENS[6], TOKENS[7]], ask=all_of(4), parents=[-1, 0, 0, 2]
    )
    for expected, a, b in zip(single, (0, 1, 2), (0, 2, 3), strict=True):
        for result, node in ((together, a), (shuffled, b)):
            assert np.array_equal(result.logits[node], expected.logits[0])
            assert np.array_equal(result.hidden[node], expected.hidden[0])
            assert result.logsumexp[node] == expected.logsumexp[0]


@pytest.mark.parametrize(
    "ddr",
    [
        DDR["kv260-13.3"],
        DDR["kv260-15.0"],
        DDR["kv260-16.0"],
        replace(DDR["ideal"], pause=0.5, seed=7),
        replace(DDR["kv260-13.3"], pause=0.2, seed=8, sustained_gbs=0.6),
        replace(DDR["ideal"], read_latency=200, outstanding_reads=1, outstanding_writes=1),
        replace(DDR["kv260-15.0"], read_latency=7, write_latency=300, write_buffer=1, batch=1),
    ],
    ids=["13.3", "15.0", "16.0", "pauses", "slow", "one by one", "late"],
)
def test_no_memory_changes_a_bit(little, ddr):
    pair = little(ddr=ddr)
    pair.prefill(TOKENS[:6])
    pair.step(TOKENS[6:10], ask=all_of(4), parents=TREE, path=[0, 2])
    pair.step(TOKENS[:1], ask=all_of(1))


def test_registers_and_memory_count_the_same(little, little_model, four_lanes):
    pair = little()
    pair.prefill(TOKENS)
    board = pair.rtl.board
    board.clear_statistics()
    began = board.cycles
    result = pair.run_pass(TOKENS[:2], ask=all_of(2))
    names = accelerator_registers(four_lanes.control).constants()
    counted = {
        name: board.read_register(names[name.upper()])
        for name in ("cycles", "compute", "attention", "head", "bytes_read", "bytes_written")
    }
    statistics = board.statistics()
    assert counted["bytes_read"] == statistics.bytes_read
    assert counted["bytes_written"] == statistics.bytes_written
    program = board.word_bytes * pair.rtl.memory_map.program.words
    asked = result.counters.bytes_read
    assert asked <= counted["bytes_read"] < 1.5 * asked + program
    assert result.counters.kv_bytes_written < counted["bytes_written"]
    assert 0 < counted["cycles"] < board.cycles - began
    layout = four_lanes.layout
    chunks = sum(
        rows * layout.chunks(columns).count for rows, columns in little_model.linears().values()
    )
    assert counted["compute"] == little_model.layers * chunks
    for part in ("attention", "head"):
        assert 100 < counted[part] < counted["cycles"] - counted["compute"]


def test_a_pass_has_the_time_of_its_cycles(little):
    rtl = little().rtl
    seconds = rtl.run_pass(TOKENS[:2]).seconds
    cycles = rtl.board.read_register(REGISTERS["CYCLES"])
    assert cycles > 1000
    assert seconds == cycles / rtl.board.clock_hz


def test_what_differs_is_named(little):
    pair = little()
    pair.prefill(TOKENS[:6])
    where = pair.rtl.memory_map
    first = pair.rtl.board.read(where.block(1), 1)
    pair.rtl.board.write(where.block(1), first ^ 1)
    with pytest.raises(MismatchError, match=r"keys of layer 1 in the cache at \[0, 0, 0\]"):
        pair.prefill(TOKENS[:1])
    pair.rtl.board.write(where.block(1), first)
    assert pair.rtl.read_cache(1, 6).values.shape == (2, 6, 16)
    pair.emulator.cache.write(0, 2, np.ones((1, 2, 16), np.float32), np.ones((1, 2, 16)))
    with pytest.raises(
        MismatchError,
        match=r"hidden of a pass after 7 positions differs for node 0 at \[\d+\]: .* instead of ",
    ):
        pair.run_pass(TOKENS[:1], ask=Ask(argmax=False, hidden=(0,)))
