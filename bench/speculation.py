"""Speculation with the shipped model, method by method, and its speed on the kv260.

Every method continues held-out prompts of four kinds on the emulator, whose bits are those of the
accelerator. Texts are compared with plain decoding's; loops of greedy text are left out.

Evidence classes: tokens a verify are measured. Time is projected: a pass takes what the cycle model
predicts for the kv260 and a model of reference shape, and the host what it took here, in CPU time
of one core, times a stated factor for a Cortex-A53. So the acceptance is that of `small` in every
column: `python bench/speculation.py [--methods auto hydra] [--prompts 12] [--tokens 128]`.
"""

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path

from cost_curves import BUILD, Curve, cost_curve
from host import A53_FACTOR, PASS
from host import measure as measure_host
from rich.console import Console
from rich.table import Table

from tercel.device import Ask, PassResult
from tercel.device.emulator import EmulatorDevice
from tercel.errors import TercelError
from tercel.image import Image
from tercel.program import Request
from tercel.runtime import GenerationConfig, TextTokenizer, find_model
from tercel.runtime.prompt_file import Prompt, read_prompts
from tercel.runtime.speculation_benchmark import (
    SpeculationMeasurement,
    run_speculation_benchmark,
)
from tercel.sampling import SamplingConfig
from tercel.speculation import (
    DraftBudget,
    Drafter,
    DraftState,
    DraftTree,
    Round,
    Speculator,
)
from tercel.speculation.methods import (
    AUTO,
    METHODS,
    NONE,
    DraftSources,
    open_controller,
    open_drafters,
)

PROMPTS = Path(__file__).parent / "prompts"
MODELS = ("small", "0.7b", "2b")
"""Shapes whose cost the columns project."""
SEED = 1000
ON_DEVICE = ("self", "draft")
"""Methods whose drafts are passes."""
HOST_REPEATS = 100


class ProjectedDevice(EmulatorDevice):
    """The emulator of `small` with the time of a pass on the kv260.

    A pass with layers or rows of the head left out takes its part of the bytes.

    Parameters
    ----------
    curve
        Seconds of the accelerator.
    host
        Seconds of the host in a pass, by nodes.
    """

    def __init__(self, image: Image, curve: Curve, host: dict[int, float]):
        super().__init__(image)
        self._curve, self._host = curve, host
        self._passes = 0.0
        """Projected seconds of all passes."""
        self._emulation = 0.0
        """CPU seconds that the emulator took for them."""

    def _run(self, request: Request, rows) -> PassResult:
        started = time.thread_time()
        result = super()._run(request, rows)
        self._emulation += time.thread_time() - started
        whole = replace(request, ask=Ask())
        part = self._count(request).tape_bytes_read / self._count(whole).tape_bytes_read
        seconds = part * self._curve(request.nodes, request.base) + self._host[request.nodes]
        self._passes += seconds
        return replace(result, seconds=seconds)

    def exclude(self, seconds: float) -> None:
        """Leave CPU seconds out of the clock."""
        self._emulation += seconds

    def clock(self) -> float:
        """Projected seconds: of passes, and of the host's own CPU time on a Cortex-A53."""
        return self._passes + A53_FACTOR * (time.thread_time() - self._emulation)


class WarmDrafter(Drafter):
    """Drafts twice, and lets the clock see the second time alone.

    The emulator empties the caches between two drafts, which a board does not: its host waits.
    """

    def __init__(self, drafter: Drafter, device: ProjectedDevice):
        self._drafter, self._device = drafter, device
        self.needs = drafter.needs

    def reset(self) -> None:
        self._drafter.reset()

    def observe(self, round: Round) -> None:
        self._drafter.observe(round)

    def propose(self, state: DraftState, budget: DraftBudget) -> DraftTree:
        started = time.thread_time()
        self._drafter.propose(state, budget)
        self._device.exclude(time.thread_time() - started)
        return self._drafter.propose(state, budget)


