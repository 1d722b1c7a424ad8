"""The recipe of the model that ships with tercel: trunk, ternary branch, full-precision twin."""

import argparse
import contextlib
import dataclasses
import json
import multiprocessing
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from tercel.config import PRESETS, ModelConfig
from tercel.errors import TercelError
from tercel.files import check_folder, write_whole
from tercel_quant.data import TokenFile
from tercel_quant.model import Transformer
from tercel_quant.perplexity import measure_perplexity
from tercel_quant.trainer import Trainer
from tercel_quant.training_config import TrainingConfig
from tercel_quant.training_state import load_weights, save_weights

__all__ = ["Recipe"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A full-precision trunk at a constant rate, then two branches of equal tokens and rates.

    Both branches start from the trunk's weights and optimiser state and get the same batches at
    the same learning rates, which decay to 0; only the precision differs. The twin's loss thus
    shows the cost of ternary weights at an equal number of tokens.

    The defaults are those of the shipped model; more steps give a better one.

    The outputs are ``ternary.safetensors``, ``float.safetensors``, ``config.json`` and
    ``result.json``; each run has its own folder for checkpoint and loss log.
    """

    corpus: Path
    """Folder with ``train.u16``, ``val.u16`` and ``val.txt``."""
    output: Path
    model: ModelConfig = PRESETS["small"]
    trunk_steps: int = 174
    steps: int = 1531
    """Updates of a branch, including those of the trunk."""
    decay: int = 556
    long_length: int = 1024
    """Tokens in a window during the last ``long_steps`` updates."""
    long_steps: int = 183
    warmup: int = 100
    batch_size: int = 32
    length: int = 256
    matrix_learning_rate: float = 6e-3
    learning_rate: float = 4e-3
    compile: bool = True
    """Compile the model, which halves the time on a CPU; needs a C++ compiler."""

    def training(self, precision: str, *, trunk: bool) -> TrainingConfig:
        """The config of one of the three runs."""
        config = TrainingConfig(
            steps=self.trunk_steps,
            precision=precision,
            warmup=self.warmup,
            batch_size=self.batch_size,
            length=self.length,
            matrix_learning_rate=self.matrix_learning_rate,
            learning_rate=self.learning_rate,
            compile=self.compile,
        )
        if trunk:
            return config
        return dataclasses.replace(
            config,
            steps=self.steps,
            decay=self.decay,
            long_length=self.long_length,
            long_steps=self.long_steps,
        )

    def train(self, precision: str, *, trunk: bool, threads: int, progress: bool = True) -> None:
        """Start or continue one of the three runs."""
        torch.set_num_threads(threads)
        data = TokenFile(self.corpus / "train.u16", vocab_size=self.model.vocab_size)
        model = Transformer(self.model, precision=precision)
        model.initialise(seed=0)
        trainer = Trainer(
            model=model,
            config=self.training(precision, trunk=trunk),
            data=data,
            folder=self.output / ("trunk" if trunk else precision),
            progress=progress,
        )
        if not trunk:
            trainer.branch_from(self.output / "trunk" / "checkpoint.pt")
        trainer.run()

    def run(self, threads: int | None = None) -> None:
        """Train the trunk, then both branches in parallel, then evaluate; resumes an earlier run.

        Parameters
        ----------
        threads : int or None
            CPU threads to use; ``None`` uses all.

        Raises
        ------
        TercelError
            If a run refuses its input or its loss is not finite.
        KeyboardInterrupt
            On SIGINT or SIGTERM, after writing checkpoints.
        """
        threads = threads or os.cpu_count() or 1
        self.train("float", trunk=True, threads=threads)
        # Two runs on half the threads each are faster than one after the other on all.
        share = max(1, threads // 2)
        context = multiprocessing.get_context("spawn")
        twin = context.Process(target=_train_twin, args=(self, share))
        twin.start()
        try:
            self.train("ternary", trunk=False, threads=share)
        except KeyboardInterrupt:
            twin.terminate()
            raise
        finally:
            twin.join()
        if twin.exitcode:
            raise TercelError(
                f"the full-precision twin ended with status {twin.exitcode}; run again to resume"
            )
        self.evaluate()

    def evaluate(self) -> dict[str, dict[str, float]]:
        """Measure both models on the validation tokens and write the recipe's outputs.

        Returns
        -------
        dict
            Content of ``result.json``, for ``ternary`` and ``float``: validation ``tokens``,
            ``loss`` in nats and ``perplexity`` per token, ``bits_per_byte``, ``training_tokens``.
            Windows are as long as the context; arithmetic is float32.
        """
        data = TokenFile(self.corpus / "val.u16", vocab_size=self.model.vocab_size)
        bytes_per_token = (self.corpus / "val.txt").stat().st_size / len(data)
        windows = data.sequential(length=self.model.context)
        result = {}
        for precision in ("ternary", "float"):
            model = load_weights(
                self.output / precision / "weights.safetensors", precision=precision
            )
            found = measure_perplexity(model, windows)
            result[precision] = {
                "tokens": found.tokens,
                "loss": found.loss,
                "perplexity": found.perplexity,
                "bits_per_byte": found.bits_per_byte(bytes_per_token),
                "training_tokens": self.steps * self.batch_size * self.length,
            }
            path = self.output / f"{precision}.safetensors"
            save_weights(path, self.model, model.state_dict(), precision=precision)
        write_whole(self.output / "result.json", (json.dumps(result, indent=1) + "\n").encode())
        return result


def _train_twin(recipe: Recipe, threads: int) -> None:
    """Body of the second process; on an interruption the trainer has written its checkpoint."""
    with contextlib.suppress(KeyboardInterrupt):
        recipe.train("float", trunk=False, threads=threads, progress=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tercel_quant.recipe", description=__doc__)
    add = parser.add_argument
    add("--corpus", type=Path, default=Path("build/corpus"))
    add("--output", type=Path, default=Path("build/small"))
    add("--model", choices=sorted(PRESETS), default="small")
    add("--compile", action=argparse.BooleanOptionalAction, default=Recipe.compile)
    sizes = ("trunk_steps", "steps", "warmup", "decay", "long_steps")
    for name in (*sizes, "batch_size", "length", "long_length"):
        add(f"--{name.replace('_', '-')}", type=int, default=getattr(Recipe, name))
    add("--stage", choices=("all", "trunk", "ternary", "float", "evaluate"), default="all")
    add("--threads", type=int, default=os.cpu_count() or 1)
    options = vars(parser.parse_args(arguments))
    stage, threads = options.pop("stage"), options.pop("threads")
    recipe = Recipe(**{**options, "model": PRESETS[options["model"]]})
    try:
        check_folder(recipe.output)
        if stage == "all":
            recipe.run(threads)
        elif stage == "evaluate":
            recipe.evaluate()
        elif stage == "trunk":
            recipe.train("float", trunk=True, threads=threads)
        else:
            recipe.train(stage, trunk=False, threads=threads)
    except TercelError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped after a checkpoint; run again to resume", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
