import itertools

import pytest
from fake_device import EOS, FakeDevice

from tercel.device import DeviceFacts, Timing
from tercel.errors import TercelError
from tercel.runtime import GenerationConfig
from tercel.runtime.prompt_file import Prompt
from tercel.runtime.speculation_benchmark import loop_start, run_speculation_benchmark
from tercel.speculation import Drafter, DraftTree, FixedSize, Speculator


class Oracle(Drafter):
    """Drafts the script, which is wrong after two tokens."""

    def __init__(self, script):
        self._script = script

    def propose(self, state, budget):
        at = len(state.tokens)
        right = self._script[at : at + min(2, budget.depth, budget.nodes)]
        return DraftTree.chain((*right, 0)[: min(budget.nodes, budget.depth)])


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("", 0),
        ("abcdef", 6),
        ("abcabc", 6),  # twice is no loop
        ("abcabcabc", 3),
        ("xyabababab", 4),
        ("xyaaaa", 3),
        ("aaaaaab", 7),
    ],
)
def test_loops_begin_with_the_first_repetition(text, start):
    assert loop_start([ord(letter) for letter in text]) == start


@pytest.fixture
def measure(tokenizer):
    def run(script, methods, prompts, most=12):
        device = FakeDevice(script=script, nodes=6)
        config = GenerationConfig(max_tokens=most)
        found = run_speculation_benchmark(device, tokenizer, methods, prompts, config)
        return [measurement.to_dict() for measurement in found]

    return run


def speculator(script):
    clock = itertools.count(0.0, 1.0)
    return Speculator([Oracle(script)], controller=FixedSize(5), clock=lambda: next(clock))


def test_every_method_has_a_row_for_each_kind(measure):
    script = [*b"abcdefghijklmnopqrstuvwxyz", *[EOS] * 40]
    prompts = [
        Prompt(kind="a", text="abc"),
        Prompt(kind="b", text="abcd"),
        Prompt(kind="a", text="a"),
    ]
    rows = measure(script, {"oracle": speculator(script)}, prompts)
    assert [(row["method"], row["kind"]) for row in rows] == [
        ("none", "a"),
        ("none", "b"),
        ("oracle", "a"),
        ("oracle", "b"),
    ]
    plain, found = rows[1], rows[3]
    assert (plain["tokens"], plain["rounds"], plain["speedup"]) == (11, 11, 1.0)
    assert found["text"] == "equal"
    assert (found["tokens"], found["rounds"], found["drafts"]) == (11, 4, 4)
    assert found["drafted"] == 3 + 3 + 3 + 1
    assert found["accepted"] == 2 + 2 + 2 + 1
    assert found["accepted_by_position"] == [1.0, 0.75]
    assert found["bonus"] == 1  # only the last draft has no wrong end
    assert found["tokens_per_verify"] == 11 / 4
    assert found["tokens_per_verify_in_loops"] is None
    assert found["ms_per_verify"] == 1000
    assert found["ms_per_draft"] == 4000  # two calls of the clock in a draft, two in learning
    assert found["ms_per_token"] == pytest.approx(1000 * 4 * 6 / 11)
    assert rows[2]["tokens"] == 22


def test_no_time_of_the_host_is_added_to_simulated_passes(tokenizer):
    class Simulated(FakeDevice):
        def facts(self):
            return DeviceFacts(timing=Timing.SIMULATED)

    script = [*b"abcdefghijklmnopqrstuvwxyz", *[EOS] * 40]
    device = Simulated(script=script, nodes=6)
    config = GenerationConfig(max_tokens=12)
    prompts, methods = [Prompt(kind="a", text="abc")], {"oracle": speculator(script)}
    found = list(run_speculation_benchmark(device, tokenizer, methods, prompts, config))[1]
    row = found.to_dict()
    assert row["ms_per_draft"] == 4000
    assert row["ms_per_token"] == pytest.approx(1000 * row["rounds"] / row["tokens"])
    assert row["speedup"] == pytest.approx(found.plain_seconds_per_token * row["tokens"] / 4)


def test_rounds_in_loops_are_reported_apart(measure):
    script = [*b"abcdefghi", *b"j" * 60]
    prompt = [Prompt(kind="a", text="abc")]
    found = measure(script, {"oracle": speculator(script)}, prompt, most=30)[1]
    assert found["tokens"] < 12
    assert found["tokens_per_verify_in_loops"] == pytest.approx(2.8, abs=0.2)


def test_a_text_that_differs_is_told(tokenizer):
    script = [*b"abcdefghijklmnopqrstuvwxyz", *[EOS] * 40]
    device = FakeDevice(script=script, nodes=6)

    class Changing(Speculator):
        def reset(self):
            super().reset()
            device._script = [*b"abcdefghijklmnopqrstuvwxyz".upper(), *[EOS] * 40]

    config = GenerationConfig(max_tokens=5)
    prompts = [Prompt(kind="a", text="abc")]
    found = list(run_speculation_benchmark(device, tokenizer, {"x": Changing()}, prompts, config))
    assert [each.equal for each in found] == [True, False]


def test_without_a_prompt_nothing_is_measured(measure):
    with pytest.raises(TercelError, match="needs a prompt"):
        measure([0] * 40, {}, [])
