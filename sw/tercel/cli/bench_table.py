"""Rows of ``tercel bench``: every figure with the class of its evidence."""

from collections.abc import Iterable
from typing import Any

from tercel.cli.table import OutputFormat, Row, print_rows
from tercel.cli.units import format_bytes, format_count
from tercel.device import DeviceFacts, Timing
from tercel.image import Image
from tercel.runtime import Measurement
from tercel.runtime.measurement import Spread

__all__ = ["evidence", "measurement_row", "print_measurements", "speculation_evidence"]

HEADS = {"model": 8, "size": 8, "weights": 8, "device": 9, "test": 14, "tokens/s": 18}
HEADS |= {"ms/pass": 18, "accelerator ms": 14, "driver ms": 9, "sampling ms": 11, "text ms": 7}
HEADS |= {"read/token": 10, "of memory": 9, "J/token": 7, "degC": 5, "evidence": 34}
OPTIONAL = {
    "accelerator ms": "accelerator_ms_per_pass",
    "driver ms": "driver_ms_per_pass",
    "sampling ms": "sampling_ms_per_pass",
    "text ms": "tokenising_ms_per_pass",
    "of memory": "memory_share",
    "J/token": "joules_per_token",
    "degC": "temperature",
}
"""Columns that not every table has, and their figures."""

OF_TEXTS = ("sampling ms", "text ms")
"""Columns that rows of texts have, which may come later than the first."""


def evidence(device: str, facts: DeviceFacts) -> str:
    """The class of evidence of speeds, with the device and whose time it is."""
    if facts.timing is Timing.HOST:
        return f"{facts.timing.value} ({device})"
    whose = "the accelerator alone" if facts.timing is Timing.SIMULATED else "driver included"
    return f"{facts.timing.value} ({device}), {whose}"


def host_evidence(facts: DeviceFacts) -> str | None:
    """The class of evidence of the host's times; ``None`` if :func:`evidence` is of them."""
    return Timing.HOST.value if facts.timing is Timing.SIMULATED else None


def speculation_evidence(device: str, facts: DeviceFacts) -> str:
    """The class of evidence of rounds, whose drafts and acceptance are always the host's."""
    if facts.timing is Timing.SIMULATED:
        return f"passes: {facts.timing.value} ({device}); drafts: {Timing.HOST.value}"
    return f"{facts.timing.value} ({device})"


def measurement_row(
    image: Image, device: str, facts: DeviceFacts, measured: Measurement
) -> dict[str, Any]:
    """Every figure of a measurement by name; those that there are not are ``None``."""
    peak = facts.memory_peak.value
    share = None
    if peak is not None and facts.timing is not Timing.HOST:
        share = measured.share_of_memory(float(peak))
    return {
        "model": image.config.name,
        "size_bytes": image.footprint.tape,
        "ternary_weights": image.config.ternary_weights,
        "device": device,
        "test": measured.test,
        "repetitions": len(measured.seconds),
        **_spread("tokens_per_second", measured.tokens_per_second),
        **_spread("ms_per_pass", measured.milliseconds_per_pass),
        "evidence": evidence(device, facts),
        **_spread("accelerator_ms_per_pass", measured.accelerator_milliseconds),
        **_spread("driver_ms_per_pass", measured.driver_milliseconds),
        **_spread("sampling_ms_per_pass", measured.sampling_milliseconds),
        **_spread("tokenising_ms_per_pass", measured.tokenising_milliseconds),
        "host_evidence": host_evidence(facts),
        "bytes_per_token": measured.bytes_per_token,
        "memory_share": share,
        "joules_per_token": measured.joules_per_token,
        "temperature": measured.temperature,
    }


def print_measurements(rows: Iterable[Row], output: OutputFormat) -> None:
    """Print rows; the table leaves out columns that the first row has not, but those of texts."""
    shown: dict[str, int] = {}

    def watched() -> Iterable[Row]:
        for row in rows:
            if not shown:
                shown.update({head: width for head, width in HEADS.items() if _has(row, head)})
            yield row

    print_rows(
        watched(), output, heads=shown, cells=lambda row: [_cell(row, head) for head in shown]
    )


def _has(row: Row, head: str) -> bool:
    """Return True if a table that begins with this row has the column."""
    return head in OF_TEXTS or head not in OPTIONAL or row[OPTIONAL[head]] is not None


def _cell(row: Row, head: str) -> str:
    match head:
        case "size":
            return format_bytes(row["size_bytes"])
        case "weights":
            return format_count(row["ternary_weights"])
        case "tokens/s":
            return _with_deviation(row, "tokens_per_second")
        case "ms/pass":
            return _with_deviation(row, "ms_per_pass")
        case "read/token":
            return format_bytes(row["bytes_per_token"])
        case "of memory":
            return f"{100 * row['memory_share']:.1f} %"
    if head not in OPTIONAL:
        return row[head]
    value = row[OPTIONAL[head]]
    return "-" if value is None else f"{value:.3f}" if head != "degC" else f"{value:.1f}"


def _spread(name: str, spread: Spread | None) -> dict[str, float | None]:
    mean, deviation = (None, None) if spread is None else (spread.mean, spread.deviation)
    return {name: mean, f"{name}_sd": deviation}


def _with_deviation(row: Row, name: str) -> str:
    return f"{row[name]:.2f} \N{PLUS-MINUS SIGN} {row[f'{name}_sd']:.2f}"
