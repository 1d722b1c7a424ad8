"""Output formats of ``tercel run``: plain text or JSON lines."""

import json
import sys

import typer

from tercel.cli.units import format_bytes
from tercel.runtime import GenerationStatistics, Piece
from tercel.speculation import SpeculationStatistics

__all__ = ["JsonOutput", "TextOutput", "print_prompt", "print_speculation", "print_statistics"]


class TextOutput:
    """Prints the text as it is generated, and a final newline.

    As a context it ends the last line on an exception too, so that a message begins a line.
    """

    def __init__(self):
        self._last = "\n"

    def __enter__(self) -> "TextOutput":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self.end({})

    def text(self, text: str) -> None:
        if text:
            sys.stdout.write(text)
            sys.stdout.flush()
            self._last = text[-1]

    def piece(self, piece: Piece) -> None:
        self.text(piece.text)

    def end(self, summary: dict) -> None:
        """End the last line; the summary is not printed."""
        if self._last != "\n":
            self.text("\n")


class JsonOutput:
    """Prints one object per token, then one with the summary and the whole text."""

    def __init__(self):
        self._text = ""

    def __enter__(self) -> "JsonOutput":
        return self

    def __exit__(self, *_: object) -> None:
        """Every line is whole."""

    def text(self, text: str) -> None:
        self._text += text

    def piece(self, piece: Piece) -> None:
        self._text += piece.text
        self._print({"token": piece.token, "text": piece.text})

    def end(self, summary: dict) -> None:
        self._print(summary | {"text": self._text})

    def _print(self, values: dict) -> None:
        sys.stdout.write(json.dumps(values) + "\n")
        sys.stdout.flush()


def print_prompt(prompt: str) -> None:
    """Print the text that the model gets to standard error."""
    typer.echo(f"{'prompt':<12} {len(prompt)} characters:\n{prompt}", err=True)


def print_statistics(statistics: GenerationStatistics, *, end: str, evidence: str) -> None:
    """Print the statistics of a generation to standard error.

    Parameters
    ----------
    statistics
    end
        Finish reason and seed.
    evidence
        Evidence class of the times.
    """
    prefill = _rate(statistics.prefill_tokens_per_second)
    decode = _rate(statistics.tokens_per_second)
    rows = {
        "prompt": f"{statistics.prompt_tokens} tokens; {statistics.prefilled_tokens} read "
        f"in {statistics.prefill_seconds:.3f} s{prefill}",
        "generated": f"{statistics.generated_tokens} tokens; "
        f"{statistics.decoded_tokens} after the first in {statistics.decode_seconds:.3f} s{decode}",
    }
    if statistics.first_token_seconds is not None:
        rows["first token"] = f"after {statistics.first_token_seconds:.3f} s"
    if (total := statistics.bytes_per_token) is not None:
        tape = format_bytes(statistics.tape_bytes_per_token or 0)
        cache = format_bytes(statistics.kv_bytes_per_token or 0)
        rows["token reads"] = f"{format_bytes(total)}: tape {tape}, KV cache {cache}"
    rows |= {"end": end, "evidence": f"{evidence}; bytes from the device's counters"}
    for name, value in rows.items():
        typer.echo(f"{name:<12} {value}", err=True)


def print_speculation(statistics: SpeculationStatistics, *, method: str, acceptor: str) -> None:
    """Print counts and times of speculative decoding to standard error.

    Times are the host's, but for passes of a device that counts its own.
    """
    if not statistics.rounds:
        typer.echo("speculation  no round: the text has one token or none", err=True)
        return
    values = statistics.to_dict()
    depths = " ".join(str(count) for count in statistics.accepted) or "none"
    rows = {
        "method": f"{method}, judged by {acceptor}",
        "rounds": f"{statistics.rounds}, {statistics.drafts} with a draft; "
        f"{values['tokens_per_round']:.2f} tokens a verify",
        "drafted": f"{statistics.drafted} tokens; accepted by position: {depths}; "
        f"{statistics.bonus} bonus",
        "time": f"draft {values['ms_per_draft'] or 0:.3f} ms, "
        f"verify {values['ms_per_verify']:.3f} ms, token {values['ms_per_token']:.3f} ms",
    }
    if statistics.failures:
        rows["failures"] = f"{statistics.failures} drafts; the last: {statistics.failure}"
    for name, value in rows.items():
        typer.echo(f"{name:<12} {value}", err=True)


def _rate(value: float | None) -> str:
    return "" if value is None else f" ({value:.1f} tokens/s)"
