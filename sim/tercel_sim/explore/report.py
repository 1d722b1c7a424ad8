"""The result of an exploration as a table, JSON and a page with a plot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from tercel_sim.explore.design_space import DesignSpace
from tercel_sim.explore.evaluation import CONTEXT, PROMPT, VERIFIED, Evaluation
from tercel_sim.explore.measured import Measured
from tercel_sim.explore.pareto import dominates, front, objectives
from tercel_sim.explore.resource_model import summary

__all__ = ["Exploration"]

FORMAT = "tercel exploration"
VERSION = 1
SHOWN = {"lut": "LUT", "ff": "FF", "dsp": "DSP", "bram36": "BRAM", "uram": "URAM"}
NAMED = 3
"""Most blocks that a line names."""
HEADS = (
    "design",
    "tokens/s",
    "first token ms",
    "verify ms",
    "verify cost",
    *SHOWN.values(),
    "note",
)


@dataclass(frozen=True, kw_only=True)
class Exploration:
    """Everything that was evaluated for a model on a board."""

    space: DesignSpace
    memory: str
    """Description of the memory."""
    found: tuple[Evaluation, ...]
    """All evaluated designs."""
    synthesised: Mapping[str, Mapping[str, float]]
    """Resources by Yosys, by :attr:`Design.short`, of the designs that were synthesised."""
    checked: Mapping[str, Mapping[str, Any]]
    """Result of the RTL's comparison with the emulator, by :attr:`Design.short`."""

    @property
    def front(self) -> list[Evaluation]:
        """The Pareto front, fastest first."""
        return front(self.found)

    @property
    def standard(self) -> Evaluation:
        """The evaluation of the preset."""
        return next(each for each in self.found if each.design == self.space.standard)

    def dominating(self, tolerance: Sequence[float] | float = 0.0) -> list[Evaluation]:
        """Evaluated designs that dominate the preset by more than a tolerance."""
        mine = objectives(self.standard)
        return [each for each in self.found if dominates(objectives(each), mine, tolerance)]

    @property
    def evidence(self) -> str:
        """Classes of evidence, with the error of the resources and what it was found on."""
        known = ""
        if errors := self._errors().get("lut"):
            blocks = sorted({name for point in self._judges for name in point.blocks})
            judged = ", ".join(blocks) if len(blocks) <= NAMED else f"{len(blocks)} blocks"
            known = f", LUT {100 * errors['mean']:.0f} % off in held-out {judged}"
        return f"speed: cycle model; resources: estimate fitted to syntheses{known}"

    @property
    def _judges(self) -> tuple[Measured, ...]:
        space = self.space
        return space.resources.judges(space.preset, space.board.target)

    def _errors(self) -> dict[str, dict[str, Any]]:
        """Errors of the resources on what was held out of the fit."""
        return summary([self.space.resources.error(point) for point in self._judges])

    def to_dict(self) -> dict[str, Any]:
        """The exploration as a JSON object."""
        best = {each.design for each in self.front}
        return {
            "format": FORMAT,
            "version": VERSION,
            "board": self.space.board.name,
            "model": self.space.model.name,
            "memory": self.memory,
            "fill": self.space.fill,
            "evidence": self.evidence,
            "resource_errors": self._errors(),
            "conditions": {"context": CONTEXT, "prompt": PROMPT, "verified": VERIFIED},
            "preset": self.space.standard.to_dict(),
            "preset_dominated_by": [each.design.to_dict() for each in self.dominating()],
            "designs": [each.to_dict() | {"front": each.design in best} for each in self.found],
            "synthesised": {name: dict(found) for name, found in self.synthesised.items()},
            "checked": {name: dict(found) for name, found in self.checked.items()},
        }

    def _rows(self) -> list[tuple[str, ...]]:
        shown = self.front
        if self.standard not in shown:
            shown.append(self.standard)
        return [self._row(each) for each in shown]

    def _row(self, found: Evaluation) -> tuple[str, ...]:
        speed, note = found.speed, []
        if found.design == self.space.standard:
            others = len(self.dominating())
            note.append(f"preset, dominated by {others}" if others else "preset")
        if found.design.short in self.synthesised:
            lut = self.synthesised[found.design.short]["lut"]
            note.append(f"{lut:,.0f} LUT by Yosys")
        if found.design.short in self.checked:
            failure = self.checked[found.design.short]["failure"]
            note.append("RTL equal" if failure is None else f"RTL differs: {failure}")
        return (
            found.design.short,
            f"{speed.tokens_per_second:.1f}",
            f"{speed.first_token_ms:.0f}",
            f"{speed.verify_ms:.1f}",
            f"{speed.verify_cost:.2f}",
            *(f"{100 * found.shares[kind]:.0f} %" for kind in SHOWN),
            ", ".join(note),
        )

    def as_table(self) -> Table:
        """The front and the preset, for a terminal."""
        table = Table(title=f"{self.space.model.name} on {self.space.board.name}: {self.evidence}")
        for head in HEADS:
            table.add_column(head, justify="left" if head in ("design", "note") else "right")
        for row in self._rows():
            table.add_row(*row)
        return table

    def as_markdown(self) -> str:
        """The front and the preset as a Markdown table."""
        aligned = ["---" if head in ("design", "note") else "---:" for head in HEADS]
        lines = [HEADS, aligned, *self._rows()]
        return "".join(f"| {' | '.join(line)} |\n" for line in lines)

    def as_html(self) -> str:
        """A page with a plot of all designs: largest share, tokens/s, time of a verify."""
        from plotly import graph_objects

        best = {each.design for each in self.front}
        figure = graph_objects.Figure()
        groups = {
            "dominated": [each for each in self.found if each.design not in best],
            "front": self.front,
            "preset": [self.standard],
        }
        looks = {
            "dominated": {"size": 6, "opacity": 0.4},
            "front": {"size": 10, "line": {"width": 1}},
            "preset": {"size": 16, "symbol": "star-open", "line": {"width": 2}},
        }
        slowest = max(each.speed.verify_ms for each in self.found)
        for name, group in groups.items():
            figure.add_trace(
                graph_objects.Scatter(
                    x=[100 * each.largest_share for each in group],
                    y=[each.speed.tokens_per_second for each in group],
                    text=[_hover(each) for each in group],
                    hoverinfo="text",
                    mode="markers",
                    name=name,
                    marker={
                        "color": [each.speed.verify_ms for each in group],
                        "coloraxis": "coloraxis",
                    }
                    | looks[name],
                )
            )
        figure.update_layout(
            title=f"{self.space.model.name} on {self.space.board.name}, {self.memory}<br>"
            f"<sub>{self.evidence}</sub>",
            xaxis_title="largest share of the board's resources, %",
            yaxis_title=f"tokens/s after {CONTEXT} positions",
            coloraxis={
                "colorbar": {"title": f"ms to verify {VERIFIED}"},
                "cmin": 0,
                "cmax": slowest,
            },
            legend={"orientation": "h"},
        )
        return figure.to_html(include_plotlyjs=True)


def _hover(found: Evaluation) -> str:
    speed = found.speed
    shares = ", ".join(f"{SHOWN[kind]} {100 * found.shares[kind]:.0f} %" for kind in SHOWN)
    return (
        f"{found.design.short}<br>{speed.tokens_per_second:.1f} tokens/s, first token "
        f"{speed.first_token_ms:.0f} ms, verify {speed.verify_ms:.1f} ms<br>{shares}"
    )
