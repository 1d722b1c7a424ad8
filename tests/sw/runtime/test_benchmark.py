import dataclasses
from types import SimpleNamespace

import pytest

from tercel.config import PRESETS
from tercel.device import DeviceFacts, Timing
from tercel.device.emulator import EmulatorDevice
from tercel.errors import TercelError
from tercel.image import Image, random_image
from tercel.runtime import BenchmarkConfig, benchmark, run_benchmark
from tercel.sampling import SamplingConfig

NONE = {"prompt_tokens": (), "generated_tokens": (), "text_tokens": (), "verify_nodes": 0}


def measure(device, *, tokenizer=None, sensors=(), depths=(0,), **values):
    config = BenchmarkConfig(**(NONE | {"depths": depths, "repetitions": 2} | values))
    _, found = run_benchmark(
        device, config, tokenizer=tokenizer, power=sensors, temperature=sensors
    )
    return {measured.test: measured for measured in found}


class ClockedDevice:
    """A fake device whose passes take a second, of a board or of a simulation."""

    def __new__(cls, make_device, timing, simulation=None):
        class Clocked(make_device):
            @property
            def simulation_seconds(self):
                return None if simulation is None else simulation * self.counters.passes

            def facts(self):
                return DeviceFacts(timing=timing)

            def _run(self, request, rows):
                return dataclasses.replace(super()._run(request, rows), seconds=1.0)

        return Clocked(nodes=4)


