"""``tercel inspect``: the contents of an image."""

import dataclasses
import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tercel.cli.fact_table import fact_table
from tercel.cli.inspect_checkpoint import describe_checkpoint, find_checkpoint, show_checkpoint
from tercel.cli.sampling import format_sampling
from tercel.cli.units import describe_version, format_bytes, format_count
from tercel.config import ModelConfig
from tercel.errors import TercelError
from tercel.image import Image, Segment
from tercel.runtime import DEFAULT_MODEL, find_model

__all__ = ["describe", "inspect"]

CONTEXT = 128
"""Default positions in the cache."""


def inspect(
    model: Annotated[
        str, typer.Argument(help="An image, the name of a shipped model, or a checkpoint.")
    ] = DEFAULT_MODEL,
    context: Annotated[
        int | None,
        typer.Option(
            help="Positions in the cache for the bytes of a token; by default 128, or what a "
            "smaller model has.",
            metavar="N",
        ),
    ] = None,
    bandwidth: Annotated[
        float, typer.Option(help="Memory bandwidth of the device in GB/s.", metavar="GB/S")
    ] = 15.0,
    i2s_layout: Annotated[
        str | None,
        typer.Option(
            help="Of a GGUF file whose weights do not tell it: x86, arm or rows.", metavar="NAME"
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Show the contents of an image: shapes, bits per weight, bytes per token, bound of the speed.

    The speed is that of a device that reads its memory at the given bandwidth without pauses and is
    limited by nothing else.

    Of a checkpoint (a folder, *.gguf, *.safetensors, *.bin or *.onnx) it shows, without converting
    it, its layout, the granularity of its scales, whatever is refused, and which preset
    accelerators can run it at which speed.
    """
    if (path := find_checkpoint(model)) is not None:
        positions = CONTEXT if context is None else context
        found = describe_checkpoint(path, context=positions, i2s_layout=i2s_layout)
        _show(found, as_json, show_checkpoint(found))
        return
    if i2s_layout is not None:
        raise TercelError("only GGUF files have I2_S tensors; leave out --i2s-layout")
    image = Image.open(find_model(model))
    if context is None:
        context = min(CONTEXT, image.config.context - 1)
    facts = describe(image, context=context, bandwidth=bandwidth)
    tables = [fact_table(title, rows) for title, rows in _sections(facts).items()]
    _show(facts, as_json, [*tables, _segment_table(facts["segments"])])


def _show(facts: dict, as_json: bool, tables: list[Table]) -> None:
    """Print facts as JSON or as tables."""
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
        return
    console = Console(highlight=False, markup=False)
    with console.capture() as text:  # echoed below: the command group handles a closed pipe
        for table in tables:
            console.print(table)
    typer.echo(text.get(), nl=False)


def describe(image: Image, *, context: int, bandwidth: float) -> dict:
    """The shapes, sizes and bytes per token of an image, for JSON.

    Parameters
    ----------
    image
    context
        Positions in the cache.
    bandwidth
        GB/s.

    Raises
    ------
    TercelError
        If ``context`` or ``bandwidth`` is out of range.
    """
    config, weights = image.config, image.footprint
    if not 0 <= context < config.context:
        raise TercelError(f"context must be in 0..{config.context - 1}, not {context}")
    if not 0 < bandwidth < float("inf"):
        raise TercelError(f"bandwidth must be a positive number of GB/s, not {bandwidth}")
    tape = image.bytes_per_pass(nodes=1)
    cache = context * weights.kv_per_position
    short = image.bytes_per_pass(nodes=1, listed=config.shortlist) if config.shortlist else None
    return {
        "path": str(image.path),
        "config": config.to_fields(),
        "layout": dataclasses.asdict(image.layout),
        "tokenizer_bytes": None if image.tokenizer is None else len(image.tokenizer),
        "chat": None if image.chat is None else image.chat.to_fields(),
        "sampling": None if image.sampling is None else image.sampling.to_fields(),
        "ternary_weights": config.ternary_weights,
        "bits_per_weight": weights.bits_per_weight,
        "tape_bytes": weights.tape,
        "head_bytes": weights.head,
        "shortlist_bytes": weights.shortlist,
        "kv_bytes_per_position": weights.kv_per_position,
        "segments": _segment_kinds(image),
        "per_token": {
            "context": context,
            "bandwidth_gb_s": bandwidth,
            "tape_bytes": tape,
            "kv_bytes": cache,
            "bytes": tape + cache,
            "two_stage_bytes": None if short is None else short + cache,
            "tokens_per_second": bandwidth * 1e9 / (tape + cache),
            "evidence": "model",
        },
    }


def _kind(segment: Segment) -> str:
    """A segment's name without its layer."""
    return segment.name.split(".", 2)[2] if segment.name.startswith("layers.") else segment.name


def _segment_kinds(image: Image) -> list[dict]:
    """One entry per segment name without its layer, in tape order."""
    kinds: dict[str, dict] = {}
    for segment in image.segments:
        size = segment.words * image.layout.word_bytes
        entry = kinds.setdefault(
            _kind(segment),
            {
                "name": _kind(segment),
                "kind": segment.kind,
                "played": segment.played,
                "count": 0,
                "rows": segment.rows,
                "columns": segment.columns,
                "bytes": 0,
                "bits_per_weight": None,
            },
        )
        entry["count"] += 1
        entry["bytes"] += size
        if segment.ternary:
            entry["bits_per_weight"] = 8 * size / (segment.rows * segment.columns)
    return list(kinds.values())


def _sections(facts: dict) -> dict[str, dict[str, str]]:
    config, layout, token = facts["config"], facts["layout"], facts["per_token"]
    tokenizer, chat, sampling = (facts[key] for key in ("tokenizer_bytes", "chat", "sampling"))
    heads = f"{config['heads']} of {config['head_size']}, {config['kv_heads']} for keys and values"
    return {
        f"{config['name']}: {facts['path']}": {
            "layers": str(config["layers"]),
            "width": f"{config['hidden_size']}, MLP {config['ffn_size']} ({config['activation']})",
            "heads": heads,
            "sub-norms": "yes" if config["sub_norms"] else "no",
            "vocabulary": str(config["vocab_size"]),
            "head": "the embedding's rows" if config["tied_head"] else "rows of its own",
            "context": str(config["context"]),
            "format": describe_version(ModelConfig.from_fields(config)),
            "tokenizer": "none" if tokenizer is None else format_bytes(tokenizer),
            "chat template": "none" if chat is None else f"{len(chat['template'])} characters",
            "sampling": "none" if sampling is None else format_sampling(sampling),
        },
        "Tape": {
            "layout": f"{layout['ports']} ports of {layout['port_bytes']} bytes, "
            f"{layout['tables']} codes a row-chunk, blocks of {layout['block_rows']} rows",
            "ternary weights": f"{format_count(facts['ternary_weights'])} in {layout['code']}",
            "bits a weight": f"{facts['bits_per_weight']:.4f} with padding",
            "tape": format_bytes(facts["tape_bytes"]),
            "head": format_bytes(facts["head_bytes"]) + _shortlist(facts),
            "KV cache": f"{format_bytes(facts['kv_bytes_per_position'])} a position",
        },
        f"A token after {token['context']} positions": {
            "reads": f"{format_bytes(token['bytes'])}: tape {format_bytes(token['tape_bytes'])}, "
            f"KV cache {format_bytes(token['kv_bytes'])}",
            "speed": f"at most {token['tokens_per_second']:.1f} tokens/s at "
            f"{token['bandwidth_gb_s']:g} GB/s (evidence: {token['evidence']})",
        }
        | _two_stage(token),
    }


def _two_stage(token: dict) -> dict[str, str]:
    """The row of a token with a two-stage head, if there is one."""
    if (size := token["two_stage_bytes"]) is None:
        return {}
    rate = token["bandwidth_gb_s"] * 1e9 / size
    return {"two-stage head": f"reads {format_bytes(size)}, at most {rate:.1f} tokens/s"}


def _shortlist(facts: dict) -> str:
    """The shortlist of a head, if it has one."""
    rows = facts["config"].get("shortlist", 0)
    size = format_bytes(facts["shortlist_bytes"])
    return f", with a shortlist of {size} for {rows} rows a node" if rows else ""


def _reading(entry: dict) -> str:
    """The passes or the order in which a segment is read."""
    if entry["played"]:
        return "every pass"
    return "if asked for" if entry["name"] == "shortlist" else "by row"


def _segment_table(segments: list[dict]) -> Table:
    table = Table(title="Segments, in tape order", title_justify="left", box=None)
    for name in ("name", "kind", "read"):
        table.add_column(name)
    for name in ("count", "shape", "bytes", "bits/weight"):
        table.add_column(name, justify="right")
    for entry in segments:
        bits = entry["bits_per_weight"]
        table.add_row(
            entry["name"],
            entry["kind"],
            _reading(entry),
            str(entry["count"]),
            f"{entry['rows']} x {entry['columns']}",
            format_bytes(entry["bytes"]),
            "" if bits is None else f"{bits:.4f}",
        )
    return table
