"""`massivetext export`: a mixture in the formats that trainers read."""

from __future__ import annotations

import click

from massivetext.cli._output import echo
from massivetext.terminal_text import visible_name

__all__ = ["export"]


@click.command()
@click.argument("directory", metavar="DIR")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["jsonl", "mds", "webdataset", "megatron", "numpy", "nanogpt"]),
    required=True,
    help="documents: jsonl, mds, webdataset; tokens: megatron, numpy (OLMo-core), nanogpt",
)
@click.option("--output", metavar="DIR2", required=True, help="a folder; the same command again goes on")
@click.option("--mixture", metavar="NAME", help="the mixture, where DIR has several")
@click.option("--tokenizer", metavar="FILE", help="for formats of tokens: a model, a tokenizer.json, or its folder")
@click.option("--eos", metavar="PIECE", help="the token behind each document, where the tokenizer does not say which")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="processes")
@click.option("--quiet", is_flag=True, help="print nothing but errors")
def export(
    directory: str,
    format_: str,
    output: str,
    mixture: str | None,
    tokenizer: str | None,
    eos: str | None,
    workers: int,
    quiet: bool,
) -> None:
    """Write the mixture in DIR in a format of another trainer: a shard of ours is a shard there, in the same order.

    \b
    massivetext export out --format mds --output mds
    massivetext export out --format megatron --tokenizer tokenizer.json --output tokens --workers 4
    """
    from massivetext.export import export as write

    manifest = write(
        directory,
        format=format_,
        output=output,
        mixture=mixture,
        tokenizer=tokenizer,
        eos=eos,
        workers=workers,
        say=(lambda line: None) if quiet else echo,
    )
    if not quiet:
        n_bytes = sum(one["bytes"] for one in manifest["files"].values())
        n_files = len(manifest["files"])
        echo(f"{manifest['rows']:,} documents in {n_files:,} files, {n_bytes:,} bytes: {visible_name(output)}")