@cache
def host_seconds(model: str) -> dict[int, float]:
    """Modelled seconds of a Cortex-A53 in a pass without its draws, by nodes."""
    path = BUILD / f"host-{model}.json"
    if not path.exists():
        measure_host(model, 8, HOST_REPEATS)  # the first passes of a process are slow
        ends = [
            sum(measure_host(model, nodes, HOST_REPEATS)[part] for part in PASS) for nodes in (1, 8)
        ]
        BUILD.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(ends))
    one, eight = json.loads(path.read_text())
    return {n: A53_FACTOR * 1e-6 * (one + (eight - one) * (n - 1) / 7) for n in range(1, 9)}


def run(
    image: Image,
    methods: Iterable[str],
    prompts: Sequence[Prompt],
    *,
    model: str,
    sampling: SamplingConfig,
    tokens: int,
) -> list[SpeculationMeasurement]:
    """Measure methods with the costs of one model."""
    curve = cost_curve(model, top_k=0 if sampling.greedy else 64)
    device = ProjectedDevice(image, curve, host_seconds(model))
    sources = DraftSources(image=image, device=device)
    speculators = {}
    for name in methods:
        drafters = open_drafters(name, sources)
        controller = open_controller(name, drafters, device.limits.nodes - 1)
        if name not in ON_DEVICE:
            drafters = [WarmDrafter(drafter, device) for drafter in drafters]
        speculators[name] = Speculator(drafters, None, controller, device.clock)
    config = GenerationConfig(sampling=sampling, max_tokens=tokens, ignore_eos=True)
    tokenizer = TextTokenizer.of_image(image)
    return list(
        run_speculation_benchmark(device, tokenizer, speculators, prompts, config, device.clock)
    )


def projected(
    measurement: SpeculationMeasurement, model: str, temperature: float
) -> tuple[float, float]:
    """Seconds of the accelerator alone, and with the host, for another model's costs."""
    curve, host = cost_curve(model, top_k=64 if temperature else 0), host_seconds(model)
    device = sum(curve(round.nodes, round.base) for round in measurement.rounds)
    extra = sum(
        host[round.nodes] + round.draft_seconds + round.accept_seconds
        for round in measurement.rounds
    )
    return device, device + extra


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--methods", nargs="+", default=None)
    parser.add_argument("--prompts", type=int, default=12, help="prompts of each kind")
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--temperatures", type=float, nargs="+", default=[0.0, 0.8])
    parser.add_argument("--top-k", type=int, default=0, help="filter, as of tercel run")
    parser.add_argument("--top-p", type=float, default=1.0, help="filter, as of tercel run")
    parser.add_argument("--output", type=Path, default=BUILD / "speculation.json")
    arguments = parser.parse_args()
    image = Image.open(find_model("small"))
    prompts = [
        prompt
        for path in sorted(PROMPTS.glob("*.jsonl"))
        for prompt in read_prompts(path)[: arguments.prompts]
    ]
    names = arguments.methods or [*available(image), AUTO]
    fixed = [name for name in names if name != AUTO]
    rows: list[dict] = []
    for temperature in arguments.temperatures:
        sampling = SamplingConfig(
            temperature=temperature, top_k=arguments.top_k, top_p=arguments.top_p, seed=SEED
        )
        settings = {"sampling": sampling, "tokens": arguments.tokens}
        found = run(image, fixed, prompts, model="0.7b", **settings)
        rows += [row for each in found for row in project(each, MODELS, temperature)]
        if AUTO in names:
            for model in MODELS:
                found = run(image, [AUTO], prompts, model=model, **settings)
                chosen = [each for each in found if each.method == AUTO]
                rows += [row for each in chosen for row in project(each, [model], temperature)]
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(json.dumps(rows, indent=1))
    report(rows)


def available(image: Image) -> list[str]:
    """Methods whose parts are shipped with the model."""
    sources = DraftSources(image=image, device=EmulatorDevice(image))
    found = []
    for name in METHODS:
        with suppress(TercelError):
            open_drafters(name, sources)
            found.append(name)
    return found


