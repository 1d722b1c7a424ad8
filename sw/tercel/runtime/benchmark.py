"""Speed of a device in the terms of llama-bench, and the cost of verifying drafts."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from tercel.device import Counters, Device
from tercel.errors import TercelError

__all__ = ["BenchmarkConfig", "Measurement", "run_benchmark"]

WARM_UP_TOKENS = 2


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """Sizes of the tests; a size of 0 leaves the test out.

    Raises
    ------
    TercelError
        If a field breaks its rule; the message quotes the field and its value.
    """

    prompt_tokens: int = 128
    """``pp``: tokens of a prefill, which does not run the head."""
    generated_tokens: int = 32
    """``tg``: passes of one token, each with its argmax."""
    verify_nodes: int = 8
    """Largest K of ``v1``, ``v2``, ..., ``vK``: one pass of K nodes, each with its argmax, without
    a commit."""
    depth: int = 0
    """Positions in the cache before every test."""
    repetitions: int = 5
    """Runs of each test; one warm-up run comes before the first test."""

    def __post_init__(self):
        for field in ("prompt_tokens", "generated_tokens", "verify_nodes", "depth"):
            if getattr(self, field) < 0:
                raise TercelError(f"{field} must be 0 or more, not {getattr(self, field)!r}")
        if self.repetitions < 1:
            raise TercelError(f"repetitions must be 1 or more, not {self.repetitions!r}")


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """The result of one test."""

    test: str
    """Name of the test: ``pp128``, ``tg32``, ``v4``, with `` @ d512`` appended at a depth of
    512."""
    tokens: int
    """Tokens in one repetition."""
    seconds: tuple[float, ...]
    """Time of each repetition, without tokenisation and sampling."""
    counters: Counters
    """Device counters summed over all repetitions."""

    @property
    def tokens_per_second(self) -> tuple[float, float]:
        """Mean and standard deviation of the speed over the repetitions."""
        return _mean_and_deviation([self.tokens / seconds for seconds in self.seconds])

    @property
    def milliseconds_per_pass(self) -> tuple[float, float]:
        """Mean and standard deviation of a pass's time over the repetitions."""
        passes = self.counters.passes / len(self.seconds)
        return _mean_and_deviation([1000 * seconds / passes for seconds in self.seconds])

    @property
    def bytes_per_token(self) -> float:
        """Bytes of tape and KV cache read from memory per token."""
        return self.counters.bytes_read / (self.tokens * len(self.seconds))


def _mean_and_deviation(values: Sequence[float]) -> tuple[float, float]:
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0


def run_benchmark(device: Device, config: BenchmarkConfig) -> Iterator[Measurement]:
    """Check the tests, then run them with random tokens and yield each result as it is measured.

    Raises
    ------
    TercelError
        If a test exceeds the device's context or nodes.
    """
    if config.verify_nodes > device.limits.nodes:
        raise TercelError(
            f"verify_nodes must be at most the device's {device.limits.nodes} nodes, "
            f"not {config.verify_nodes}"
        )
    longest = max(config.prompt_tokens, config.generated_tokens, config.verify_nodes)
    if config.depth + longest > device.limits.context:
        raise TercelError(
            f"{longest} tokens at a depth of {config.depth} exceed the context of "
            f"{device.limits.context}; measure less "
            f"{device.context_remedy(config.depth + longest)}"
        )
    return _measurements(_Bench(device, config), config)


def _measurements(bench: "_Bench", config: BenchmarkConfig) -> Iterator[Measurement]:
    bench.warm_up()
    if config.prompt_tokens:
        yield bench.prefill(config.prompt_tokens)
    if config.generated_tokens:
        yield bench.decode(config.generated_tokens)
    for nodes in range(1, config.verify_nodes + 1):
        yield bench.verify(nodes)


class _Bench:
    def __init__(self, device: Device, config: BenchmarkConfig):
        self._device = device
        self._config = config
        self._random = np.random.default_rng(0)

    def warm_up(self) -> None:
        self._restart()
        self._decode(self._tokens(min(WARM_UP_TOKENS, self._device.limits.context)))

    def prefill(self, tokens: int) -> Measurement:
        return self._measure(f"pp{tokens}", tokens, self._device.prefill)

    def decode(self, tokens: int) -> Measurement:
        return self._measure(f"tg{tokens}", tokens, self._decode)

    def verify(self, nodes: int) -> Measurement:
        return self._measure(f"v{nodes}", nodes, self._device.run_pass)

    def _decode(self, tokens: Sequence[int]) -> None:
        for token in tokens:
            self._device.run_pass((token,))
            self._device.commit((0,))

    def _measure(self, test: str, count: int, run) -> Measurement:
        seconds, counters = [], Counters()
        for _ in range(self._config.repetitions):
            self._restart()
            tokens = self._tokens(count)
            before, started = self._device.counters, perf_counter()
            run(tokens)
            seconds.append(perf_counter() - started)
            counters += self._device.counters - before
        depth = self._config.depth
        return Measurement(
            test=f"{test} @ d{depth}" if depth else test,
            tokens=count,
            seconds=tuple(seconds),
            counters=counters,
        )

    def _restart(self) -> None:
        """Fill the cache to the configured depth."""
        if self._device.length != self._config.depth:
            self._device.reset()
            self._device.prefill(self._tokens(self._config.depth))

    def _tokens(self, count: int) -> list[int]:
        return self._random.integers(0, self._device.config.vocab_size, count).tolist()
