"""Drafters that do harm: their text is plain decoding's, and the table shows what they cost.

Evidence classes as in `speculation.py`: passes by the cycle model for the kv260 and `0.7b`, host
time measured and scaled to a Cortex-A53: `python bench/adversaries.py [--tokens 256]`.
"""

import argparse
import time

from rich.console import Console
from rich.table import Table
from speculation import PROMPTS, ProjectedDevice, cost_curve, host_seconds

from tercel.image import Image
from tercel.runtime import GenerationConfig, TextTokenizer, find_model
from tercel.runtime.prompt_file import read_prompts
from tercel.runtime.speculation_benchmark import run_speculation_benchmark
from tercel.sampling import SamplingConfig
from tercel.speculation import ROOT, Adaptive, Drafter, DraftTree, FixedSize, Speculator

MODEL = "0.7b"
SLOW_SECONDS = 0.002
"""Time that the slow drafter takes on this machine; a pass of 0.7b takes 13 ms."""


class Adversary(Drafter):
    """Proposes what ``make`` makes of the root token and the number of nodes."""

    def __init__(self, make):
        self._make = make

    def propose(self, state, budget):
        count = min(budget.nodes, budget.depth)
        return self._make(state.tokens[-1], count)


def unlikely(root: int, count: int) -> tuple[int, ...]:
    """Tokens that hardly ever follow."""
    return tuple((root * 7919 + 4001 + 13 * index) % 4096 for index in range(count))


def wrong(root: int, count: int) -> DraftTree:
    """A chain that boasts of being right."""
    return DraftTree.chain(unlikely(root, count), (0.9,) * count)


def twins(root: int, count: int) -> DraftTree:
    return DraftTree(tokens=(root,) * count, parents=(ROOT,) * count)


def too_long(root: int, count: int) -> DraftTree:
    return DraftTree.chain(unlikely(root, count + 5))


def end_inside(root: int, count: int) -> DraftTree:
    return DraftTree.chain((0, *unlikely(root, count - 1)))


def foreign(root: int, count: int) -> DraftTree:
    return DraftTree.chain((1 << 20,) * count)


def broken(root: int, count: int) -> DraftTree:
    raise RuntimeError("a fault of the drafter")


def slow(root: int, count: int) -> DraftTree:
    end = time.thread_time() + SLOW_SECONDS
    while time.thread_time() < end:
        pass
    return wrong(root, count)


ADVERSARIES = {
    "always wrong, sure of itself": wrong,
    "equal siblings": twins,
    "more nodes than allowed": too_long,
    "end tokens inside": end_inside,
    "ids outside the vocabulary": foreign,
    "raises an exception": broken,
    f"wrong and slow ({1000 * SLOW_SECONDS:.0f} ms here)": slow,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=256)
    tokens = parser.parse_args().tokens
    image = Image.open(find_model("small"))
    device = ProjectedDevice(image, cost_curve(MODEL, top_k=64), host_seconds(MODEL))
    speculators = {}
    for name, make in ADVERSARIES.items():
        for kind, controller in (
            ("auto", Adaptive(drafters=1, nodes=7)),
            ("always", FixedSize(7)),
        ):
            key = f"{name}/{kind}"
            speculators[key] = Speculator([Adversary(make)], None, controller, device.clock)
    prompts = read_prompts(PROMPTS / "prose.jsonl")[:2]
    config = GenerationConfig(
        sampling=SamplingConfig(temperature=0.8, seed=1), max_tokens=tokens, ignore_eos=True
    )
    found = run_speculation_benchmark(
        device, TextTokenizer.of_image(image), speculators, prompts, config, device.clock
    )
    rows = {each.method: each.to_dict() for each in found}
    table = Table(title=f"speed with adversarial drafters over plain decoding, costs of {MODEL}")
    for head in ("drafter", "adaptive controller", "always drafting", "failures", "text"):
        table.add_column(head, justify="left" if head == "drafter" else "right")
    for name in ADVERSARIES:
        auto, always = rows[f"{name}/auto"], rows[f"{name}/always"]
        texts = {auto["text"], always["text"]}
        table.add_row(
            name,
            f"{auto['speedup']:.3f}",
            f"{always['speedup']:.3f}",
            str(always["failures"]),
            "equal" if texts == {"equal"} else "differs",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
