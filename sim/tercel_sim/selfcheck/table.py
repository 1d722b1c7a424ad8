"""The tables of compared models for the terminal."""

from collections.abc import Sequence

from rich.table import Table

from tercel.config import ModelConfig
from tercel.program import AcceleratorSpec
from tercel_sim.selfcheck.check import ModelCheck

__all__ = ["limits_table", "models_table"]

MODEL = ("seed", "layers", "hidden", "ffn", "heads", "vocabulary", "context", "kind")


def models_table(checks: Sequence[ModelCheck]) -> Table:
    """Return a table with a row for each model."""
    table = Table(box=None)
    for title in (*MODEL, "passes", "cycles", "seconds"):
        table.add_column(title, justify="right")
    table.add_column("result")
    for check in checks:
        table.add_row(
            str(check.seed),
            *_shape(check.model),
            str(check.passes),
            str(check.cycles),
            f"{check.seconds:.1f}",
            "same" if check.failure is None else "FAILED",
        )
    return table


def limits_table(spec: AcceleratorSpec, checks: Sequence[ModelCheck]) -> Table:
    """Return a table of the models' sizes against the accelerator's limits."""
    models = [check.model for check in checks]
    rows = {
        "hidden": (spec.hidden, [model.hidden_size for model in models]),
        "columns": (spec.columns, [_widest(model) for model in models]),
        "heads": (spec.sweeps, [model.heads for model in models]),
        "head size": (spec.head_size, [model.head_size for model in models]),
        "positions": (spec.positions, [min(model.context, spec.positions) for model in models]),
        "vocabulary": (spec.rows, [model.vocab_size for model in models]),
    }
    table = Table(box=None)
    for title in ("limit", "accelerator", "largest model"):
        table.add_column(title, justify="left" if title == "limit" else "right")
    for name, (limit, values) in rows.items():
        table.add_row(name, str(limit), str(max(values)))
    return table


def _widest(model: ModelConfig) -> int:
    return max(columns for _, columns in model.linears().values())


def _shape(model: ModelConfig) -> list[str]:
    """Return the columns of a model."""
    kinds = [model.activation]
    kinds += ["sub norms"] * model.sub_norms
    kinds += ["untied"] * (not model.tied_head)
    sizes = (model.layers, model.hidden_size, model.ffn_size)
    heads = f"{model.heads}/{model.kv_heads} of {model.head_size}"
    return [
        *map(str, sizes),
        heads,
        str(model.vocab_size),
        str(model.context),
        ", ".join(kinds),
    ]
