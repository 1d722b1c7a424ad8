"""Speed of a device in the terms of llama-bench, and the cost of verifying drafts."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter

import numpy as np

from tercel.device import Ask, Counters, Device, KVCache, Timing
from tercel.hwmon import Sensor
from tercel.runtime.benchmark_config import (
    BenchmarkConfig,
    BenchmarkPlan,
    BenchmarkTest,
    plan_benchmark,
)
from tercel.runtime.generator import GenerationConfig, Generator
from tercel.runtime.measurement import HostParts, Measurement
from tercel.runtime.power_meter import PowerMeter
from tercel.runtime.tokenizer import TextTokenizer

__all__ = ["run_benchmark"]

WARM_UP_TOKENS = 2


def run_benchmark(
    device: Device,
    config: BenchmarkConfig,
    *,
    tokenizer: TextTokenizer | None = None,
    power: Sequence[Sensor] = (),
    temperature: Sequence[Sensor] = (),
) -> tuple[BenchmarkPlan, Iterator[Measurement]]:
    """Check the tests, then run them and yield each result as it is measured.

    Tokens are random, but those of texts; the positions before a test are zeros that are restored,
    not computed, since the contents of a cache change no time.

    Parameters
    ----------
    device
        A device, reserved for the benchmark.
    config
    tokenizer
        The model's tokenizer, for texts; without one there are none.
    power, temperature
        Sensors of the machine, which are not read for a simulated device.

    Returns
    -------
    The tests that are run and those left out, and the results.

    Raises
    ------
    TercelError
        If a test that was asked for exceeds the device's context or nodes, or the device has not
        the two-stage head that is asked for.
    """
    plan = plan_benchmark(config, device, tokenizer)
    timing = device.facts().timing
    simulated = timing is Timing.SIMULATED
    meter = PowerMeter(() if simulated else power, () if simulated else temperature)
    return plan, _Bench(device, config, tokenizer, meter, timing).run(plan)


@dataclass(frozen=True, kw_only=True)
class _Clocks:
    """The readings of all clocks and counters at one time."""

    host: float
    device: float
    simulation: float | None
    counters: Counters


@dataclass(kw_only=True)
class _Readings:
    """The readings of one test's repetitions."""

    host: list[float] = field(default_factory=list)
    device: list[float] = field(default_factory=list)
    simulation: list[float] = field(default_factory=list)
    parts: list[HostParts] = field(default_factory=list)
    joules: list[float] = field(default_factory=list)
    counters: Counters = field(default_factory=Counters)


class _Bench:
    def __init__(
        self,
        device: Device,
        config: BenchmarkConfig,
        tokenizer: TextTokenizer | None,
        meter: PowerMeter,
        timing: Timing,
    ):
        self._device = device
        self._config = config
        self._tokenizer = tokenizer
        self._meter = meter
        self._timing = timing
        self._ask = Ask(two_stage=config.two_stage)
        self._random = np.random.default_rng(0)
        self._caches: dict[int, KVCache] = {}

    def run(self, plan: BenchmarkPlan) -> Iterator[Measurement]:
        self._restart(0)
        self._decode(self._tokens(min(WARM_UP_TOKENS, self._device.limits.context)))
        for test in plan.tests:
            yield self._measure(test)

    def _measure(self, test: BenchmarkTest) -> Measurement:
        runs: dict[str, Callable[[Sequence[int]], object]] = {
            "pp": self._device.prefill,
            "tg": self._decode,
            "v": partial(self._device.run_pass, ask=self._ask),
        }
        readings = _Readings()
        for _ in range(self._config.repetitions):
            self._restart(test.depth)
            if test.kind == "text":
                self._read_text(test.tokens, readings)
            else:
                self._read_passes(runs[test.kind], self._tokens(test.tokens), readings)
        return Measurement(
            test=test.name,
            tokens=test.tokens,
            timing=self._timing,
            host_seconds=tuple(readings.host),
            device_seconds=tuple(readings.device),
            simulation_seconds=tuple(readings.simulation) or None,
            host_parts=tuple(readings.parts) or None,
            joules=tuple(readings.joules) or None,
            temperature=self._meter.temperature,
            counters=readings.counters,
        )

    def _read_passes(
        self, run: Callable[[Sequence[int]], object], tokens: list[int], readings: _Readings
    ) -> None:
        with self._meter:
            before = self._clocks()
            run(tokens)
            after = self._clocks()
        self._add(readings, before, after, after.host - before.host)

    def _read_text(self, tokens: int, readings: _Readings) -> None:
        """Continue a text by tokens after a first one, whose pass reads the prompt."""
        assert self._tokenizer is not None, "the plan has texts with a tokenizer alone"
        generator = Generator(self._device, self._tokenizer)
        config = GenerationConfig(
            sampling=self._config.sampling,
            max_tokens=tokens + 1,
            ignore_eos=True,
            two_stage=self._config.two_stage,
        )
        pieces = generator.generate(self._config.prompt, config)
        next(pieces)
        with self._meter:
            before = self._clocks()
            for _ in pieces:
                pass
            after = self._clocks()
        statistics = generator.statistics
        rounds = statistics.speculation
        sampling = rounds.draft_seconds + rounds.accept_seconds
        self._add(readings, before, after, statistics.decode_seconds - sampling)
        text = after.host - before.host - statistics.decode_seconds
        readings.parts.append(HostParts(sampling=sampling, tokenising=text))

    def _add(self, readings: _Readings, before: _Clocks, after: _Clocks, host: float) -> None:
        """Add one repetition, of which passes and commits took the host ``host`` seconds."""
        readings.host.append(host)
        readings.device.append(after.device - before.device)
        if before.simulation is not None and after.simulation is not None:
            readings.simulation.append(after.simulation - before.simulation)
        if (joules := self._meter.joules) is not None:
            readings.joules.append(joules)
        readings.counters += after.counters - before.counters

    def _clocks(self) -> _Clocks:
        device = self._device
        return _Clocks(
            host=perf_counter(),
            device=device.device_seconds,
            simulation=device.simulation_seconds,
            counters=device.counters,
        )

    def _decode(self, tokens: Sequence[int]) -> None:
        for token in tokens:
            self._device.run_pass((token,), ask=self._ask)
            self._device.commit((0,))

    def _restart(self, depth: int) -> None:
        """Fill the cache to a depth with zeros."""
        if not depth:
            self._device.reset()
            return
        if depth not in self._caches:
            self._caches = {depth: KVCache(config=self._device.config, positions=depth)}
        self._device.restore(self._caches[depth], depth)

    def _tokens(self, count: int) -> list[int]:
        return self._random.integers(0, self._device.config.vocab_size, count).tolist()