def project(
    measurement: SpeculationMeasurement, models: Iterable[str], temperature: float
) -> list[dict]:
    """The figures of a measurement for each model's costs."""
    rows = []
    for model in models:
        device, total = projected(measurement, model, temperature)
        drafting = sum(round.draft_seconds for round in measurement.rounds)
        rows.append(
            measurement.to_dict()
            | {
                "model": model,
                "temperature": temperature,
                "device_seconds": device,
                "total_seconds": total,
                "drafting": drafting / total if total else 0.0,
            }
        )
    return rows


def report(rows: Sequence[dict]) -> None:
    """Print tokens a verify by kind, then speed-ups by model."""
    plain = {
        (row["model"], row["temperature"], row["kind"]): row
        for row in rows
        if row["method"] == NONE
    }
    grouped: dict[tuple[float, str, str], list[dict]] = defaultdict(list)
    for row in rows:
        grouped[row["temperature"], row["model"], row["method"]].append(row)
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    names = list(dict.fromkeys(row["method"] for row in rows))
    temperatures = list(dict.fromkeys(row["temperature"] for row in rows))
    for temperature in temperatures:
        table = Table(title=f"temperature {temperature}: tokens a verify, us a draft on one core")
        for head in ("method", *kinds, "in loops", "us a draft", "text"):
            table.add_column(head, justify="left" if head == "method" else "right")
        for name in names:
            found = {row["kind"]: row for row in grouped[temperature, "0.7b", name]}
            if not found:
                continue
            loops = [
                row["tokens_per_verify_in_loops"]
                for row in found.values()
                if row["tokens_per_verify_in_loops"] is not None
            ]
            drafts = sum(row["drafts"] for row in found.values())
            spent = sum((row["ms_per_draft"] or 0) * row["drafts"] for row in found.values())
            cells = [f"{found[kind]['tokens_per_verify'] or 0:.2f}" for kind in kinds]
            cells.append(f"{sum(loops) / len(loops):.2f}" if loops else "-")
            cells.append(f"{1000 * spent / drafts / A53_FACTOR:.0f}" if drafts else "-")
            texts = {row["text"] for row in found.values()}
            table.add_row(name, *cells, "equal" if texts == {"equal"} else "differs")
        Console().print(table)
    table = Table(
        title="speed-up over plain decoding on the kv260 (cycle model), all kinds: device / with "
        f"drafting / with all of the host (Cortex-A53: modelled, factor {A53_FACTOR}) / part of "
        "drafting beside the device"
    )
    for head in ("method", *(f"{m} T {t}" for t in temperatures for m in MODELS)):
        table.add_column(head, justify="left" if head == "method" else "right")
    for name in names:
        cells = []
        for temperature in temperatures:
            for model in MODELS:
                found = grouped[temperature, model, name]
                cells.append(_gain(found, plain) if found else "-")
        table.add_row(name, *cells)
    Console(width=180).print(table)


def _gain(rows: Sequence[dict], plain: dict) -> str:
    """Speed-ups for the same number of tokens of every kind, and the part of drafting."""
    device = drafted = total = plain_device = plain_total = 0.0
    for row in rows:
        other = plain[row["model"], row["temperature"], row["kind"]]
        share = other["tokens"] / row["tokens"] if row["tokens"] else 0.0
        drafting = row["total_seconds"] * row["drafting"]
        device += share * row["device_seconds"]
        drafted += share * (row["device_seconds"] + drafting)
        total += share * row["total_seconds"]
        plain_device += other["device_seconds"]
        plain_total += other["total_seconds"]
    gains = (plain_device / device, plain_device / drafted, plain_total / total)
    return " / ".join(f"{gain:.2f}" for gain in gains) + f" / {1 - device / drafted:.0%}"


if __name__ == "__main__":
    main()
