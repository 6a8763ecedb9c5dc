"""`massivetext tokenizer train`: a tokenizer from a mixture."""

from __future__ import annotations

import click

from massivetext.cli._groups import Group
from massivetext.cli._output import echo, echo_json

__all__ = ["tokenizer"]


@click.group(cls=Group)
def tokenizer() -> None:
    """Tokenizers for counting tokens and for sequences.

    \b
    massivetext tokenizer train out --output spm.model
    """


@tokenizer.command()
@click.argument("directory", metavar="DIR")
@click.option("--output", metavar="FILE", required=True, help="the SentencePiece model to write")
@click.option("--vocabulary", type=click.IntRange(1), default=32_000, show_default=True, help="pieces")
@click.option("--sample-bytes", type=click.IntRange(1), default=100_000_000, show_default=True, help="to learn from")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--mixture", metavar="NAME", help="the mixture, where DIR has several")
@click.option("--quiet", is_flag=True, help="say nothing but errors")
@click.option("--json", "as_json", is_flag=True, help="what was trained as JSON")
def train(
    directory: str,
    output: str,
    vocabulary: int,
    sample_bytes: int,
    seed: int,
    mixture: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Train a SentencePiece model (BPE, byte fallback) on a seeded sample of the mixture in DIR, with its weights.

    \b
    massivetext tokenizer train out --output spm.model --vocabulary 32000 --sample-bytes 1000000000
    """
    from massivetext.packing.training import train_tokenizer

    found = train_tokenizer(
        directory,
        output=output,
        vocabulary=vocabulary,
        sample_bytes=sample_bytes,
        seed=seed,
        mixture=mixture,
        say=(lambda line: None) if quiet or as_json else echo,
    )
    if as_json:
        echo_json(found)
    elif not quiet:
        echo(f"{found['pieces']:,} pieces in {output}")