def test_tests_run_what_their_names_say(make_device):
    found = measure(
        make_device(nodes=4),
        prompt_tokens=(10,),
        generated_tokens=(3,),
        verify_nodes=2,
        depths=(5,),
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


def test_every_size_runs_at_every_depth(make_device):
    found = measure(make_device(), prompt_tokens=(4, 8), generated_tokens=(2,), depths=(0, 7))
    assert list(found) == ["pp4", "pp8", "tg2", "pp4 @ d7", "pp8 @ d7", "tg2 @ d7"]


def test_the_positions_before_a_test_cost_no_passes(make_device):
    device = make_device()
    measure(device, generated_tokens=(2,), depths=(50,), repetitions=3)
    assert device.counters.passes == 2 + 3 * 2


def test_only_decoding_runs_the_head(make_device):
    device = make_device()
    measure(device, prompt_tokens=(4,), repetitions=1)
    assert [ask.needs_head for ask in device.asks] == [True, True, False]


def test_the_clock_covers_the_test_alone(make_device, monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr(benchmark, "perf_counter", lambda: next(clock))
    found = measure(make_device(), prompt_tokens=(4,), generated_tokens=(2,), repetitions=5)
    assert {measured.seconds for measured in found.values()} == {(1, 1, 1, 1, 1)}


def test_tokens_are_random_of_the_whole_vocabulary_and_the_same_in_every_run(make_device):
    config = dataclasses.replace(PRESETS["tiny"], vocab_size=3, eos_tokens=())
    sequences = []
    for _ in range(2):
        device = make_device(config=config)
        measure(device, prompt_tokens=(60,), repetitions=1)
        sequences.append(device.sequence)
    assert sequences[0] == sequences[1]
    assert set(sequences[0]) == {0, 1, 2}


def test_simulated_time_is_the_devices_alone(make_device):
    device = ClockedDevice(make_device, Timing.SIMULATED, simulation=1e-9)
    measured = measure(device, generated_tokens=(3,))["tg3"]
    assert measured.device_seconds == measured.seconds == (3.0, 3.0)
    assert measured.milliseconds_per_pass.mean == measured.accelerator_milliseconds.mean == 1000
    assert measured.tokens_per_second.mean == 1
    assert measured.simulation_seconds == pytest.approx((3e-9, 3e-9))
    assert 0 < measured.driver_milliseconds.mean < 1000


def test_a_board_is_measured_by_both_clocks(make_device):
    device = ClockedDevice(make_device, Timing.BOARD, simulation=0)
    measured = measure(device, generated_tokens=(3,))["tg3"]
    assert measured.device_seconds == (3.0, 3.0)
    assert measured.seconds == measured.host_seconds
    assert max(measured.host_seconds) < 3
    assert measured.accelerator_milliseconds.mean == 1000


def test_the_emulator_has_one_clock(make_device):
    measured = measure(make_device(), generated_tokens=(3,))["tg3"]
    assert measured.seconds == measured.host_seconds
    assert measured.accelerator_milliseconds is measured.driver_milliseconds is None
    assert measured.sampling_milliseconds is measured.tokenising_milliseconds is None


def test_a_text_has_parts_beside_its_passes(make_device, tokenizer):
    device = make_device(script=[ord("a")] * 64)
    measured = measure(
        device, tokenizer=tokenizer, text_tokens=(6,), sampling=SamplingConfig(temperature=1.0)
    )["text6"]
    assert measured.counters.passes == 2 * 6  # without the one that reads the prompt
    assert measured.tokens == 6
    for parts in measured.host_parts:
        assert parts.sampling > 0
        assert parts.tokenising > 0
    assert measured.sampling_milliseconds.mean > 0
    assert measured.tokenising_milliseconds.mean > 0


def test_the_time_of_a_text_is_that_of_passes_and_commits(make_device, tokenizer, monkeypatch):
    # Each reading of a clock is a second after the one before; a round has four, around the pass
    # with its draft, and around the commit.
    clock = iter(range(10_000))
    for module in ("benchmark", "generator"):
        monkeypatch.setattr(f"tercel.runtime.{module}.perf_counter", lambda: next(clock))
    device = make_device(script=[ord("a")] * 64)
    measured = measure(device, tokenizer=tokenizer, text_tokens=(6,), repetitions=1)["text6"]
    (parts,) = measured.host_parts
    whole = measured.host_seconds[0] + parts.sampling + parts.tokenising
    assert whole == pytest.approx(1 + 6 * 4)
    assert parts.tokenising == pytest.approx(1 + 6 * 2)


def test_sensors_are_read_but_for_a_simulation(make_device):
    sensor = SimpleNamespace(read=lambda: 5.0)
    measured = measure(make_device(), sensors=[sensor], generated_tokens=(3,))["tg3"]
    assert all(
        joules > 5 * each for joules, each in zip(measured.joules, measured.seconds, strict=True)
    )
    assert measured.temperature == 5
    device = ClockedDevice(make_device, Timing.SIMULATED)
    measured = measure(device, sensors=[sensor], generated_tokens=(3,))["tg3"]
    assert measured.joules is measured.temperature is measured.simulation_seconds is None


def test_a_sensor_that_fails_ends_the_benchmark(make_device):
    def read():
        raise TercelError("the sensor x cannot be read")

    with pytest.raises(TercelError, match="the sensor x cannot be read"):
        measure(make_device(), sensors=[SimpleNamespace(read=read)], generated_tokens=(3,))


def test_a_two_stage_head_is_measured_in_every_test_with_a_head(tmp_path, tokenizer):
    config = dataclasses.replace(PRESETS["tiny"], vocab_size=500, shortlist=32)
    random_image(tmp_path / "listed.tercel", config)
    image = Image.open(tmp_path / "listed.tercel")
    sizes = {"prompt_tokens": (3,), "generated_tokens": (2,), "text_tokens": (2,)}
    found = {
        two_stage: measure(
            EmulatorDevice(image, nodes=2),
            tokenizer=tokenizer,
            **sizes,
            verify_nodes=2,
            two_stage=two_stage,
        )
        for two_stage in (False, True)
    }
    for name, passes, nodes in (("tg2", 4, 1), ("text2", 4, 1), ("v2", 2, 2), ("pp3", 0, 0)):
        whole, short = (found[asked][name].counters.tape_bytes_read for asked in (False, True))
        saved = image.bytes_per_pass() - image.bytes_per_pass(listed=32 * nodes)
        assert whole - short == passes * saved, name


def test_a_two_stage_head_that_there_is_not_is_refused(make_device):
    with pytest.raises(TercelError, match="two_stage needs an image with a shortlist"):
        measure(make_device(), generated_tokens=(1,), two_stage=True)
