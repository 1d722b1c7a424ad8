"""Text generation on a device."""

import dataclasses
from collections.abc import Collection, Sequence
from collections.abc import Generator as Pieces
from contextlib import suppress
from dataclasses import dataclass, field
from time import perf_counter
from typing import Literal

from tercel.device import Counters, Device, KVCache, PassInterruptedError
from tercel.errors import TercelError
from tercel.runtime.generation_statistics import GenerationStatistics
from tercel.runtime.text_stream import TextStream
from tercel.runtime.tokenizer import TextTokenizer
from tercel.sampling import Sampler, SamplingConfig
from tercel.speculation import DraftBudget, DraftState, Round, Speculator

__all__ = [
    "FinishReason",
    "GenerationConfig",
    "Generator",
    "Piece",
    "PromptError",
    "shared_length",
]

NO_DRAFT = DraftBudget(nodes=0, depth=0)

FinishReason = Literal["stop", "eos", "length", "context", "interrupted"]
"""Reason for the end of a text, in order: a stop string, an end token of the model,
``max_tokens``, a full context, an interrupt."""


class PromptError(TercelError):
    """The prompt cannot be continued; the generator remains usable for another one."""


@dataclass(frozen=True, kw_only=True)
class GenerationConfig:
    """Parameters of a generation.

    Raises
    ------
    TercelError
        If a field breaks its rule; the message quotes the field and its value.
    """

    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    max_tokens: int | None = None
    """Most tokens to generate; ``None`` generates until the context is full."""
    stop: tuple[str, ...] = ()
    """Strings that end the text and are not part of it. A stop string that is the text of a
    special token also ends the text at that token."""
    ignore_eos: bool = False
    """Continue after the model's end tokens."""
    two_stage: bool = False
    """Run the head in two stages: draws are from the rows that the image's shortlist lists, and
    must be greedy or have a top-k that the device supports."""

    def __post_init__(self):
        if self.max_tokens is not None and self.max_tokens < 1:
            raise TercelError(f"max_tokens must be 1 or more, not {self.max_tokens!r}")


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One step of a generation."""

    token: int | None
    """``None`` for text that was held back when the generation was interrupted."""
    text: str
    """Text that may be shown now: empty while a character or a possible stop string is
    incomplete."""


class Generator:
    """Continues one sequence on one device, turn after turn.

    The cache holds the whole sequence except its last tokens, which are the first nodes of the next
    pass. The pass that reads the end of a prompt gives the first token; every further pass is a
    round of the speculator and gives one token or more.

    Parameters
    ----------
    device
        A device, reserved for this generator, empty or with a restored cache.
    tokenizer
        The model's tokenizer.
    speculator
        Drafts tokens and judges the drafts; by default it decodes plainly.
    """

    def __init__(
        self, device: Device, tokenizer: TextTokenizer, speculator: Speculator | None = None
    ):
        self._device = device
        self._tokenizer = tokenizer
        self._speculator = Speculator() if speculator is None else speculator
        self._start = device.length
        """Position of the first token of the text."""
        self._text: list[int] = []
        """Tokens of the sequence from there on, in the cache or not."""
        self._pieces: Pieces[Piece, None, None] | None = None
        self._interrupted = False
        self._finish_reason: FinishReason | None = None
        self._statistics = GenerationStatistics()

    @property
    def finish_reason(self) -> FinishReason | None:
        """Reason for the end of the last generation; ``None`` while it runs."""
        return self._finish_reason

    @property
    def tokens(self) -> tuple[int, ...]:
        """Tokens of the sequence, generated ones included."""
        return tuple(self._text)

    @property
    def statistics(self) -> GenerationStatistics:
        """Statistics of the last generation, which may still run."""
        return self._statistics

    def reset(self) -> None:
        """Start a new sequence."""
        self._close()
        self._device.reset()
        self._speculator.reset()
        self._start, self._text = 0, []

    def interrupt(self) -> None:
        """End the running generation before its next token; may be called from a signal handler."""
        self._interrupted = True
        self._device.interrupt()
        self._speculator.interrupt()

    def check(self, config: GenerationConfig) -> None:
        """Check that texts can be generated with a config.

        Raises
        ------
        TercelError
            If a stop string is empty or contains a special token, or the device has no two-stage
            head for what is asked.
        """
        self._sampler(config)
        self._end_of_text(config)

    def generate(
        self, prompt: str, config: GenerationConfig = GenerationConfig()
    ) -> Pieces[Piece, None, None]:
        """Append a prompt to the sequence and continue it.

        An earlier generation that still runs is ended. The sequence keeps every generated token,
        including those of a stop string and end tokens. After an error the sequence is unchanged.

        Raises
        ------
        PromptError
            If the sequence would be empty or would exceed the device's context.
        TercelError
            If a stop string is empty or contains a special token, the tokenizer has tokens that
            the model does not have, or the device has no two-stage head for what is asked.
        """
        self._close()
        started = perf_counter()
        sampler, end = self._sampler(config), self._end_of_text(config)
        first = not self._text and self._start == 0
        tokens = self._tokenizer.encode(prompt, first=first)
        self._device.check_tokens(tokens)
        self._check_length(len(self._waiting) + len(tokens), self._device.length)
        self._text += tokens
        return self._begin(config, sampler, end, len(tokens), started)

    def respond(
        self, tokens: Sequence[int], config: GenerationConfig = GenerationConfig()
    ) -> Pieces[Piece, None, None]:
        """Make ``tokens`` the whole sequence and continue it.

        The cache keeps what they share with the sequence so far from its start; only what follows
        is computed. So the text is what an empty cache would give. After an error the sequence is
        unchanged.

        Raises
        ------
        PromptError
            If there are no tokens, or they exceed the device's context.
        TercelError
            If a token is unknown, a stop string is empty or contains a special token, or the device
            has no two-stage head for what is asked.
        """
        self._close()
        started = perf_counter()
        sampler, end = self._sampler(config), self._end_of_text(config)
        self._device.check_tokens(tokens)
        shared = 0 if self._start else shared_length(self._text, tokens)
        kept = min(shared, self._device.length, max(len(tokens) - 1, 0))
        self._check_length(len(tokens) - kept, kept)
        if shared < len(self._text):  # drafters may know the part that goes
            self._speculator.reset()
        self._device.rewind(kept)
        self._start, self._text = 0, list(tokens)
        return self._begin(config, sampler, end, len(tokens), started)

    def restore(self, cache: KVCache, tokens: Sequence[int]) -> None:
        """Take up a sequence whose first positions are in ``cache``.

        Raises
        ------
        TercelError
            If the cache is another model's, has more positions than there are tokens, exceeds the
            context, or a token is unknown.
        """
        self._close()
        self._device.check_tokens(tokens)
        positions = cache.shape[2]
        if positions > len(tokens):
            raise TercelError(
                f"a cache of {positions} positions needs their tokens, but there are {len(tokens)}"
            )
        self._device.restore(cache, positions)
        self._speculator.reset()
        self._start, self._text = 0, list(tokens)

    def save(self) -> KVCache:
        """A copy of the cache, which :meth:`restore` takes with :attr:`tokens`."""
        self._close()
        return self._device.save()

    def _sampler(self, config: GenerationConfig) -> Sampler:
        device = self._device
        if config.two_stage:
            device.check_two_stage()
        return Sampler(
            config.sampling,
            limits=device.limits,
            vocab_size=device.config.vocab_size,
            two_stage=config.two_stage,
        )

    def _end_of_text(self, config: GenerationConfig) -> tuple[TextStream, Collection[int]]:
        """The stream of a text, which knows its stop strings, and the tokens that end it."""
        return TextStream(config.stop), self._tokenizer.special_tokens(config.stop)

    def _begin(
        self,
        config: GenerationConfig,
        sampler: Sampler,
        end: tuple[TextStream, Collection[int]],
        prompt_tokens: int,
        started: float,
    ) -> Pieces[Piece, None, None]:
        self._interrupted = False
        self._finish_reason = None
        self._statistics = GenerationStatistics(prompt_tokens=prompt_tokens)
        self._pieces = self._run(config, sampler, *end, perf_counter() - started)
        return self._pieces

    def _close(self) -> None:
        if self._pieces is not None:
            self._pieces.close()
            self._pieces = None

    def _check_length(self, tokens: int, kept: int) -> None:
        """Check that so many tokens fit behind the kept positions."""
        device = self._device
        context = device.limits.context
        left = context - kept
        if not tokens:
            raise PromptError("the prompt is empty; a text needs at least one token to continue")
        if tokens > left:
            raise PromptError(
                f"the prompt has {tokens} tokens, but of the context's {context} positions "
                f"{left} are free; shorten the prompt "
                f"{device.context_remedy(kept + tokens)}"
            )

    @property
    def _waiting(self) -> list[int]:
        """Tokens of the sequence that are not in the cache yet."""
        return self._text[self._device.length - self._start :]

    def _run(
        self,
        config: GenerationConfig,
        sampler: Sampler,
        stream: TextStream,
        stop_tokens: Collection[int],
        encoding: float,
    ) -> Pieces[Piece, None, None]:
        with suppress(PassInterruptedError):
            self._prefill()
            while self._finish_reason is None and not self._interrupted:
                round = self._round(sampler, config)
                if self._statistics.first_token_seconds is None:
                    self._count(first_token_seconds=encoding + self._statistics.prefill_seconds)
                yield from self._emit(round, config, stream, stop_tokens)
        if self._finish_reason is None:
            self._finish_reason = "interrupted"
            if held := stream.finish():
                yield Piece(token=None, text=held)

    def _prefill(self) -> None:
        """Prefill waiting tokens until the rest fits into one pass."""
        nodes = self._device.limits.nodes
        while len(waiting := self._waiting) > nodes and not self._interrupted:
            started, before = perf_counter(), self._device.counters
            self._device.prefill(waiting[:nodes])
            self._count_prefill(nodes, started, before)

    def _round(self, sampler: Sampler, config: GenerationConfig) -> Round:
        """Run one pass: the waiting tokens and, after the first token of a text, a draft."""
        device, waiting = self._device, self._waiting
        started, before = perf_counter(), device.counters
        first = self._statistics.generated_tokens == 0
        most = NO_DRAFT if first else self._budget(config, len(waiting))
        state = DraftState(
            tokens=self._text,
            position=device.length + len(waiting) - 1,
            sampling=config.sampling,
        )
        round = self._speculator.run(device, state, waiting, sampler, most)
        if first:
            self._count_prefill(len(waiting), started, before)
        else:
            self._count(
                decode_seconds=self._statistics.decode_seconds + perf_counter() - started,
                decode=self._statistics.decode + (device.counters - before),
            )
        return round

    def _budget(self, config: GenerationConfig, waiting: int) -> DraftBudget:
        """The largest draft: within the pass, the context and the tokens that are wanted."""
        limits = self._device.limits
        nodes = min(limits.nodes, limits.context - self._device.length) - waiting
        depth = nodes
        if config.max_tokens is not None:
            depth = min(depth, config.max_tokens - self._statistics.generated_tokens - 1)
        return DraftBudget(nodes=nodes, depth=depth)

    def _emit(
        self,
        round: Round,
        config: GenerationConfig,
        stream: TextStream,
        stop_tokens: Collection[int],
    ) -> Pieces[Piece, None, None]:
        """Yield a round's tokens up to the end of the text.

        The sequence keeps those that were yielded, also when the caller stops or interrupts.
        """
        shown, kept = 0, False
        position = round.verdict.position
        try:
            for token in round.tokens:
                text = stream.push(self._tokenizer.token_bytes(token))
                shown += 1
                self._count(generated_tokens=self._statistics.generated_tokens + 1)
                stopped = stream.stopped is not None or token in stop_tokens
                reason = self._reason(config, token, position + shown, stopped)
                if reason is not None or shown == len(round.tokens):
                    kept = True  # also if it fails half way: never twice
                    self._keep(round.cut(shown))
                if reason is not None:
                    text += stream.finish()
                self._finish_reason = reason
                yield Piece(token=token, text=text)
                if reason is not None or self._interrupted:
                    return
        finally:
            if shown and not kept:
                self._keep(round.cut(shown))

    def _keep(self, round: Round) -> None:
        """Commit a round's path and append its tokens to the sequence."""
        started = perf_counter()
        self._device.commit(round.kept_nodes)
        self._text += round.tokens
        observed = self._speculator.observe(round)
        seconds = perf_counter() - started
        if self._statistics.generated_tokens <= len(round.tokens):
            self._count(prefill_seconds=self._statistics.prefill_seconds + seconds)
        else:
            self._count(
                decode_seconds=self._statistics.decode_seconds + seconds,
                speculation=self._statistics.speculation.add(round, observed),
            )

    def _count_prefill(self, tokens: int, started: float, before: Counters) -> None:
        self._count(
            prefilled_tokens=self._statistics.prefilled_tokens + tokens,
            prefill_seconds=self._statistics.prefill_seconds + perf_counter() - started,
            prefill=self._statistics.prefill + (self._device.counters - before),
        )

    def _count(self, **values) -> None:
        self._statistics = dataclasses.replace(self._statistics, **values)

    def _reason(
        self, config: GenerationConfig, token: int, position: int, stopped: bool
    ) -> FinishReason | None:
        """Reason to end the text after a token, which is at ``position``."""
        if token in self._device.config.eos_tokens and not config.ignore_eos:
            return "eos"
        if stopped:
            return "stop"
        if self._statistics.generated_tokens == config.max_tokens:
            return "length"
        if position == self._device.limits.context:
            return "context"
        return None


def shared_length(text: Sequence[int], other: Sequence[int]) -> int:
    """Number of tokens that two sequences have in common from their start."""
    pairs = zip(text, other, strict=False)
    return next((place for place, (a, b) in enumerate(pairs) if a != b), min(len(text), len(other)))
