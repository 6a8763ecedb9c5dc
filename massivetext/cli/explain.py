"""`massivetext explain DIR ID`: everything known of one document."""

from __future__ import annotations

import click


@click.command()
@click.argument("folder", metavar="DIR")
@click.argument("document", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="the ledger's row as JSON")
def explain(folder: str, document: str, as_json: bool) -> None:
    """Why the document ID (or a beginning of its id that no other has, or its URL) was kept or removed: each signal
    beside its limit, the near-duplicate kept instead, the test item that it holds.

    \b
    massivetext explain out 3f0c
    massivetext explain out https://example.org/page
    """
    import json
    import re
    from dataclasses import fields

    import yaml

    from massivetext import storage
    from massivetext.errors import OutputError
    from massivetext.ledger import find_rows
    from pipelines.recipe import RULE_FAMILIES, Recipe

    # A piece is explained by the document that it was cut from.
    rows = find_rows(folder, re.sub(r"^([0-9a-f]+)#\d+$", r"\1", document))
    if not rows:
        raise OutputError(f"{folder}: the ledger has no document with id or URL {document!r}")
    if len(rows) > 1:
        shown = "\n".join(f"  {row['id']}  {row['outcome']:<12} {row['url'] or row['source']}" for row in rows[:20])
        raise OutputError(f"{document!r} is {len(rows)} documents; give one id of\n{shown}")
    row = rows[0]
    if as_json:
        click.echo(json.dumps(row, ensure_ascii=False))
        return
    recipe = Recipe.model_validate(yaml.safe_load(storage.read_bytes(storage.join(folder, "recipe.yaml")))["recipe"])
    subset = row["subset"]
    for name in ("id", "subset", "source", "offset", "url", "timestamp", "n_bytes", "n_tokens"):
        if row[name] is not None:
            click.echo(f"{name:<12} {row[name]}")
    click.echo(f"\n{row['outcome']}" + (f": {row['reason']}" if row["reason"] else ""))
    if (row["reason"] or "").startswith("removed."):
        said = "it was named by id or address"
        if row["reason"] == "removed.copy":
            said = "deduplication had removed it in favour of a document that was named"
        click.echo(f"taken out by `massivetext remove`: {said}; nothing else is known of it any more")
        return
    others = [reason for reason in row["reasons"] if reason != row["reason"]]
    if others:
        click.echo(f"also broken: {', '.join(others)}")
    for stage in recipe.subsets[subset].stages:
        if stage in RULE_FAMILIES:
            click.echo(f"\n{stage}")
            limits = recipe.limits(subset, stage)
            for name in (field.name for field in fields(RULE_FAMILIES[stage])):
                _signal(name, row[name], limits.get(name), f"{stage}.{name}" in row["reasons"])
        elif stage == "language":
            kept = recipe.block(subset, "language").keep
            click.echo(f"\nlanguage\n  {row['language']} {row['language_score']}, kept: {kept}")
        elif stage == "safe_search":
            limit = recipe.block(subset, "safe_search").safe_search_score
            click.echo("\nsafe_search")
            broken = "safe_search.safe_search_score" in row["reasons"]
            _signal("safe_search_score", row["safe_search_score"], limit, broken)
            click.echo(f"  evidence {row['safe_search_evidence'] or 'none'}")
        elif stage == "licence":
            click.echo(f"\nlicence\n  {row['licence'] or 'none'}, kept: {', '.join(recipe.block(subset, 'licence'))}")
        elif stage == "deduplication" and row["partner_id"]:
            jaccard = row["partner_jaccard"]
            said = "a newer capture of its page" if jaccard is None else f"J = {jaccard:.6f}"
            click.echo(f"\ndeduplication\n  kept instead: {row['partner_id']}, {said}")
            for partner in find_rows(folder, row["partner_id"]):
                said = f": {partner['reason']}" if partner["reason"] else ""
                click.echo(f"  that one: {partner['outcome']}{said}, {partner['url'] or partner['source']}")
        elif stage == "contamination" and row["contamination_jaccard"] is not None:
            click.echo(f"\ncontamination\n  J {row['contamination_jaccard']:.4f}")
            click.echo(f"  containment {row['contamination_containment']:.4f}")
            if row["test_set"] is not None:
                click.echo(f"  item {row['test_item']} of {row['test_set']}, at characters {row['test_span']}")
            if row["test_title"] is not None:
                click.echo(f"  the page is in {row['test_title']}")
            if row["contamination_containment_rare"] is not None:
                click.echo(f"  containment without frequent shingles {row['contamination_containment_rare']:.4f}")
            if row["pieces"] is not None:
                click.echo(f"  pieces left {row['pieces']}")


def _signal(name: str, value: float | None, limit: object, broken: bool) -> None:
    low, high = getattr(limit, "min", None), getattr(limit, "max", None)
    bounds = " ".join(f"{word} {bound:g}" for word, bound in (("min", low), ("max", high)) if bound is not None)
    shown = "null" if value is None else f"{value:.6g}"
    click.echo(f"  {'x' if broken else ' '} {name:<42} {shown:>12}   {bounds}")
