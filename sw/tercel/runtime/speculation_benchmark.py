"""Rounds of speculative decoding on prompts, method by method, against plain decoding."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from tercel.device import Device, Timing
from tercel.errors import TercelError
from tercel.runtime.generator import GenerationConfig, Generator
from tercel.runtime.prompt_file import Prompt
from tercel.runtime.tokenizer import TextTokenizer
from tercel.speculation import SpeculationStatistics, Speculator
from tercel.speculation.methods import NONE

__all__ = [
    "RoundRecord",
    "SpeculationMeasurement",
    "loop_start",
    "run_speculation_benchmark",
]

LONGEST_LOOP = 64
"""Longest period of a repetition, in tokens."""
REPEATS = 3
"""Repetitions that make a loop."""


def loop_start(tokens: Sequence[int]) -> int:
    """Index from which a text repeats itself to its end, three times or more; else its length.

    Greedy text of a small model ends in loops, which every drafter predicts; a figure without them
    says more.
    """
    count, best = len(tokens), len(tokens)
    for period in range(1, min(LONGEST_LOOP, count // REPEATS) + 1):
        start = count - period
        while start > 0 and tokens[start - 1] == tokens[start - 1 + period]:
            start -= 1
        if count - start >= REPEATS * period:
            best = min(best, start + period)
    return best


@dataclass(frozen=True, kw_only=True)
class RoundRecord:
    """One round of a measured text."""

    start: int
    """Tokens of the text before the round."""
    base: int
    """Positions in the cache before the round."""
    nodes: int
    """Nodes of the pass."""
    drafted: int
    accepted: int
    tokens: int
    """Emitted tokens."""
    bonus: bool
    """True if the draft was accepted to a leaf."""
    failed: bool
    draft_seconds: float
    verify_seconds: float
    accept_seconds: float

    @property
    def seconds(self) -> float:
        return self.draft_seconds + self.verify_seconds + self.accept_seconds


@dataclass(frozen=True, kw_only=True)
class SpeculationMeasurement:
    """The rounds of one method on the prompts of one kind."""

    method: str
    kind: str
    rounds: tuple[RoundRecord, ...]
    """Rounds before a text begins to loop."""
    loops: tuple[RoundRecord, ...]
    """Rounds inside of loops."""
    plain_seconds_per_token: float
    """Time of a token of plain decoding before loops, in the same run."""
    equal: bool
    """True if every text is that of plain decoding."""
    passes_alone: bool = False
    """True if the time of a token is that of its passes: of a simulated device, to whose time no
    measured time of the host is added."""

    def to_dict(self) -> dict[str, Any]:
        """Every figure by name; those without rounds are ``None``."""
        rounds = self.rounds
        tokens = sum(round.tokens for round in rounds)
        drafts = [round for round in rounds if round.drafted]
        deepest = max((round.accepted for round in drafts), default=0)
        seconds_per_token = _seconds_per_token(rounds, passes_alone=self.passes_alone)

        def mean(values: list[float], scale: float = 1.0) -> float | None:
            return scale * sum(values) / len(values) if values else None

        return {
            "method": self.method,
            "kind": self.kind,
            "tokens": tokens,
            "rounds": len(rounds),
            "drafts": len(drafts),
            "drafted": sum(round.drafted for round in rounds),
            "accepted": sum(round.accepted for round in rounds),
            "accepted_by_position": [
                mean([round.accepted > index for round in drafts]) for index in range(deepest)
            ],
            "bonus": sum(round.bonus for round in rounds),
            "failures": sum(round.failed for round in rounds),
            "tokens_per_verify": mean([round.tokens for round in rounds]),
            "tokens_per_verify_in_loops": mean([round.tokens for round in self.loops]),
            "ms_per_draft": mean([round.draft_seconds for round in drafts], 1000),
            "ms_per_verify": mean([round.verify_seconds for round in rounds], 1000),
            "ms_per_accept": mean([round.accept_seconds for round in rounds], 1000),
            "ms_per_token": 1000 * seconds_per_token if rounds else None,
            "speedup": self.plain_seconds_per_token / seconds_per_token if rounds else None,
            "text": "equal" if self.equal else "differs",
        }


@dataclass(frozen=True, kw_only=True)
class _Text:
    """One generated text."""

    tokens: list[int]
    rounds: list[RoundRecord]

    def before(self, loop: int) -> list[RoundRecord]:
        """The rounds that begin before a loop."""
        return [round for round in self.rounds if round.start < loop]


def run_speculation_benchmark(
    device: Device,
    tokenizer: TextTokenizer,
    methods: Mapping[str, Speculator],
    prompts: Sequence[Prompt],
    config: GenerationConfig,
    clock: Callable[[], float] = perf_counter,
) -> Iterator[SpeculationMeasurement]:
    """Continue every prompt plainly and with every method; yield each method's result by kind.

    A method's speculator serves all prompts, so what it learns it keeps. Loops of the plain text
    are left out, see :func:`loop_start`, and reported apart.

    Parameters
    ----------
    device
        An empty device.
    tokenizer
        The model's tokenizer.
    methods
        The speculator of each method by its name.
    prompts
    config
        Sampling and length of every text.
    clock
        Seconds of the host in plain decoding.

    Raises
    ------
    TercelError
        If there is no prompt, or one is refused.
    """
    if not prompts:
        raise TercelError("a benchmark of speculation needs a prompt")
    plain = _generate(device, tokenizer, Speculator(clock=clock), prompts, config)
    passes_alone = device.facts().timing is Timing.SIMULATED
    yield from _measurements(NONE, prompts, plain, plain, passes_alone)
    for name, speculator in methods.items():
        texts = _generate(device, tokenizer, speculator, prompts, config)
        yield from _measurements(name, prompts, texts, plain, passes_alone)


def _generate(
    device: Device,
    tokenizer: TextTokenizer,
    speculator: Speculator,
    prompts: Sequence[Prompt],
    config: GenerationConfig,
) -> list[_Text]:
    generator = Generator(device, tokenizer, speculator)
    texts = []
    for prompt in prompts:
        generator.reset()
        tokens, rounds = [], []
        before, nodes, start = SpeculationStatistics(), 0, 1
        for piece in generator.generate(prompt.text, config):
            if piece.token is not None:
                tokens.append(piece.token)
            statistics = generator.statistics
            after = statistics.speculation
            if after.rounds == before.rounds:
                continue
            rounds.append(
                RoundRecord(
                    start=start,
                    base=statistics.prompt_tokens + start - 1,
                    nodes=statistics.decode.nodes - nodes,
                    drafted=after.drafted - before.drafted,
                    accepted=sum(after.accepted) - sum(before.accepted),
                    tokens=after.emitted - before.emitted,
                    bonus=after.bonus > before.bonus,
                    failed=after.failures > before.failures,
                    draft_seconds=after.draft_seconds - before.draft_seconds,
                    verify_seconds=after.verify_seconds - before.verify_seconds,
                    accept_seconds=after.accept_seconds - before.accept_seconds,
                )
            )
            start += rounds[-1].tokens
            before, nodes = after, statistics.decode.nodes
        texts.append(_Text(tokens=tokens, rounds=rounds))
    generator.reset()
    return texts


def _measurements(
    method: str,
    prompts: Sequence[Prompt],
    texts: Sequence[_Text],
    plain: Sequence[_Text],
    passes_alone: bool,
) -> Iterator[SpeculationMeasurement]:
    for kind in dict.fromkeys(prompt.kind for prompt in prompts):
        rounds, loops, plain_rounds, equal = [], [], [], True
        for prompt, text, other in zip(prompts, texts, plain, strict=True):
            if prompt.kind != kind:
                continue
            loop = loop_start(other.tokens)
            rounds += text.before(loop)
            loops += text.rounds[len(text.before(loop)) :]
            plain_rounds += other.before(loop)
            equal &= text.tokens == other.tokens
        yield SpeculationMeasurement(
            method=method,
            kind=kind,
            rounds=tuple(rounds),
            loops=tuple(loops),
            plain_seconds_per_token=_seconds_per_token(plain_rounds, passes_alone=passes_alone),
            equal=equal,
            passes_alone=passes_alone,
        )


def _seconds_per_token(rounds: Sequence[RoundRecord], *, passes_alone: bool) -> float:
    tokens = sum(round.tokens for round in rounds)
    seconds = sum(round.verify_seconds if passes_alone else round.seconds for round in rounds)
    return seconds / tokens if tokens else 0.0
