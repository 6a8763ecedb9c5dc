"""`massivetext classifier train`: a document score from labelled files, which a recipe's stage `scores` applies."""

from __future__ import annotations

import click

from massivetext.cli._groups import Group
from massivetext.cli._output import echo, echo_json
from massivetext.terminal_text import visible_name

__all__ = ["classifier"]


@click.group(cls=Group)
def classifier() -> None:
    """Document classifiers: quality, domain, anything that documents are labelled with.

    \b
    massivetext classifier train labelled.jsonl --output quality.json
    """


@classifier.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--output", metavar="MODEL", required=True, help="the model: .json (linear), .bin or .ftz (fastText)")
@click.option("--kind", type=click.Choice(["linear", "fasttext"]), help="[default: by the ending of --output]")
@click.option("--text", default="text", show_default=True, help="the field of the text")
@click.option("--label", default="label", show_default=True, help="the field of the label or number")
@click.option("--positive", metavar="LABEL", help="whose probability is the score  [default: the last of two]")
@click.option("--group", metavar="FIELD", help="no two folds share its values  [default: host of url, or source]")
@click.option("--against", metavar="DIR", help="FILEs are positive documents, a sample of the run in DIR others")
@click.option("--folds", type=click.IntRange(2, 50), default=5, show_default=True, help="parts held out in turn")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="of folds and of fastText")
@click.option("--l2", type=click.FloatRange(0, min_open=True), default=10.0, show_default=True, help="penalty")
@click.option("--without", multiple=True, metavar="SIGNAL", help="a signal that a linear model leaves out")
@click.option("--licence", default="", help="of the documents, for the card")
@click.option("--note", default="", help="a further paragraph of the card")
@click.option("--json", "as_json", is_flag=True, help="documents by label and held-out measures as JSON")
def train(
    files: tuple[str, ...],
    output: str,
    kind: str | None,
    text: str,
    label: str,
    positive: str | None,
    group: str | None,
    against: str | None,
    folds: int,
    seed: int,
    l2: float,
    without: tuple[str, ...],
    licence: str,
    note: str,
    as_json: bool,
) -> None:
    """Train a document score from FILEs: JSON lines or Parquet with a text and a label (a word, or a number) a row.

    A linear model is fitted to the signals of quality and repetition; a fastText model to the words. The model is
    judged in folds that share no host. MODEL.md beside it says what it learned from, how well it does, and what it
    weighs. Equal input gives equal bytes.

    \b
    massivetext classifier train labelled.jsonl --output quality.json --label good --licence MIT
    massivetext classifier train good.jsonl --against out --output good.ftz
    """
    from filters import examples as reading
    from filters.model_card import card
    from filters.score_training import train as train_score
    from massivetext import storage

    if against is None:
        documents = reading.labelled(files, text=text, label=label, group=group)
    else:
        documents = reading.labelled(files, text=text, group=group, is_label="positive")
        documents += reading.against_run(against, len(documents), seed=seed, label="other")
        positive = "positive"
    kind = kind or ("linear" if output.endswith(".json") else "fasttext")
    trained = train_score(
        documents, output, kind=kind, positive=positive, folds=folds, seed=seed, l2=l2, without=without
    )
    name = output.rpartition("/")[2]
    paths = reading.files_of(files)
    text_of_card = card(trained, name, paths, licence=licence, folds=folds, seed=seed, note=note)
    storage.write_bytes(f"{output}.md", text_of_card.encode())
    if as_json:
        echo_json({"model": output, "card": f"{output}.md", "documents": trained.counts, **trained.measures()})
        return
    for name, n in trained.counts.items() if trained.target == "label" else ():
        echo(f"{visible_name(name)}: {n:,} documents")
    for measure, value in trained.measures().items():
        echo(f"held out {measure.replace('_', ' ')}: {value:.3f}")
    echo(f"{output}, {output}.md")
