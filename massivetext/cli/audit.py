"""`massivetext audit`: which items of a test set stand in a finished mixture."""

from __future__ import annotations

import click

from massivetext.cli._output import echo, echo_json
from massivetext.terminal_text import one_line, visible_name

__all__ = ["audit"]


@click.command()
@click.argument("directory", metavar="DIR")
@click.option("--testset", "paths", metavar="FILE", required=True, multiple=True, help="a test set's file; repeatable")
@click.option("--preset", help="the layout of the files: mmlu, gsm8k, hellaswag, lambada, wikitext [default: guessed]")
@click.option("--text", "template", metavar="TEMPLATE", help="the item of a JSON record, as in '{question} {answer}'")
@click.option("--unit", type=click.Choice(["record", "line", "file"]), help="what an item of a text file is")
@click.option("--mixture", metavar="NAME", help="the mixture, where DIR has several")
@click.option(
    "--threshold", type=click.FloatRange(0, 1, min_open=True), default=0.8, show_default=True, help="containment"
)
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="processes")
@click.option("--clean", metavar="FILE", help="write the items that do not stand in the mixture, as they were")
@click.option("--report", "report_path", metavar="FILE", help="write the report as JSON")
@click.option("--json", "as_json", is_flag=True, help="print the report as JSON")
def audit(
    directory: str,
    paths: tuple[str, ...],
    preset: str | None,
    template: str | None,
    unit: str | None,
    mixture: str | None,
    threshold: float,
    workers: int,
    clean: str | None,
    report_path: str | None,
    as_json: bool,
) -> None:
    """Which items of a test set stand in the mixture in DIR: an item is found in a document that holds at least the
    threshold of its 13-word shingles, or, if it has 8 to 12 words, all of them in a row.

    \b
    massivetext audit out --testset lambada_test.jsonl --preset lambada
    massivetext audit out --testset items.jsonl --text '{question} {answer}' --clean clean.jsonl --report audit.json
    """
    import json

    from massivetext import storage
    from massivetext.contamination import TestSet, TestSets
    from massivetext.contamination.audit import audit_shards, clean_items, shards_of

    if preset or template or unit:
        testsets = [TestSet(TestSet.name_of(path), path, template, unit, preset) for path in paths]
    else:
        testsets = [TestSet.guess(file) for path in paths for file in storage.find(path) or [path]]
    if clean is not None and len(testsets) != 1:
        raise click.UsageError(f"--clean is for one test set, there are {len(testsets)}")
    shards = shards_of(directory, mixture)
    findings, n_documents = audit_shards(TestSets.read(testsets), shards, threshold=threshold, workers=workers)
    report = {"mixture": directory, "documents": n_documents, "threshold": threshold, "test_sets": findings.report()}
    if clean is not None:
        report["clean"] = {"path": clean, "items": clean_items(testsets[0], findings, clean)}
    if report_path is not None:
        storage.write_bytes(report_path, json.dumps(report, ensure_ascii=False, indent=2).encode() + b"\n")
    if as_json:
        echo_json(report, indent=2)
        return
    for entry in findings.report():
        name = visible_name(entry["test_set"])
        echo(
            f"{name}: {entry['items_hit']} of {entry['items_searched']} items searched for stand in "
            f"{entry['documents']} of {n_documents} rows ({entry['share']:.2%})\n"
            f"  left out: {entry['items_too_short']} of under 8 words, {entry['items_unknown']} of unknown words"
        )
        for sample in entry["samples"]:
            quote = one_line(sample["text"], 90)
            echo(f"  item {sample['item']} in {sample['id']}, {sample['containment']:.2f}: {quote}")
    if clean is not None:
        echo(f"{report['clean']['items']} clean items in {clean}")  # type: ignore[index]
