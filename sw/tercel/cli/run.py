"""``tercel run``: continue a text."""

import sys
from typing import Annotated

import typer

from tercel.cli.group import INTERRUPTED
from tercel.cli.interrupt import on_interrupt
from tercel.cli.options import (
    ContextOption,
    DeviceOption,
    ModelArgument,
    NodesOption,
    SettingsOption,
    open_with_settings,
)
from tercel.cli.output import JsonOutput, TextOutput, print_speculation, print_statistics
from tercel.cli.prompts import interactive_prompts, piped_prompt
from tercel.cli.sampling import (
    MinPOption,
    SeedOption,
    TemperatureOption,
    TopKOption,
    TopPOption,
    choose_sampling,
)
from tercel.cli.speculation import (
    AcceptorOption,
    DraftMaxOption,
    DraftModelOption,
    draft_sources,
    method_names,
    open_acceptor,
    print_note,
)
from tercel.errors import TercelError
from tercel.image import Image
from tercel.runtime import (
    DEFAULT_DEVICE,
    DEFAULT_MODEL,
    GenerationConfig,
    Generator,
    PromptError,
    TextTokenizer,
    find_model,
)
from tercel.speculation.methods import AUTO, open_speculator

__all__ = ["run"]


def run(
    model: ModelArgument = DEFAULT_MODEL,
    prompt: Annotated[
        str | None,
        typer.Option("--prompt", "-p", help="The text to continue; otherwise standard input."),
    ] = None,
    max_tokens: Annotated[
        int, typer.Option("--max-tokens", "-n", help="Most tokens to generate.")
    ] = 256,
    temperature: TemperatureOption = None,
    top_k: TopKOption = None,
    top_p: TopPOption = None,
    min_p: MinPOption = None,
    seed: SeedOption = None,
    stop: Annotated[
        list[str] | None,
        typer.Option(
            help="End before this string, or at this special token; may be given several times.",
            metavar="TEXT",
        ),
    ] = None,
    ignore_eos: Annotated[
        bool, typer.Option("--ignore-eos", help="Go on after the model's end tokens.")
    ] = False,
    echo: Annotated[bool, typer.Option("--echo", help="Print the prompt before the text.")] = False,
    device: DeviceOption = DEFAULT_DEVICE,
    nodes: NodesOption = None,
    context: ContextOption = None,
    settings: SettingsOption = None,
    spec: Annotated[
        str,
        typer.Option(
            help="Method that drafts tokens: auto, none or one of `tercel bench --spec all`. "
            "auto drafts where it saves time.",
            autocompletion=method_names,
            metavar="NAME",
        ),
    ] = AUTO,
    acceptor: AcceptorOption = "agreement",
    draft_max: DraftMaxOption = None,
    draft_model: DraftModelOption = None,
    spec_stats: Annotated[
        bool,
        typer.Option("--spec-stats", help="Print what was drafted and accepted to standard error."),
    ] = False,
    stats: Annotated[
        bool, typer.Option("--stats", help="Print speed and memory traffic to standard error.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="JSON lines: one per token, then a summary.")
    ] = False,
) -> None:
    """Continue a text.

    The prompt is that of --prompt, else standard input without its last newline, or, at a terminal,
    each line typed. Filters apply in the order temperature, top-k, top-p, min-p. Only the text goes
    to standard output. Ctrl-C ends the text.
    """
    image = Image.open(find_model(model))
    sampling = choose_sampling(
        image, temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p, seed=seed
    )
    config = GenerationConfig(
        sampling=sampling, max_tokens=max_tokens, stop=tuple(stop or ()), ignore_eos=ignore_eos
    )
    tokenizer = TextTokenizer.of_image(image)
    opened = open_with_settings(device, image, nodes=nodes, context=context, settings=settings)
    sources = draft_sources(image, opened, draft_model, [spec])
    judge = open_acceptor(acceptor, image, tokenizer)
    speculator = open_speculator(
        spec, sources, acceptor=judge, draft_nodes=draft_max, note=print_note
    )
    generator = Generator(opened, tokenizer, speculator)
    interactive = prompt is None and sys.stdin.isatty()
    if interactive and as_json:
        raise TercelError("--json needs a prompt: give --prompt or pipe one in")
    for text in interactive_prompts() if interactive else _one_prompt(prompt):
        if not text:
            raise TercelError("the prompt is empty; give --prompt a text, or pipe one in")
        generator.reset()
        try:
            pieces = generator.generate(text, config)
        except PromptError as error:
            if not interactive:
                raise
            typer.echo(f"error: {error}", err=True)
            continue
        output = JsonOutput() if as_json else TextOutput()
        if echo:
            output.text(text)
        with on_interrupt(generator.interrupt):
            for piece in pieces:
                output.piece(piece)
        output.end(
            {
                "model": image.config.name,
                "device": device,
                "seed": sampling.seed,
                "speculation": {"method": spec, "acceptor": acceptor, "lossless": judge.lossless},
                "finish_reason": generator.finish_reason,
                "statistics": generator.statistics.to_dict(),
            }
        )
        if stats:
            end = f"{generator.finish_reason}, seed {sampling.seed}"
            evidence = f"{device}, measured on this machine"
            print_statistics(generator.statistics, end=end, evidence=evidence)
        if spec_stats:
            print_speculation(generator.statistics.speculation, method=spec, acceptor=acceptor)
        if generator.finish_reason == "interrupted" and not interactive:
            raise typer.Exit(INTERRUPTED)


def _one_prompt(prompt: str | None) -> tuple[str]:
    return (piped_prompt() if prompt is None else prompt,)
