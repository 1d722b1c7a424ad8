"""The benchmark on a simulated accelerator: simulated time apart from the host's."""

import pytest

from tercel.device import Timing
from tercel.runtime import BenchmarkConfig, run_benchmark
from tercel_sim.ddr import DDR


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
