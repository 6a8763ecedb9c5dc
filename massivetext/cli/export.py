"""`massivetext export`: a mixture in the formats that trainers read."""

from __future__ import annotations

import click

from massivetext.cli._output import echo, echo_json
from massivetext.terminal_text import counted, visible_name

__all__ = ["export"]


@click.command()
@click.argument("directory", metavar="DIR")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["jsonl", "mds", "webdataset", "megatron", "numpy", "nanogpt", "litdata"]),
    required=True,
    help="documents: jsonl, mds, webdataset; tokens: megatron, numpy (OLMo-core), nanogpt, litdata (litgpt)",
)
@click.option("--output", metavar="DIR2", required=True, help="a folder; the same command again goes on")
@click.option("--mixture", metavar="NAME", help="the mixture, where DIR has several")
@click.option("--tokenizer", metavar="FILE", help="for formats of tokens: a model, a tokenizer.json, or its folder")
@click.option("--eos", metavar="PIECE", help="the token behind each document, where the tokenizer does not say which")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="processes")
@click.option("--quiet", is_flag=True, help="print nothing but errors")
@click.option("--json", "as_json", is_flag=True, help="what was written as JSON: the manifest without its files")
def export(
    directory: str,
    format_: str,
    output: str,
    mixture: str | None,
    tokenizer: str | None,
    eos: str | None,
    workers: int,
    quiet: bool,
    as_json: bool,
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
        say=(lambda line: None) if quiet or as_json else echo,
    )
    files = manifest["files"]
    n_bytes = sum(one["bytes"] for one in files.values())
    if as_json:
        shown = {name: value for name, value in manifest.items() if name != "files"}
        echo_json({**shown, "n_files": len(files), "bytes": n_bytes, "output": output})
    elif not quiet:
        documents, n_files = counted(manifest["rows"], "document"), counted(len(files), "file")
        echo(f"{documents} in {n_files}, {n_bytes:,} bytes: {visible_name(output)}")
