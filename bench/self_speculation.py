"""Gain of layer skipping on `small`: acceptance on the emulator, times of the cycle model.

Evidence class: acceptance measured, times computed by the cycle model (kv260, 128 cached
positions). `python bench/self_speculation.py --temperature 0.8`.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from tercel.config import PRESETS, ModelConfig
from tercel.image import Image
from tercel.runtime import TextTokenizer, find_model
from tercel.speculation.drafters.self_speculation import LayerMask, early_exit
from tercel_hw.top import ACCELERATORS
from tercel_quant.train_drafter.layer_search import LayerSearchConfig, MaskFigures, mask_figures
from tercel_quant.train_drafter.pass_costs import PassCosts
from tercel_quant.train_drafter.self_speculation import layer_judge, search_best_layers
from tercel_sim.cycle_model import predict_pass
from tercel_sim.ddr import DDR

PROMPTS = Path(__file__).parent / "prompts"
BASE = 128
MEMORY = "kv260-15.0"


def predicted_costs(model: ModelConfig, *, head_rows: int, top_k: int) -> PassCosts:
    """The times of passes behind 128 positions, by the cycle model of the kv260 preset."""
    accelerator = ACCELERATORS["kv260"]
    nothing = ((False, False),) * (model.layers - 1)

    def seconds(rows: int, top_k: int, mask: LayerMask | None) -> np.ndarray:
        return np.array(
            [
                predict_pass(
                    model,
                    accelerator,
                    DDR[MEMORY],
                    nodes=nodes,
                    base=BASE,
                    head_rows=rows,
                    top_k=top_k,
                    layer_mask=mask,
                ).seconds
                for nodes in range(1, accelerator.nodes + 1)
            ]
        )

    headed = seconds(head_rows, top_k, ((False, False), *nothing))
    return PassCosts(
        whole=seconds(model.vocab_size, 0, None),
        headed=headed,
        attention=seconds(head_rows, top_k, ((True, False), *nothing)) - headed,
        mlp=seconds(head_rows, top_k, ((False, True), *nothing)) - headed,
    )


def read_prompts(image: Image, config: LayerSearchConfig, *, odd: bool) -> list[list[int]]:
    """Beginnings of prose and manuals: every other prompt, so that searched and held-out ones
    differ."""
    tokenizer = TextTokenizer.of_image(image)
    prompts = []
    for kind in ("prose", "manuals"):
        lines = (PROMPTS / f"{kind}.jsonl").read_text().splitlines()
        texts = [json.loads(line)["prompt"] for line in lines]
        tokens = [tokenizer.encode(text, first=True)[: config.prompt] for text in texts]
        prompts += [each for each in tokens if len(each) == config.prompt][odd::2]
    return prompts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--temperature", type=float, default=0.0)
    parser.add_argument("--head-rows", type=int, default=2048)
    parser.add_argument("--top-k", type=int, default=8)
    parser.add_argument("--trials", type=int, default=80)
    parser.add_argument("--show", type=int, default=5)
    options = parser.parse_args()
    image = Image.open(find_model("small"))
    config = LayerSearchConfig(
        head_rows=options.head_rows,
        top_k=options.top_k,
        temperature=options.temperature,
        trials=options.trials,
        length=40,
        stride=8,
    )
    costs = predicted_costs(image.config, head_rows=config.head_rows, top_k=config.top_k)
    print("whole pass, us:", *(f"{1e6 * each:.0f}" for each in costs.whole))
    layers = image.config.layers
    searched, held_out = (
        layer_judge(image, read_prompts(image, config, odd=odd), costs, config)
        for odd in (False, True)
    )
    found = search_best_layers(searched, layers=layers, config=config, report=print)
    exits = [early_exit(image.config, count) for count in range(layers - 1, 0, -1)]
    scaled = {}
    for name in ("0.7b", "2b"):
        model = PRESETS[name]
        scaled[name] = predicted_costs(model, head_rows=model.vocab_size // 2, top_k=config.top_k)
    print(f"{len(found)} sets of layers; the best, then early exits, on held-out prompts")
    for mask in [*(each.mask for each in found[: options.show]), *exits]:
        print(row(held_out(mask), costs, scaled))


def row(figures: MaskFigures, costs: PassCosts, scaled: dict[str, PassCosts]) -> str:
    """A set of layers, and its gain with the times of larger models: a projection, since it takes
    the acceptance of this one."""
    accepted = " ".join(f"{share:.3f}" for share in figures.accepted[:4])
    cost = costs.draft(figures.mask)[0] / costs.whole[0]
    projected = []
    for name, their in scaled.items():
        mask = stretched(figures.mask, PRESETS[name].layers)
        gain = mask_figures(mask, figures.accepted, their).gain
        projected.append(f"{name} {gain:.3f}")
    return (
        f"{figures.description}: accepted {accepted}, draft pass {cost:.2f} of a plain one, "
        f"{figures.drafted} a draft, gain {figures.gain:.3f}; projected {', '.join(projected)}"
    )


def stretched(mask: LayerMask, layers: int) -> LayerMask:
    """The mask of a deeper model that skips the same share of each kind of sub-layer."""
    shares = [sum(column) / len(mask) for column in zip(*mask, strict=True)]
    attentions, mlps = (round(share * layers) for share in shares)
    return tuple((layer < attentions, layer < mlps) for layer in range(layers))


if __name__ == "__main__":
    main()
