import dataclasses

import pytest

from tercel.config import PRESETS
from tercel.device import Counters
from tercel.errors import TercelError
from tercel.runtime import BenchmarkConfig, Measurement, benchmark, run_benchmark


def measure(device, **values):
    return {found.test: found for found in run_benchmark(device, BenchmarkConfig(**values))}


def test_tests_run_what_their_names_say(make_device):
    found = measure(
        make_device(nodes=4),
        prompt_tokens=10,
        generated_tokens=3,
        verify_nodes=2,
        repetitions=2,
        depth=5,
    )
    assert list(found) == ["pp10 @ d5", "tg3 @ d5", "v1 @ d5", "v2 @ d5"]
    prefill, decode, _, verify = found.values()
    assert (prefill.counters.passes, prefill.counters.nodes) == (2 * 3, 2 * 10)
    assert prefill.counters.kv_bytes_read == 2 * 10 * (5 + 9 + 13)
    assert (decode.counters.passes, decode.counters.nodes) == (2 * 3, 2 * 3)
    assert decode.counters.kv_bytes_read == 2 * 10 * (5 + 6 + 7)
    assert (verify.counters.passes, verify.counters.nodes) == (2, 4)
    assert verify.counters.kv_bytes_read == 2 * 10 * 5
    assert all(len(measured.seconds) == 2 for measured in found.values())


def test_only_decoding_runs_the_head(make_device):
    device = make_device()
    measure(device, prompt_tokens=4, generated_tokens=0, verify_nodes=0, repetitions=1)
    assert [ask.needs_head for ask in device.asks] == [True, True, False]


def test_a_size_of_0_leaves_a_test_out(make_device):
    found = measure(make_device(), prompt_tokens=0, generated_tokens=0, verify_nodes=1)
    assert list(found) == ["v1"]


def test_the_clock_covers_the_test_alone(make_device, monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr(benchmark, "perf_counter", lambda: next(clock))
    found = measure(make_device(), prompt_tokens=4, generated_tokens=2, verify_nodes=0)
    assert {measured.seconds for measured in found.values()} == {(1, 1, 1, 1, 1)}


def test_tokens_are_random_of_the_whole_vocabulary_and_the_same_in_every_run(make_device):
    config = dataclasses.replace(PRESETS["tiny"], vocab_size=3, eos_tokens=())
    sequences = []
    for _ in range(2):
        device = make_device(config=config)
        measure(device, prompt_tokens=60, generated_tokens=0, verify_nodes=0, repetitions=1)
        sequences.append(device.sequence)
    assert sequences[0] == sequences[1]
    assert set(sequences[0]) == {0, 1, 2}


def test_a_test_may_fill_the_context(make_device):
    found = measure(make_device(), depth=60, prompt_tokens=4, generated_tokens=0, verify_nodes=0)
    assert list(found) == ["pp4 @ d60"]


def test_figures_of_a_measurement():
    counters = Counters(passes=4, nodes=20, tape_bytes_read=3000, kv_bytes_read=1000)
    found = Measurement(test="x", tokens=10, seconds=(1.0, 2.0), counters=counters)
    assert found.tokens_per_second == (7.5, pytest.approx(3.5355339))
    assert found.milliseconds_per_pass == (750.0, pytest.approx(353.55339))
    assert found.bytes_per_token == 200
    once = Measurement(test="x", tokens=10, seconds=(1.0,), counters=counters)
    assert once.tokens_per_second == (10.0, 0.0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"repetitions": 0}, "repetitions must be 1 or more, not 0"),
        ({"depth": -1}, "depth must be 0 or more, not -1"),
        ({"verify_nodes": 5}, "verify_nodes must be at most the device's 4 nodes, not 5"),
        (
            {"depth": 60, "prompt_tokens": 5},
            "5 tokens at a depth of 60 exceed the context of 64; measure less or open the device",
        ),
        ({"depth": 125, "prompt_tokens": 5}, "less since 128 positions are the model's maximum"),
    ],
)
def test_rules(make_device, values, message):
    small = {"prompt_tokens": 2, "generated_tokens": 2, "verify_nodes": 2, **values}
    with pytest.raises(TercelError, match=message):
        measure(make_device(), **small)
