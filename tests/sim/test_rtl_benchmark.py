"""The benchmark on a simulated accelerator: simulated time apart from the host's."""

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from tercel.cli.app import app
from tercel.device import Timing
from tercel.device.accelerator import AcceleratorDevice
from tercel.doctor.bandwidth import FEWEST_ROWS, probe_rows, probe_words
from tercel.doctor.measured_facts import measured_facts
from tercel.errors import TercelError
from tercel.runtime import BenchmarkConfig, run_benchmark
from tercel_sim.ddr import DDR


@pytest.fixture
def larger_model(little_model):
    """With more rows, so that the memory has room for the self-test's model."""
    return replace(little_model, vocab_size=256)


def test_speeds_are_the_accelerators_alone(rtl_device, four_lanes, little_model):
    device = rtl_device(little_model, four_lanes, ddr=DDR["kv260-15.0"])
    config = BenchmarkConfig(
        prompt_tokens=(8,),
        generated_tokens=(2,),
        text_tokens=(),
        verify_nodes=4,
        depths=(0, 20),
        repetitions=2,
    )
    _, found = run_benchmark(device, config)
    rows = {measured.test: measured for measured in found}
    assert list(rows)[:2] == ["pp8", "tg2"]
    facts = device.facts()
    assert facts.timing is Timing.SIMULATED
    for measured in rows.values():
        assert measured.seconds == measured.device_seconds
        assert 0 < measured.share_of_memory(facts.memory_peak.value) < 1
        assert measured.accelerator_milliseconds == measured.milliseconds_per_pass
        # Simulating takes most of the host's time, and is none of the driver's.
        host = sum(measured.host_seconds)
        assert 0 < sum(measured.simulation_seconds) < host
        driver = measured.driver_milliseconds.mean * measured.counters.passes / 1000
        assert driver == pytest.approx(host - sum(measured.simulation_seconds))
    # A pass of four costs more than a quarter of four passes, and deeper passes cost more.
    assert rows["v1"].milliseconds_per_pass.mean < rows["v4"].milliseconds_per_pass.mean
    assert rows["v1"].milliseconds_per_pass.mean < rows["v1 @ d20"].milliseconds_per_pass.mean


def test_the_command_measures_memory_and_selftest_for_the_record(
    random_images, larger_model, four_lanes, tmp_path
):
    image = random_images(larger_model, four_lanes, 1)
    config, record = tmp_path / "config.json", tmp_path / "record.json"
    config.write_text(json.dumps(four_lanes.parameters()))
    quick = ("-p", "4", "-n", "1", "-t", "0", "-v", "0", "-d", "0", "-r", "1", "-o", "json")
    device = ("--device", "rtl", "--set", f"config={config}", "--submit", str(record))
    result = CliRunner().invoke(app, ["bench", str(image.path), *quick, *device])
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    assert [row["test"] for row in rows] == ["pp4", "tg1"]
    assert {row["evidence"] for row in rows} == {
        "cycle-accurate simulation (rtl), the accelerator alone"
    }
    facts = json.loads(record.read_text())["device"]
    rate, selftest = facts["memory_rate"], facts["selftest"]
    assert 0.5e9 < rate["value"] < facts["memory_peak"]["value"]
    assert rate["source"].startswith("cycle-accurate simulation: passes that read 128 rows")
    assert selftest["value"] is True
    assert selftest["source"].startswith("cycle-accurate simulation: 6 passes equal the emulator")


def test_wrong_bits_are_in_the_record(rtl_device, four_lanes, larger_model, monkeypatch):
    device = rtl_device(larger_model, four_lanes)
    play = AcceleratorDevice.run_pass

    def spoilt(device, *arguments, **options):
        result = play(device, *arguments, **options)
        if device.config.name != "selftest":
            return result
        return replace(result, argmax=result.argmax + 1)

    monkeypatch.setattr(AcceleratorDevice, "run_pass", spoilt)
    found = measured_facts(device, device.facts()).selftest
    assert found.value is False
    assert "pass 1: argmax is" in found.note


def test_a_device_of_little_memory_says_what_measures_it(rtl_device, four_lanes, little_model):
    device = rtl_device(little_model, four_lanes)
    found = measured_facts(device, device.facts()).selftest
    assert found.value is None
    assert "the self-test takes" in found.note
    spec, least = device.spec, probe_words(device.spec, rows=FEWEST_ROWS)
    assert probe_rows(spec, least) == FEWEST_ROWS
    assert probe_rows(spec, probe_words(spec, rows=256)) == 256
    with pytest.raises(TercelError, match=rf"holds {least - 1} words, but .* takes {least}; `ter"):
        probe_rows(spec, least - 1)
