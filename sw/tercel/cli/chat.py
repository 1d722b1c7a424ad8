"""``tercel chat``: a conversation with a model."""

import sys
import threading

import typer

from tercel.cli.chat_commands import ChatCommands
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
from tercel.cli.interrupt import on_interrupt
from tercel.cli.options import (
    ContextOption,
    DeviceOption,
    ModelArgument,
    NodesOption,
    SettingsOption,
)
from tercel.cli.output import TextOutput, print_prompt, print_speculation
from tercel.cli.prompts import conversation_lines
from tercel.cli.sampling import (
    MinPOption,
    SeedOption,
    TemperatureOption,
    TopKOption,
    TopPOption,
    choose_sampling,
    print_sampling,
)
from tercel.cli.speculation import (
    AcceptorOption,
    DraftMaxOption,
    DraftModelOption,
    print_note,
)
from tercel.errors import TercelError
from tercel.image import Image
from tercel.runtime import (
    DEFAULT_DEVICE,
    DEFAULT_MODEL,
    Conversation,
    GenerationConfig,
    Generator,
    PromptError,
    TextTokenizer,
    find_model,
)
from tercel.speculation.methods import AUTO

__all__ = ["chat"]

NOTES = {
    "length": "the answer is cut at --max-tokens",
    "context": "the context is full; /reset begins a new conversation",
    "interrupted": "interrupted",
}
"""By finish reason, for those that leave an answer unfinished."""


def chat(
    model: ModelArgument = DEFAULT_MODEL,
    system: SystemOption = None,
    template: TemplateOption = None,
    max_tokens: MaxTokensOption = 1024,
    temperature: TemperatureOption = None,
    top_k: TopKOption = None,
    top_p: TopPOption = None,
    min_p: MinPOption = None,
    seed: SeedOption = None,
    stop: StopOption = None,
    ignore_eos: IgnoreEosOption = False,
    two_stage: TwoStageOption = False,
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
) -> None:
    """Talk with a model that has a chat template.

    Every line of standard input is a message, or a command such as /help; the end of the input
    leaves. Only answers go to standard output. Ctrl-C ends an answer.
    """
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
    form = open_template(image, tokenizer, template)
    generator, _ = open_generator(
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
    generator.check(config)
    conversation = Conversation(generator, tokenizer, form, system=system)
    commands = ChatCommands(conversation, image)
    interactive = sys.stdin.isatty()
    for line in conversation_lines(interactive=interactive):
        try:
            if line.startswith("/") and not line.startswith("//"):
                commands.run(line)
                if commands.left:
                    return
                continue
            question = line.removeprefix("/")
            _answer(conversation, generator, question, config, verbose=verbose)
        except TercelError as error:
            if isinstance(error, PromptError):
                error = TercelError(f"{error}; or begin a new conversation with /reset")
            if not interactive:
                raise error from None
            typer.echo(f"error: {error}", err=True)
            continue
        reason = generator.finish_reason
        if reason in NOTES:
            print_note(NOTES[reason])
        if stats:
            print_run(generator, device=device, seed=sampling.seed)
        if spec_stats:
            print_speculation(generator.statistics.speculation, method=spec, acceptor=acceptor)


def _answer(
    conversation: Conversation,
    generator: Generator,
    question: str,
    config: GenerationConfig,
    *,
    verbose: bool,
) -> None:
    """Print the answer to a question as it comes, until its end or Ctrl-C."""
    stopped = threading.Event()

    def interrupt() -> None:
        stopped.set()
        generator.interrupt()

    output = TextOutput()
    with output, on_interrupt(interrupt):
        pieces = conversation.ask(question, config)
        if stopped.is_set():  # while the prompt was made
            generator.interrupt()
        if verbose:
            print_prompt(conversation.prompt)
        for piece in pieces:
            output.piece(piece)
    output.end({})
