"""Acceptance and time of the shipped trained heads, by replaying their drafts.

With agreement on the sampler's own noise the text does not depend on the draft, so the text is
written first, many sequences at once by the float reference, and every draft is compared with what
follows. It takes a minute of a core where real rounds on the emulator take an hour;
`python bench/speculation.py --methods hydra medusa` runs those.

Evidence class: measured; tokens a verify on held-out prompts, CPU time of one core of this machine
for the whole of ``propose``, the fastest tenth: `python bench/trained_heads.py`.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from tercel.image import Image
from tercel.runtime import TextTokenizer, find_model
from tercel.runtime.prompt_file import read_prompts
from tercel.runtime.speculation_benchmark import loop_start
from tercel.sampling import SamplingConfig, gumbel
from tercel.speculation import ROOT, DraftBudget, DraftState, DraftTree
from tercel.speculation.drafter_file import drafter_path, load_drafter
from tercel.speculation.drafters.blockwise import BlockwiseDrafter
from tercel.speculation.drafters.head_drafter import HeadDrafter
from tercel.speculation.drafters.hydra import HydraDrafter
from tercel.speculation.drafters.medusa import MedusaDrafter
from tercel_quant.train_drafter.batch_decoder import BatchDecoder
from tercel_quant.weights import ImageWeights

PROMPTS = Path(__file__).parent / "prompts"
KINDS = {"hydra": HydraDrafter, "medusa": MedusaDrafter, "blockwise": BlockwiseDrafter}
TEMPERATURES = (0.0, 0.8)
SEED = 1000


@dataclass(frozen=True, kw_only=True)
class Text:
    """A text and the hidden state of each of its tokens."""

    kind: str
    tokens: list[int]
    hidden: np.ndarray
    start: int
    """First token that the model wrote."""
    end: int
    """End of the text, or the begin of its loop."""
    sampling: SamplingConfig


def write_texts(image: Image, *, prompts: int, prompt_tokens: int, length: int) -> list[Text]:
    """Continue the ends of prompts of every kind at every temperature."""
    tokenizer = TextTokenizer.of_image(image)
    cases = []
    for path in sorted(PROMPTS.glob("*.jsonl")):
        encoded = [tokenizer.encode(prompt.text) for prompt in read_prompts(path)]
        long = [tokens for tokens in encoded if len(tokens) >= prompt_tokens][:prompts]
        for temperature in TEMPERATURES:
            for index, tokens in enumerate(long):
                sampling = SamplingConfig(temperature=temperature, seed=SEED + index)
                cases.append((path.stem, tokens[-prompt_tokens:], sampling))
    total = prompt_tokens + length
    decoder = BatchDecoder(ImageWeights(image), sequences=len(cases), context=total)
    inputs = torch.tensor([tokens for _, tokens, _ in cases])
    tokens, hidden, ids = [inputs], [], np.arange(image.config.vocab_size)
    for position in range(prompt_tokens - 1, total - 1):
        stream, logits = decoder.read(inputs)
        hidden.append(stream)
        rows = logits[:, -1].double().numpy()
        for row, (_, _, sampling) in zip(rows, cases, strict=True):
            if not sampling.greedy:
                row += sampling.temperature * gumbel(sampling.seed, position, ids)
        inputs = torch.from_numpy(rows.argmax(1))[:, None]
        tokens.append(inputs)
    whole, states = torch.cat(tokens, 1).tolist(), torch.cat(hidden, 1).numpy()
    texts = []
    for (kind, _, sampling), text, state in zip(cases, whole, states, strict=True):
        end = prompt_tokens + loop_start(text[prompt_tokens:])
        texts.append(
            Text(
                kind=kind,
                tokens=text,
                hidden=state,
                start=prompt_tokens,
                end=end,
                sampling=sampling,
            )
        )
    return texts


def accepted(tree: DraftTree, following: list[int]) -> int:
    """Length of the tree's path that is a text's continuation."""
    node = ROOT
    for depth, token in enumerate(following):
        child = tree.child(node, token)
        if child is None:
            return depth
        node = child
    return len(following)


def replay(drafter: HeadDrafter, text: Text, nodes: int) -> Iterator[tuple[int, float]]:
    """Tokens and CPU seconds of each round of a text."""
    root = text.start
    budget = DraftBudget(nodes=nodes - 1, depth=nodes - 1)
    while root + nodes < text.end:
        result = SimpleNamespace(hidden={0: text.hidden[root - 1]})
        drafter.observe(SimpleNamespace(verdict=SimpleNamespace(result=result), last_node=0))
        state = DraftState(tokens=text.tokens[: root + 1], position=root, sampling=text.sampling)
        started = time.thread_time()
        tree = drafter.propose(state, budget)
        seconds = time.thread_time() - started
        tokens = 1 + accepted(tree, text.tokens[root + 1 : root + nodes])
        yield tokens, seconds
        root += tokens


def open_drafter(image: Image, kind: str) -> HeadDrafter:
    file = load_drafter(drafter_path(image.path, kind), kind=kind, image=image)
    return KINDS[kind](file.tensors, image)


def main() -> None:
    parser = argparse.ArgumentParser(description="Acceptance and time of trained heads.")
    parser.add_argument("model", nargs="?", default="small")
    parser.add_argument("--methods", nargs="+", choices=KINDS, default=["hydra", "medusa"])
    parser.add_argument("--nodes", nargs="+", type=int, default=[8, 4])
    parser.add_argument("--prompts", type=int, default=12, help="of each kind")
    parser.add_argument("--prompt-tokens", type=int, default=104, help="the last ones")
    parser.add_argument("--tokens", type=int, default=128)
    options = parser.parse_args()
    torch.set_num_threads(1)
    image = Image.open(find_model(options.model))
    texts = write_texts(
        image,
        prompts=options.prompts,
        prompt_tokens=options.prompt_tokens,
        length=options.tokens,
    )
    kinds = list(dict.fromkeys(text.kind for text in texts))
    table = Table("method", "nodes", "T", *kinds, "us a draft", box=None)
    for method in options.methods:
        drafter = open_drafter(image, method)
        for nodes in options.nodes:
            for temperature in TEMPERATURES:
                tokens, times = defaultdict(list), []
                for text in texts:
                    if text.sampling.temperature == temperature:
                        for emitted, seconds in replay(drafter, text, nodes):
                            tokens[text.kind].append(emitted)
                            times.append(seconds)
                means = [f"{np.mean(tokens[kind]):.2f}" for kind in kinds]
                fastest = f"{1e6 * np.percentile(times, 10):.0f}"
                table.add_row(method, str(nodes), f"{temperature:g}", *means, fastest)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
