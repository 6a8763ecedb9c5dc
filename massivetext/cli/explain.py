"""`massivetext explain DIR ID`: everything known of one document."""

from __future__ import annotations

import textwrap
from typing import Any

import click

from massivetext.cli._output import echo, echo_json
from massivetext.cli._trust import looks
from massivetext.terminal_text import visible_name, visible_values


@click.command()
@click.argument("folder", metavar="DIR")
@click.argument("document", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="the ledger's row as JSON")
@looks
def explain(folder: str, document: str, as_json: bool) -> None:
    """Why the document ID (or a beginning of its id that no other has, or its URL) was kept or removed: each signal
    beside its limit, the near-duplicate kept instead, the test item that it holds.

    \b
    massivetext explain out 3f0c
    massivetext explain out https://example.org/page
    """
    import re

    from massivetext.cli._recipes import run_recipe
    from massivetext.errors import OutputError
    from massivetext.ledger import find_rows

    # A piece is explained by the document that it was cut from.
    rows = find_rows(folder, re.sub(r"^([0-9a-f]+)#\d+$", r"\1", document))
    if not rows:
        raise OutputError(f"{folder}: the ledger has no document with id or URL {document!r}")
    if len(rows) > 1:
        shown = "\n".join(
            f"  {row['id']}  {row['outcome']:<12} {row['url'] or row['source']}" for row in visible_values(rows[:20])
        )
        raise OutputError(f"{document!r} is {len(rows)} documents; give one id of\n{shown}")
    row = rows[0]
    if as_json:
        echo_json(row)
        return
    row = visible_values(row, skip=_AS_IT_IS)
    recipe = run_recipe(folder)
    for name in ("id", "subset", "source", "offset", "url", "timestamp", "n_bytes", "n_tokens"):
        if row[name] is not None:
            echo(f"{name:<12} {visible_name(row[name])}")
    echo(f"\n{row['outcome']}" + (f": {row['reason']}" if row["reason"] else ""))
    if (row["reason"] or "").startswith("removed."):
        why = "it was named by id or address"
        if row["reason"] == "removed.copy":
            why = "deduplication had removed it in favour of a document that was named"
        echo(f"taken out by `massivetext remove`: {why}; nothing else is known of it any more")
        return
    others = [reason for reason in row["reasons"] if reason != row["reason"]]
    if others:
        echo(f"also broken: {', '.join(others)}")
    if row["outcome"] in ("skipped", "failed"):
        echo("there was no text to measure")
        return
    for stage in recipe.stage_names:
        if recipe.goes_through(row["subset"], stage):
            _stage(stage, row, recipe, folder)


_AS_IT_IS = ("safe_search_evidence",)
"""Columns of the ledger that are shown piece by piece."""


def _stage(stage: str, row: dict[str, Any], recipe: Any, folder: str) -> None:
    """What a stage measured of the document, beside its limits; `x` marks one that is broken."""
    if stage in ("extraction", "pii") or (stage == "deduplication" and not row["partner_id"]):
        return
    echo(f"\n{stage}")
    if recipe.signals(stage):
        for name in recipe.signals(stage):
            reason = f"{stage}.{name}"
            _signal(reason, name, row.get(name), row, recipe)
            if name in recipe.shares(row["subset"]):
                _share(name, row, folder)
            for line in recipe.evidence_in_words(row, reason, lambda: _text(row, folder)):
                echo(f"      {visible_name(line)}")
    elif stage == "licence":
        is_broken = "licence.licence" in row["reasons"]
        kept = recipe.limit_in_words(row["subset"], "licence.licence")
        echo(f"  {_mark(is_broken)} {visible_name(row['licence'] or 'none')}; kept: {kept}")
    elif stage == "language":
        is_broken = any(reason.startswith("language.") for reason in row["reasons"])
        kept = recipe.limit_in_words(row["subset"], "language.language", row["language"])
        guesses = ", ".join(f"{guess['language']} {guess['score']:g}" for guess in row["languages"] or [])
        text = f"  {_mark(is_broken)} {row['language']} {row['language_score']:g}; kept: {kept}"
        echo(textwrap.fill(text, 80, subsequent_indent="      ", drop_whitespace=True))
        echo(f"    likeliest: {guesses or 'none'}")
    elif stage == "safe_search":
        _signal("safe_search.safe_search_score", "safe_search_score", row["safe_search_score"], row, recipe)
        for line in _evidence(row["safe_search_evidence"]):
            echo(f"    {visible_name(line)}")
    elif stage == "deduplication":
        _duplicate(row, folder)
    elif stage == "contamination" and row["contamination_jaccard"] is None:
        echo("    compared with no test set")
    elif stage == "contamination":
        _tests(row, recipe)
    else:
        # A stage that this command has no words of its own for: its columns, and what it removed the document by.
        for column in recipe.stage(row["subset"], stage).columns({}):
            if row.get(column.name) is not None:
                echo(f"    {column.name} {visible_name(row[column.name])}")
        for reason in row["reasons"]:
            if reason.startswith(f"{stage}."):
                limit = recipe.limit_in_words(row["subset"], reason)
                value = visible_name(recipe.value_of(row, reason))
                echo(f"  {_mark(True)} {reason.partition('.')[2]} {value}; kept: {visible_name(limit)}")


