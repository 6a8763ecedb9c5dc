"""`massivetext pack`: token sequences from a mixture, as files."""

from __future__ import annotations

import click

from massivetext.cli._output import echo, echo_json

__all__ = ["pack"]


@click.command()
@click.argument("directory", metavar="DIR")
@click.option("--tokenizer", metavar="FILE", required=True, help="a SentencePiece model or a tokenizers JSON file")
@click.option("--output", metavar="DIR2", required=True, help="a folder; the same command again goes on")
@click.option("--length", type=click.IntRange(1), default=2048, show_default=True, help="tokens of a sequence")
@click.option("--tokens", type=click.IntRange(1), help="tokens in all [default: as many as the mixture has]")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--mixture", metavar="NAME", help="the mixture, where DIR has several")
@click.option("--weight", "weights", metavar="SUBSET=SHARE", multiple=True, help="instead of the mixture's; repeatable")
@click.option(
    "--format",
    "formats",
    type=click.Choice(["parquet", "megatron"]),
    multiple=True,
    help="Parquet of lists, or .bin and .idx [default: both]; repeatable",
)
@click.option("--shard-bytes", type=click.IntRange(1), default=256 << 20, show_default=True, help="of tokens a shard")
@click.option("--max-epochs", type=float, default=4.0, show_default=True, help="of a subset's tokens")
@click.option("--bos", metavar="PIECE", help="the token for a document's start, where the tokenizer marks none")
@click.option("--eos", metavar="PIECE", help="the token for a document's end, where the tokenizer marks none")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="processes")
@click.option("--scratch", metavar="DIR3", help="local folder for tokens and texts in between [default: DIR2/work]")
@click.option("--quiet", is_flag=True, help="print nothing but errors")
@click.option("--json", "as_json", is_flag=True, help="what was written as JSON: the manifest without its files")
def pack(
    directory: str,
    tokenizer: str,
    output: str,
    length: int,
    tokens: int | None,
    seed: int,
    mixture: str | None,
    weights: tuple[str, ...],
    formats: tuple[str, ...],
    shard_bytes: int,
    max_epochs: float,
    bos: str | None,
    eos: str | None,
    workers: int,
    scratch: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Write token sequences from the mixture in DIR: crops of its documents, tokenized, ten to a group, cut to the
    length, drawn by the weights and shuffled.

    \b
    massivetext pack out --tokenizer spm.model --length 2048 --output sequences
    massivetext pack out --tokenizer spm.model --output sequences --weight books=0.6 --weight c4=0.4 --format parquet
    """
    from massivetext.errors import RecipeError
    from massivetext.packing.pack import pack as write

    shares: dict[str, float] | None = None
    for pair in weights:
        name, _, share = pair.partition("=")
        try:
            shares = {**(shares or {}), name: float(share)}
        except ValueError as error:
            raise RecipeError(f"--weight {pair}: expected SUBSET=SHARE, as in books=0.27") from error
    manifest = write(
        directory,
        tokenizer=tokenizer,
        output=output,
        length=length,
        tokens=tokens,
        seed=seed,
        weights=shares,
        mixture=mixture,
        formats=formats or ("parquet", "megatron"),
        shard_bytes=shard_bytes,
        max_epochs=max_epochs,
        workers=workers,
        scratch=scratch,
        bos=bos,
        eos=eos,
        say=(lambda line: None) if quiet or as_json else echo,
    )
    if as_json:
        files = manifest.pop("files")
        echo_json({**manifest, "n_files": len(files), "bytes": sum(file["bytes"] for file in files.values())})
