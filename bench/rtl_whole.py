"""Figures of whole models, from simulated passes if available, else from the cycle model."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rtl_cases import ACCELERATOR, CHUNKS, Case

from tercel.config import PRESETS
from tercel_sim.ddr import DDR

__all__ = ["Figure", "WholeModels", "needed"]

SIMULATED = "cycle-accurate simulation"
PROMPTS = (64, 128, 512)
DECODED = (0, 128, 1024)
"""Bases of the predicted passes of one token."""
FILLED = (0, 120, 504)
"""Bases of the predicted passes of a prompt; others are interpolated."""
VERIFIED = 128
NODES = ACCELERATOR.nodes


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure of a model with a memory, and its evidence class."""

    value: float
    evidence: str


def _decode(model: str, memory: str, base: int, nodes: int = 1) -> Case:
    return Case(model=model, part="whole", nodes=nodes, base=base, memory=memory)


def _prompt(model: str, memory: str, base: int) -> Case:
    return Case(model=model, part="prompt", nodes=NODES, base=base, memory=memory)


def needed(model: str, memory: str) -> list[Case]:
    """Passes of whole models from which the figures are computed."""
    return [
        *(_decode(model, memory, base) for base in DECODED),
        _decode(model, memory, VERIFIED, NODES),
        *(_prompt(model, memory, base) for base in FILLED),
        *(_decode(model, memory, base, NODES) for base in FILLED),
    ]


class WholeModels:
    """Figures of one model with one memory.

    Parameters
    ----------
    results
        Measurements by case.
    predicted
        Cycles of these cases and of the :func:`needed` ones by the cycle model.
    """

    def __init__(
        self, model: str, memory: str, results: Mapping[Case, dict], predicted: Mapping[Case, int]
    ):
        self._model, self._memory = model, memory
        self._results, self._predicted = results, predicted
        self._hertz = DDR[memory].clock_mhz * 1e6
        errors = [
            abs(predicted[case] / result["counted"]["cycles"] - 1)
            for case, result in results.items()
            if case.model == model
        ]
        known = f"error at most {100 * max(errors):.1f} % above" if errors else "error not measured"
        self._model_evidence = f"cycle model ({known})"

    def figures(self) -> dict[str, Figure]:
        """Figures by the quantity names of ``rtl_figures.json``, without the model's name."""
        found = {f"decode {base}": self._decoding(base) for base in DECODED}
        found |= {f"first token {tokens}": self._first_token(tokens) for tokens in PROMPTS}
        found["verify"] = self._verifying()
        measured = self._results.get(_decode(self._model, self._memory, VERIFIED))
        if measured is not None:
            found["bandwidth"] = self._bandwidth(measured)
        chunks = [self._results.get(self._chunk(base)) for base in CHUNKS]
        if all(chunks):
            found["attention"] = self._attention(chunk for chunk in chunks if chunk)
        return found

    def _chunk(self, base: int) -> Case:
        return Case(model=self._model, part="chunk", nodes=NODES, base=base, memory=self._memory)

    def _cycles(self, case: Case) -> tuple[int, bool]:
        """Cycles of a pass, and true if they are simulated."""
        if case in self._results:
            return self._results[case]["counted"]["cycles"], True
        return self._predicted[case], False

    def _evidence(self, *simulated: bool) -> str:
        return SIMULATED if all(simulated) else self._model_evidence

    def _between(self, cases: Iterable[Case], base: int) -> float:
        """Cycles of a pass at a base, interpolated linearly between predicted passes."""
        known = {case.base: self._predicted[case] for case in cases}
        pasts = sorted(known)
        index = min(bisect_right(pasts, base), len(pasts) - 1)
        low, high = pasts[index - 1], pasts[index]
        slope = (known[high] - known[low]) / (high - low)
        return known[low] + slope * (base - low)

    def _decoding(self, base: int) -> Figure:
        cycles, simulated = self._cycles(_decode(self._model, self._memory, base))
        return Figure(value=self._hertz / cycles, evidence=self._evidence(simulated))

    def _verifying(self) -> Figure:
        (one, first), (many, second) = (
            self._cycles(_decode(self._model, self._memory, VERIFIED, nodes))
            for nodes in (1, NODES)
        )
        return Figure(value=many / one, evidence=self._evidence(first, second))

    def _first_token(self, tokens: int) -> Figure:
        """Time to first token: passes of all lanes, the last one with the head."""
        prompts = [_prompt(self._model, self._memory, base) for base in FILLED]
        headed = [_decode(self._model, self._memory, base, NODES) for base in FILLED]
        cycles = sum(self._between(prompts, base) for base in range(0, tokens - NODES, NODES))
        cycles += self._between(headed, tokens - NODES)
        return Figure(value=1e3 * cycles / self._hertz, evidence=self._model_evidence)

    def _bandwidth(self, result: dict) -> Figure:
        part = result["account"]["moving"] / result["counted"]["cycles"]
        return Figure(value=100 * part, evidence=SIMULATED)

    def _attention(self, chunks: Iterable[dict]) -> Figure:
        """Time of the attention in a prompt of 128, from one layer's counter in each pass."""
        cycles = sum(chunk["counted"]["attention"] for chunk in chunks)
        cycles *= PRESETS[self._model].layers
        evidence = f"{SIMULATED} of one layer in each of the {len(CHUNKS)} passes"
        return Figure(value=1e3 * cycles / self._hertz, evidence=evidence)