def _share(name: str, row: dict[str, Any], folder: str) -> None:
    """The limit that the share of a subset has come to in this run, and the document's bucket."""
    from massivetext import storage
    from massivetext.sealed import read_sealed

    manifest = read_sealed(storage.join(folder, "ledger", "manifest.json"))
    limits = manifest.get("limits", {}).get(row["subset"], {}).get(name)
    if limits is None:
        return
    if limits["keep"] is not None:
        echo(f"      in {row['subset']} these have {limits['keep']:.6g} or more")
    bucket = row.get(f"{name}_bucket")
    if limits["buckets"] and bucket is not None:
        echo(f"      bucket {bucket} of 0 (worst) to {len(limits['buckets'])}")


def _text(row: dict[str, Any], folder: str) -> str | None:
    """The document's text, or None where the run did not keep it."""
    from massivetext.ledger import ledger_files
    from massivetext.report.samples import texts

    for path in ledger_files(folder):
        subset, _, part = path.removesuffix(".parquet").rpartition("/")
        if subset.endswith(f"/{row['subset']}"):
            kept_text = texts(folder, [{**row, "part": part}])
            if kept_text:
                return kept_text[row["id"]]
    return None


def _evidence(evidence: str | None) -> list[str]:
    """The parts of a safe-search score as lines."""
    import json

    try:
        parts = json.loads(evidence) if evidence else {}
    except ValueError:
        return [f"not readable: {evidence}"]
    lines = [
        f"classifier: {category} {probability:.1%}" for category, probability in parts.get("classifier", {}).items()
    ]
    if "term_hits" in parts:
        lines.append(f"listed terms: {parts['term_hits']}, weighted {parts['term_density']:.2%} of the words")
    if "blocked" in parts:
        lines.append(f"on a block list: {parts['blocked']}")
    return lines or ["no evidence"]


def _duplicate(row: dict[str, Any], folder: str) -> None:
    """The document kept instead, and on to what became of that one."""
    from massivetext.ledger import find_rows

    seen = {row["id"]}
    while row["partner_id"] and row["partner_id"] not in seen:
        jaccard = row["partner_jaccard"]
        likeness = "a newer capture of its page" if jaccard is None else f"J = {jaccard:.6f}"
        echo(f"  x kept instead: {row['partner_id']}, {likeness}")
        seen.add(row["partner_id"])
        partners = find_rows(folder, row["partner_id"])
        if not partners:
            echo("    that one is in an index of earlier documents")
            return
        row = visible_values(partners[0], skip=_AS_IT_IS)
        reason = f": {row['reason']}" if row["reason"] else ""
        echo(f"    that one: {row['outcome']}{reason}, {visible_name(row['url'] or row['source'])}")
        if row["outcome"] == "contaminated":
            item = f"item {row['test_item']} of {row['test_set']}" if row["test_set"] else row["test_title"]
            echo(f"    so no copy of the group is left: it contains {visible_name(item)}")
            echo(f"    massivetext explain {folder} {row['id']}")


def _tests(row: dict[str, Any], recipe: Any) -> None:
    """The likeness to test items; the containment that is judged leaves frequent shingles out where the recipe says."""
    limits = recipe.block(row["subset"], "contamination").further_limits
    names = ["jaccard", "containment", *(name.removeprefix("contamination_") for name in limits)]
    for name in names:
        _signal(f"contamination.{name}", name, recipe.value_of(row, f"contamination.{name}"), row, recipe)
    if row["contamination_containment_rare"] is not None:
        echo(f"    containment with frequent shingles {row['contamination_containment']:.4f}")
    if row["test_set"] is not None:
        where = f", at characters {row['test_span']}" if row["test_span"] else ""
        echo(f"    nearest: item {row['test_item']} of {visible_name(row['test_set'])}{where}")
    if row["test_title"] is not None:
        echo(f"  x the page is in {visible_name(row['test_title'])}")
    if row["pieces"] is not None:
        echo(f"    pieces left {row['pieces']}")


def _mark(is_broken: bool) -> str:
    return "x" if is_broken else " "


def _signal(reason: str, name: str, value: float | None, row: dict[str, Any], recipe: Any) -> None:
    limit = recipe.limit_in_words(row["subset"], reason, row["language"])
    shown = "null" if value is None else f"{value:.6g}"
    kept = "" if limit == "no limit" else f"keep {limit}"
    echo(f"  {_mark(reason in row['reasons'])} {name:<42} {shown:>12}   {kept}".rstrip())
