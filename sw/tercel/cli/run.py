"""``tercel run``: continue a text."""

import sys
from typing import Annotated

import typer

from tercel.cli.generation import (
    IgnoreEosOption,
    MaxTokensOption,
    SpecOption,
    SpecStatsOption,
    StatsOption,
    StopOption,
    SystemOption,
    TemplateOption,
    TwoStageOption,
    VerboseOption,
    open_generator,
    open_template,
    print_run,
)
from tercel.cli.group import INTERRUPTED
from tercel.cli.interrupt import on_interrupt
from tercel.cli.options import (
    ContextOption,
    DeviceOption,
    ModelArgument,
    NodesOption,
    SettingsOption,
)
from tercel.cli.output import (
    JsonOutput,
    TextOutput,
    print_prompt,
    print_speculation,
)
from tercel.cli.prompts import interactive_prompts, piped_prompt
from tercel.cli.sampling import (
    MinPOption,
    SeedOption,
    TemperatureOption,
    TopKOption,
    TopPOption,
    choose_sampling,
    print_sampling,
)
from tercel.cli.speculation import AcceptorOption, DraftMaxOption, DraftModelOption
from tercel.errors import TercelError
from tercel.image import Image
from tercel.runtime import (
    DEFAULT_DEVICE,
    DEFAULT_MODEL,
    Conversation,
    GenerationConfig,
    PromptError,
    TextTokenizer,
    find_model,
)
from tercel.speculation.methods import AUTO

__all__ = ["run"]


def run(
    model: ModelArgument = DEFAULT_MODEL,
    prompt: Annotated[
        str | None,
        typer.Option("--prompt", "-p", help="The text to continue; otherwise standard input."),
    ] = None,
    chat: Annotated[
        bool, typer.Option("--chat", help="Ask the prompt as a question, with the chat template.")
    ] = False,
    system: SystemOption = None,
    template: TemplateOption = None,
    max_tokens: MaxTokensOption = 256,
    temperature: TemperatureOption = None,
    top_k: TopKOption = None,
    top_p: TopPOption = None,
    min_p: MinPOption = None,
    seed: SeedOption = None,
    stop: StopOption = None,
    ignore_eos: IgnoreEosOption = False,
    two_stage: TwoStageOption = False,
    echo: Annotated[bool, typer.Option("--echo", help="Print the prompt before the text.")] = False,
    device: DeviceOption = DEFAULT_DEVICE,
    nodes: NodesOption = None,
    context: ContextOption = None,
    settings: SettingsOption = None,
    spec: SpecOption = AUTO,
    acceptor: AcceptorOption = "agreement",
    draft_max: DraftMaxOption = None,
    draft_model: DraftModelOption = None,
    spec_stats: SpecStatsOption = False,
    stats: StatsOption = False,
    verbose: VerboseOption = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="JSON lines: one per token, then a summary.")
    ] = False,
) -> None:
    """Continue a text, or with --chat answer a question.

    The prompt is that of --prompt, else standard input without its last newline, or, at a terminal,
    each line typed. Filters apply in the order temperature, top-k, top-p, min-p. Only the text goes
    to standard output. Ctrl-C ends the text.
    """
    if not chat and (system is not None or template is not None):
        raise TercelError("--system and --template belong to a chat; give --chat too")
    image = Image.open(find_model(model))
    sampling = choose_sampling(
        image, temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p, seed=seed
    )
    if verbose:
        print_sampling(image, sampling)
    config = GenerationConfig(
        sampling=sampling,
        max_tokens=max_tokens,
        stop=tuple(stop or ()),
        ignore_eos=ignore_eos,
        two_stage=two_stage,
    )
    tokenizer = TextTokenizer.of_image(image)
    form = open_template(image, tokenizer, template) if chat else None
    generator, judge = open_generator(
        image,
        tokenizer,
        device=device,
        nodes=nodes,
        context=context,
        settings=settings,
        spec=spec,
        acceptor=acceptor,
        draft_max=draft_max,
        draft_model=draft_model,
    )
    talk = None if form is None else Conversation(generator, tokenizer, form, system=system)
    interactive = prompt is None and sys.stdin.isatty()
    if interactive and as_json:
        raise TercelError("--json needs a prompt: give --prompt or pipe one in")
    for text in interactive_prompts() if interactive else _one_prompt(prompt):
        if not text:
            raise TercelError("the prompt is empty; give --prompt a text, or pipe one in")
        try:
            if talk is None:
                generator.reset()
                pieces = generator.generate(text, config)
            else:
                talk.reset()
                pieces = talk.ask(text, config)
        except PromptError as error:
            if not interactive:
                raise
            typer.echo(f"error: {error}", err=True)
            continue
        if verbose:
            print_prompt(text if talk is None else talk.prompt)
        output = JsonOutput() if as_json else TextOutput()
        if echo:
            output.text(text)
        with output, on_interrupt(generator.interrupt):
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
            print_run(generator, device=device, seed=sampling.seed)
        if spec_stats:
            print_speculation(generator.statistics.speculation, method=spec, acceptor=acceptor)
        if generator.finish_reason == "interrupted" and not interactive:
            raise typer.Exit(INTERRUPTED)


def _one_prompt(prompt: str | None) -> tuple[str]:
    return (piped_prompt() if prompt is None else prompt,)
