"""SDSAT end to end: a small model of bytes with adaptive tokens, trained here.

The whole-model tuning of the method is out of proportion for the shipped model, so a small one is
trained from nothing with both losses. Text equality is with that model's plain decoding. Evidence
class: measured in software: `python bench/sdsat.py --text FILE --held-out FILE`.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from tercel.config import ModelConfig
from tercel.device.emulator import EmulatorDevice
from tercel.image import Image
from tercel.runtime import GenerationConfig, Generator, TextTokenizer
from tercel.sampling import SamplingConfig
from tercel.speculation import Drafter, FixedSize, Speculator
from tercel.speculation.drafter_file import drafter_path, save_drafter
from tercel.speculation.drafters.ppd import PromptDecoding
from tercel.speculation.drafters.probe_guesses import RANKS
from tercel.speculation.drafters.sdsat import KIND, AdaptiveTokens
from tercel_quant.convert import convert
from tercel_quant.model import Transformer
from tercel_quant.train_drafter.adaptive_tokens import AdaptiveTokenConfig, AdaptiveTokenTrainer
from tercel_quant.train_drafter.frozen_model import FrozenModel
from tercel_quant.train_drafter.guess_chances import guess_chances
from tercel_quant.training_state import save_weights
from tercel_quant.weights import ImageWeights

BYTES = 256
TOKENS = 3
CONFIG = ModelConfig(
    name="bytes",
    layers=3,
    hidden_size=128,
    ffn_size=256,
    heads=4,
    kv_heads=4,
    head_size=32,
    vocab_size=BYTES + TOKENS,
    context=512,
    tied_head=True,
)
NODES = 8
LENGTH = 96


def byte_tokenizer() -> Tokenizer:
    """Token ``i`` is the ``i``-th byte."""
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary(), merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def vocabulary() -> dict[str, int]:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    return {character: i for i, character in enumerate(alphabet)}


def train(text: torch.Tensor, folder: Path, steps: int) -> Path:
    """Train the model unless an earlier run did; return its image."""
    path = folder / "bytes.tercel"
    if path.exists():
        return path
    model = Transformer(CONFIG)
    model.initialise(1)
    config = AdaptiveTokenConfig(tokens=TOKENS, steps=steps, batch=24, learning_rate=4e-3)
    trainer = AdaptiveTokenTrainer(model, config, text, length=LENGTH)
    while trainer.step < steps:
        losses = trainer.advance()
        if trainer.step % 50 == 0:
            print(trainer.step, [round(loss, 3) for loss in losses], flush=True)
    tokenizer = folder / "tokenizer.json"
    byte_tokenizer().save(str(tokenizer))
    weights = folder / "weights.safetensors"
    save_weights(weights, CONFIG, model.state_dict(), precision="ternary")
    convert(weights, path, tokenizer=tokenizer)
    image = Image.open(path)
    save_drafter(
        drafter_path(path, KIND),
        kind=KIND,
        image=image,
        tensors={"rows": adaptive_rows(image)},
        settings={"steps": steps},
    )
    return path


def adaptive_rows(image: Image) -> np.ndarray:
    """The adaptive tokens' rows of the embedding, as the device reads them."""
    values, scales = image.rows("embedding", np.arange(BYTES, BYTES + TOKENS))
    return values.astype(np.float32) * scales[:, None]


def drafters(image: Image, text: torch.Tensor) -> dict[str, Drafter]:
    rows = adaptive_rows(image)
    model = FrozenModel(ImageWeights(image))
    windows = text[: 32 * LENGTH].view(-1, LENGTH)
    greedy, sampled = (
        guess_chances(
            model,
            torch.from_numpy(rows),
            windows,
            ranks=RANKS,
            temperature=temperature,
            places=24,
            seed=1,
        ).numpy()
        for temperature in (0.0, 0.8)
    )
    print("chances, greedy:", greedy[:, :3].round(2).tolist())
    print("chances, sampled:", sampled[:, :3].round(2).tolist())
    return {
        "two passes, greedy form": AdaptiveTokens(rows),
        "two passes, nucleus form": AdaptiveTokens(rows, (2, 2, 1)),
        "merged": PromptDecoding(rows=rows, greedy=greedy, sampled=sampled, costs=(1.0,) * NODES),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--held-out", type=Path, required=True)
    parser.add_argument("--folder", type=Path, default=Path("build/sdsat"))
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--prompts", type=int, default=6)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.folder.mkdir(parents=True, exist_ok=True)
    tokenizer = byte_tokenizer()
    content = options.text.read_text(encoding="utf-8", errors="ignore")[:3_000_000]
    held_out = options.held_out.read_text(encoding="utf-8", errors="ignore")
    text = torch.tensor(tokenizer.encode(content).ids)
    image = Image.open(train(text, options.folder, options.steps))
    held_ids = torch.tensor(tokenizer.encode(held_out[:20_000]).ids)
    table = Table("form", "temperature", "tokens a verify", "accepted by depth", "text")
    prompts = [held_out[i * 900 : i * 900 + 80] for i in range(options.prompts)]
    own = TextTokenizer.of_image(image)
    for temperature in (0.0, 0.8):
        config = GenerationConfig(
            sampling=SamplingConfig(temperature=temperature, seed=1), max_tokens=120
        )
        plain, _ = generate(image, own, prompts, config, None)
        for name, drafter in drafters(image, held_ids).items():
            found, speculators = generate(image, own, prompts, config, drafter)
            emitted = sum(each.emitted for each in speculators)
            rounds = sum(each.rounds for each in speculators)
            depths = range(TOKENS)
            drafts = sum(each.drafts for each in speculators)
            accepted = [
                sum(each.accepted[d] for each in speculators if d < len(each.accepted)) / drafts
                for d in depths
            ]
            table.add_row(
                name,
                f"{temperature:g}",
                f"{emitted / rounds:.2f}",
                " ".join(f"{share:.2f}" for share in accepted),
                "equal" if found == plain else "differs",
            )
    Console(width=110).print(table)


def generate(image, tokenizer, prompts, config, drafter):
    """Texts and statistics of all prompts."""
    texts, statistics = [], []
    started = time.monotonic()
    for prompt in prompts:
        speculator = Speculator((drafter,), controller=FixedSize(NODES - 1)) if drafter else None
        generator = Generator(EmulatorDevice(image, nodes=NODES), tokenizer, speculator)
        texts.append([piece.token for piece in generator.generate(prompt, config)])
        statistics.append(generator.statistics.speculation)
    print(f"{time.monotonic() - started:.1f} s", flush=True)
    return texts, statistics


if __name__ == "__main__":
    main()
