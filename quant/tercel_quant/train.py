"""Train a model from token files: ``python -m tercel_quant.train``, or under ``torchrun``."""

import argparse
import dataclasses
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer
from torch import distributed as dist

from tercel.cli.outputs import tell_replaced
from tercel.config import PRESETS, ModelConfig
from tercel.errors import TercelError
from tercel.files import check_folder
from tercel_quant.data import TokenFile
from tercel_quant.distill import Distillation
from tercel_quant.distributed import World
from tercel_quant.importers.granularity import GRANULARITIES
from tercel_quant.model import Transformer
from tercel_quant.number_loss import NumberLoss, number_values
from tercel_quant.objective import Objective
from tercel_quant.trainer import FILES, Trainer
from tercel_quant.training_config import TrainingConfig
from tercel_quant.training_state import RESULTS, load_weights, with_granularity

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status.

    ``torchrun --nproc-per-node N -m tercel_quant.train ...`` shards the model over N processes; the
    loss curve is the same up to rounding. The same command resumes an interrupted run.
    """
    options = _parser().parse_args(arguments)
    try:
        with World.join() as world:
            _train(options, world)
    except TercelError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped after a checkpoint; run again to resume", file=sys.stderr)
        return 130
    return 0


def _train(options: argparse.Namespace, world: World) -> None:
    _check_output(options, world)
    names = [field.name for field in dataclasses.fields(TrainingConfig)]
    config = TrainingConfig(**{name: getattr(options, name) for name in names})
    if options.start is None:
        shape = with_granularity(_model_config(options.model), options.granularity)
        model = Transformer(shape, precision=config.precision)
        model.initialise(config.seed)
    else:
        model = load_weights(
            options.start, precision=config.precision, granularity=options.granularity
        )
    distillation = numbers = None
    if options.teacher is not None:
        distillation = Distillation(
            teacher=load_weights(options.teacher, precision="float"),
            weight=options.distillation_weight,
            temperature=options.temperature,
        )
    if options.number_tokenizer is not None:
        values = number_values(Tokenizer.from_file(str(options.number_tokenizer)))
        numbers = NumberLoss(values)
    trainer = Trainer(
        model=model,
        config=config,
        data=TokenFile(options.tokens, vocab_size=model.config.vocab_size),
        folder=options.output,
        objective=Objective(
            distillation=distillation, numbers=numbers, number_weight=options.number_weight
        ),
        world=world,
    )
    trainer.run()


def _check_output(options: argparse.Namespace, world: World) -> None:
    """Check that the run can write to its folder, before anything is read."""
    given = (options.tokens, options.start, options.teacher, options.number_tokenizer)
    inputs = [path for path in given if path is not None]
    check_folder(options.output, FILES, inputs=[*inputs, Path(options.model)], regular=True)
    if world.leads:
        tell_replaced(options.output / name for name in RESULTS)


def _model_config(name: str) -> ModelConfig:
    """The config of a preset, or of a JSON file."""
    if name in PRESETS:
        return PRESETS[name]
    if not Path(name).is_file():
        raise TercelError(
            f"--model must be one of {', '.join(PRESETS)} or a JSON file, not {name!r}"
        )
    return ModelConfig.from_json(Path(name).read_text())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tercel train", description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("--tokens", type=Path, required=True, help="flat uint16 token file to train on")
    add("--output", type=Path, required=True, help="folder of checkpoint, log and weights")
    add("--model", default="small", help="preset, or JSON file of a model config")
    add(
        "--granularity",
        choices=GRANULARITIES,
        help="scales of the ternary matrices, in place of the model's: one, one a row, or one a "
        "group of 128 columns of a row",
    )
    add("--start", type=Path, help="weights to start from, instead of fresh ones")
    add("--teacher", type=Path, help="full-precision weights to distil from")
    add("--distillation-weight", type=float, default=Distillation.weight)
    add("--temperature", type=float, default=Distillation.temperature)
    add("--number-tokenizer", type=Path, help="tokenizer.json; adds the number-token loss")
    add("--number-weight", type=float, default=Objective.number_weight)
    for field in dataclasses.fields(TrainingConfig):
        option = f"--{field.name.replace('_', '-')}"
        if field.type is bool:
            add(option, action=argparse.BooleanOptionalAction, default=field.default)
        elif field.default is dataclasses.MISSING:
            add(option, type=int, required=True)
        else:
            kind = field.type if field.type in (float, str) else int
            add(option, type=kind, default=field.default)
    return parser


if __name__ == "__main__":
    status = main()
    if dist.is_available() and dist.is_torchelastic_launched():
        # The interpreter's teardown races with gloo's threads and may abort a finished process.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    raise SystemExit(status)
