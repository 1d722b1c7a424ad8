"""The tests of a benchmark: their sizes and depths, and which of them a device can run."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields

from tercel.device import Device
from tercel.errors import TercelError
from tercel.runtime.tokenizer import TextTokenizer
from tercel.sampling import SamplingConfig

__all__ = ["BenchmarkConfig", "BenchmarkPlan", "BenchmarkTest", "plan_benchmark"]

SIZES = {"prompt_tokens": "pp", "generated_tokens": "tg", "text_tokens": "text"}


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """Sizes of the tests, each at every depth; an empty tuple leaves a kind of test out.

    Raises
    ------
    TercelError
        If a field breaks its rule; the message quotes the field and its value.
    """

    prompt_tokens: tuple[int, ...] = (64, 128, 512)
    """``pp``: tokens of a prefill, which does not run the head."""
    generated_tokens: tuple[int, ...] = (128,)
    """``tg``: passes of one token, each with its argmax."""
    text_tokens: tuple[int, ...] = (128,)
    """``text``: tokens of a text, with sampling and tokens to text."""
    verify_nodes: int | None = None
    """Largest K of ``v1``, ``v2``, ..., ``vK``: one pass of K nodes, each with its argmax, without
    a commit; ``None`` is the device's."""
    depths: tuple[int, ...] = (0, 1024)
    """Positions in the cache before a test."""
    repetitions: int = 5
    """Runs of each test; one warm-up run comes before the first test."""
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    """Sampling of texts."""
    two_stage: bool = False
    """Run the head of every test in two stages."""
    prompt: str = "The"
    """Beginning of texts."""
    optional: frozenset[str] = frozenset()
    """Fields whose tests, or depths above 0, are left out where they exceed the context; those of
    all other fields are refused."""

    def __post_init__(self):
        for name, least in (*((name, 1) for name in SIZES), ("depths", 0)):
            if wrong := [size for size in getattr(self, name) if size < least]:
                raise TercelError(f"{name} must be {least} or more, not {wrong[0]!r}")
        if self.verify_nodes is not None and self.verify_nodes < 0:
            raise TercelError(f"verify_nodes must be 0 or more, not {self.verify_nodes!r}")
        if not self.depths:
            raise TercelError("depths must have a depth at least, but is empty")
        if self.repetitions < 1:
            raise TercelError(f"repetitions must be 1 or more, not {self.repetitions!r}")
        if unknown := self.optional - {each.name for each in fields(self)}:
            raise TercelError(f"optional must name fields, not {sorted(unknown)[0]!r}")


@dataclass(frozen=True, kw_only=True)
class BenchmarkTest:
    """One test at one depth."""

    kind: str
    """``pp``, ``tg``, ``text`` or ``v``."""
    tokens: int
    depth: int

    @property
    def name(self) -> str:
        """The name as llama-bench writes it: ``tg128``, ``tg128 @ d1024``."""
        return f"{self.kind}{self.tokens}" + (f" @ d{self.depth}" if self.depth else "")


@dataclass(frozen=True, kw_only=True)
class BenchmarkPlan:
    """The tests of a benchmark on one device."""

    tests: tuple[BenchmarkTest, ...]
    left_out: tuple[str, ...]
    """Names of tests of optional fields that exceed the context, or lack a tokenizer."""


def plan_benchmark(
    config: BenchmarkConfig, device: Device, tokenizer: TextTokenizer | None
) -> BenchmarkPlan:
    """Choose the tests that a device can run.

    Raises
    ------
    TercelError
        If a test that is not optional exceeds the device's context or nodes, or needs a tokenizer
        that is not there, or the device has not the two-stage head that is asked for.
    """
    if config.two_stage:
        device.check_two_stage()
    tests, left_out = [], []
    for name, test in _tests(config, device):
        optional = name in config.optional or (test.depth > 0 and "depths" in config.optional)
        problem = _problem(test, config, device, tokenizer)
        if problem is None:
            tests.append(test)
        elif optional:
            left_out.append(test.name)
        else:
            raise TercelError(problem)
    return BenchmarkPlan(tests=tuple(tests), left_out=tuple(left_out))


def _tests(config: BenchmarkConfig, device: Device) -> Iterator[tuple[str, BenchmarkTest]]:
    """Every test with the field that it comes from."""
    most = device.limits.nodes
    nodes = most if config.verify_nodes is None else config.verify_nodes
    if nodes > most:
        raise TercelError(
            f"verify_nodes must be at most the device's {most} nodes, not {config.verify_nodes}"
        )
    for depth in config.depths:
        for name, kind in SIZES.items():
            for tokens in getattr(config, name):
                yield name, BenchmarkTest(kind=kind, tokens=tokens, depth=depth)
        for count in range(1, nodes + 1):
            yield "verify_nodes", BenchmarkTest(kind="v", tokens=count, depth=depth)


def _problem(
    test: BenchmarkTest, config: BenchmarkConfig, device: Device, tokenizer: TextTokenizer | None
) -> str | None:
    """The rule that a test breaks on a device; ``None`` if it can run."""
    needed = test.tokens
    if test.kind == "text":
        if tokenizer is None:
            return (
                f"{test.name} needs a tokenizer, which the image does not have; leave texts out, "
                "or build the image with its tokenizer"
            )
        needed += len(tokenizer.encode(config.prompt, first=not test.depth))
    context = device.limits.context
    if test.depth + needed > context:
        return (
            f"{needed} tokens at a depth of {test.depth} exceed the context of {context}; "
            f"measure less {device.context_remedy(test.depth + needed)}"
        )
    return None
