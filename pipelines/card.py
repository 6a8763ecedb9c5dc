"""The data card of a mixture: what is in it, where it comes from, what was left out and why, and what is not known.

Markdown, in README.md beside the shards. Its bytes are a function of the recipe, the manifests and the ledger.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from massivetext import storage
from massivetext.dedup import plan as plan_bands
from massivetext.removed import read_removed
from pipelines.folder import Folder
from pipelines.recipe import RULE_FAMILIES, STAGES, Recipe

__all__ = ["card"]

_ORDER = ("skipped", "failed", "rejected", "duplicate", "contaminated", "kept")
_LANGUAGES = 20
"""Languages that are listed; the others are added up."""


def card(folder: Folder, name: str, manifest: Mapping[str, Any]) -> str:
    """The card of the mixture `name`. manifest: the mixture's, with the digests of its shards."""
    held = yaml.safe_load(storage.read_bytes(folder.path("recipe.yaml")))
    recipe = Recipe.model_validate(held["recipe"])
    plan = json.loads(storage.read_bytes(folder.path("mixture", name, "plan.json")))["plan"]
    read = json.loads(storage.read_bytes(folder.path("curated", "manifest.json")))
    outcomes = json.loads(storage.read_bytes(folder.path("ledger", "manifest.json")))["counts"]
    kept = _kept(folder, list(recipe.filled))
    files = manifest["files"]
    n_bytes = sum(summary["bytes"] for summary in files.values())
    removed = read_removed(folder.root)
    lines = [
        f"# Data card: mixture `{name}`",
        "",
        f"{manifest['counts']['rows']:,} rows in {len(files):,} shards of Parquet, {n_bytes:,} bytes; "
        f"{sum(manifest['counts']['tokens'].values()):,} tokens ({manifest['tokens_by']}).",
        f"Made by MassiveText {held['versions'].get('massivetext', '')} from a recipe of digest `{held['digest']}`, "
        f"seed {recipe.seed}; `recipe.yaml` in the run's folder holds it whole.",
        "",
        "## Contents",
        "",
        *_contents(plan, manifest),
        "",
        "## Sources",
        "",
        "Paths are without the place where the files lay: the part of a pattern before its first wildcard is left out.",
        "",
        *_sources(held["canonical"], read, recipe),
        "",
        "## Rules",
        "",
        *_rules(recipe),
        "",
        "## What was left out",
        "",
        "Records of the sources by what became of them. The reason is the first rule that failed, in order of stages.",
        "",
        *_funnel(outcomes),
        "",
        "## Languages",
        "",
        "Kept documents, by the language of the text as the model has it.",
        "",
        *_languages(kept),
        "",
        "## Licences",
        "",
        *_licences(kept, recipe),
        "",
        "## Known gaps",
        "",
        *(f"- {gap}" for gap in _gaps(recipe, plan, outcomes, len(removed.ids), len(removed.copies))),
        "",
        "## Versions",
        "",
        *_table(("package", "version"), sorted(held["versions"].items())),
        "",
        "## Files",
        "",
        *_table(
            ("file", "rows", "bytes", "BLAKE2b-256"),
            [(file, s["rows"], s["bytes"], f"`{s['blake2b']}`") for file, s in sorted(files.items())],
        ),
    ]
    return "\n".join(lines) + "\n"


def _kept(folder: Folder, subsets: Sequence[str]) -> list[dict[str, Any]]:
    """Kept documents and their tokens by subset, language and licence. Reads five columns of the ledger."""
    columns = ["outcome", "subset", "language", "licence", "n_tokens"]
    sums: list[pa.Table] = []
    for subset in subsets:
        for path in storage.list_files(folder.path("ledger", subset)):
            with storage.open_input(path) as stream:
                table = pq.read_table(stream, columns=columns, filters=[("outcome", "==", "kept")])
            found = table.group_by(["subset", "language", "licence"]).aggregate(
                [([], "count_all"), ("n_tokens", "sum")]
            )
            sums.append(found)
    if not sums:
        return []
    keys = ["subset", "language", "licence"]
    whole = pa.concat_tables(sums).group_by(keys).aggregate([("count_all", "sum"), ("n_tokens_sum", "sum")])
    return [
        {**{key: row[key] for key in keys}, "documents": row["count_all_sum"], "tokens": row["n_tokens_sum_sum"] or 0}
        for row in whole.to_pylist()
    ]


def _contents(plan: Mapping[str, Any], manifest: Mapping[str, Any]) -> list[str]:
    written = manifest["counts"]["tokens"]
    total = max(1, sum(written.values()))
    rows = []
    for share in plan["shares"]:
        epochs = share["wanted"] / share["available"]
        n = written.get(share["subset"], 0)
        rows.append(
            (
                f"`{share['subset']}`",
                f"{share['weight']:.4f}",
                share["documents"],
                share["available"],
                f"{epochs:.3f}",
                n,
                f"{n / total:.4f}",
            )
        )
    head = ("subset", "weight", "documents", "their tokens", "epochs", "tokens written", "share of tokens")
    return _table(head, rows)


def _sources(canonical: Mapping[str, Any], read: Mapping[str, Any], recipe: Recipe) -> list[str]:
    rows = []
    for subset in recipe.filled:
        n_parts = sum(file.startswith(f"{subset}/") for file in read["files"])
        n_records = read["counts"].get(subset, {}).get("records", 0)
        for number, source in enumerate(canonical["subsets"][subset]["sources"]):
            counts = (n_parts, n_records) if number == 0 else ("", "")
            rows.append((f"`{subset}`", source["format"], _code(source.get("name", "") + source["path"]), *counts))
    return _table(("subset", "format", "path", "parts", "records read"), rows)


def _rules(recipe: Recipe) -> list[str]:
    """Which stages each subset goes through, and each rule with its limits; a subset's own limits stand apart."""
    lines = _table(
        ("subset", "stages, in the order of verdicts"),
        [
            (f"`{name}`", ", ".join(stage for stage in STAGES if recipe.goes_through(name, stage)))
            for name in recipe.filled
        ],
    )
    found: dict[tuple[str, str], list[str]] = {}
    for name in recipe.filled:
        for stage in STAGES:
            if recipe.goes_through(name, stage):
                for rule, said in _limits(recipe, name, stage):
                    found.setdefault((rule, said), []).append(f"`{name}`")
    rows = [(f"`{rule}`", said, ", ".join(names)) for (rule, said), names in found.items()]
    if {"repetition"} & {stage for name in recipe.filled for stage in recipe.subsets[name].stages}:
        rows.append(("`count_duplicates`", recipe.count_duplicates, "all"))
    return [*lines, "", *_table(("rule", "kept if, or setting", "subsets"), rows)]


def _limits(recipe: Recipe, name: str, stage: str) -> Iterable[tuple[str, str]]:
    block: Any = recipe.block(name, stage) if stage != "rules" else None
    if stage in RULE_FAMILIES:
        for signal, limit in recipe.limits(name, stage).items():
            yield f"{stage}.{signal}", _range(limit.min, limit.max)
    elif stage == "language":
        yield "language.keep", ", ".join(f"{code} >= {share:g}" for code, share in sorted(block.keep.items()))
    elif stage == "safe_search" and block.safe_search_score is not None:
        limit = block.safe_search_score
        yield "safe_search.safe_search_score", _range(limit.min, limit.max)
    elif stage == "licence":
        yield "licence.licence", ", ".join(block)
    elif stage == "extraction":
        yield "extraction.engine", block.engine
    elif stage == "deduplication":
        yield (
            "deduplication",
            f"removed: equal text, or J > {block.threshold:g} of 13-grams; kept of these: {block.keep}",
        )
    elif stage == "contamination" and recipe.testsets:
        measures = ("jaccard", "containment") if block.contamination == "both" else (block.contamination,)
        said = [
            f"J <= {block.jaccard:g}" if one == "jaccard" else f"containment < {block.containment:g}"
            for one in measures
        ]
        names = ", ".join(_code(testset.name) for testset in recipe.testsets)
        yield "contamination", f"{' and '.join(said)} with every item of {names}; else removed: {block.remove}"
    elif stage == "pii":
        told = [what for what, on in (("e-mail addresses", block.emails), ("IPv4 addresses", block.ip_addresses)) if on]
        yield "pii", f"replaced: {', '.join(told) or 'nothing'}"
    elif stage == "rules":
        for rule, own in recipe.rules.items():
            yield f"rules.{rule}", f"{_range(own.min, own.max)} by {_code(own.function)}"


def _range(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f"{low:g} to {high:,g}"
    return f">= {low:g}" if low is not None else f"<= {high:g}" if high is not None else "anything"


def _funnel(outcomes: Mapping[str, Mapping[str, Sequence[int]]]) -> list[str]:
    rows: list[Sequence[Any]] = []
    for subset, found in sorted(outcomes.items()):
        total = [sum(sums[k] for sums in found.values()) for k in range(3)]
        rows.append((f"`{subset}`", "records", "", *total))
        for key in sorted(found, key=lambda key: (_ORDER.index(key.split(" ")[0]), -found[key][0], key)):
            outcome, _, reason = key.partition(" ")
            rows.append((f"`{subset}`", outcome, f"`{reason}`" if reason else "", *found[key]))
    return _table(("subset", "outcome", "reason", "documents", "bytes", "tokens"), rows)


def _languages(kept: Sequence[Mapping[str, Any]]) -> list[str]:
    sums: dict[str, list[int]] = {}
    for row in kept:
        held = sums.setdefault(row["language"] or "not measured", [0, 0])
        held[0] += row["documents"]
        held[1] += row["tokens"]
    rows: list[Sequence[Any]] = [
        (name, *held) for name, held in sorted(sums.items(), key=lambda item: (-item[1][0], item[0]))
    ]
    rest = rows[_LANGUAGES:]
    if rest:
        rows = [*rows[:_LANGUAGES], (f"{len(rest)} others", sum(r[1] for r in rest), sum(r[2] for r in rest))]
    return _table(("language", "documents", "tokens"), rows)


def _licences(kept: Sequence[Mapping[str, Any]], recipe: Recipe) -> list[str]:
    judged = [name for name in recipe.filled if recipe.goes_through(name, "licence")]
    if not judged:
        return [
            "No subset of this mixture is judged by licence; the rights in its texts are not known to this program."
        ]
    sums: dict[tuple[str, str], list[int]] = {}
    for row in kept:
        if row["subset"] in judged:
            held = sums.setdefault((row["subset"], row["licence"] or "none"), [0, 0])
            held[0] += row["documents"]
            held[1] += row["tokens"]
    rows = [(f"`{subset}`", licence, *held) for (subset, licence), held in sorted(sums.items())]
    return _table(("subset", "licence", "kept documents", "tokens"), rows)


def _gaps(
    recipe: Recipe, plan: Mapping[str, Any], outcomes: Mapping[str, Any], n_removed: int, n_copies: int
) -> Iterable[str]:
    """What a reader of the data has to know and the tables do not say."""
    empty = [name for name, weight in sorted(recipe.mixture.weights.items()) if weight and name not in recipe.filled]
    if empty:
        said = ", ".join(f"`{name}`" for name in empty)
        yield f"The recipe gives weight to {said}, which have no sources; the other weights were scaled to sum to 1."
    if recipe.tokenizer is None:
        yield "Tokens are estimated as a quarter of the bytes; the recipe names no tokenizer."
    for stage, said in (
        ("deduplication", "Duplicates were not looked for in"),
        ("contamination", "Test sets were not looked for in"),
        ("language", "The language was not judged in"),
        ("safe_search", "Unsafe pages were not looked for in"),
    ):
        without = [f"`{name}`" for name in recipe.filled if not recipe.goes_through(name, stage)]
        if without:
            yield f"{said} {', '.join(without)}."
    if not recipe.testsets:
        yield "The recipe names no test set: nothing is known of the overlap with benchmarks."
    deduplicated = [name for name in recipe.filled if recipe.goes_through(name, "deduplication")]
    if deduplicated:
        block = recipe.block(deduplicated[0], "deduplication")
        chance = plan_bands(block.threshold, block.recall).recall(block.threshold)
        yield (
            f"Near-duplicates are found with probability {chance:.4f} at J = {block.threshold:g}, more above it, "
            "within "
            + (f"{' and '.join(block.across)} together" if recipe.deduplication.across else "each subset")
            + "; pairs below that J stay."
        )
    repeated = [share for share in plan["shares"] if share["wanted"] > share["available"] * (1 + 1e-9)]
    if repeated:
        said = ", ".join(f"`{share['subset']}` {share['wanted'] / share['available']:.2f} times" for share in repeated)
        yield f"Documents stand more than once in the shards: {said}."
    failed = sum(sums[0] for found in outcomes.values() for key, sums in found.items() if key.startswith("failed"))
    if failed:
        yield f"{failed:,} records could not be read or measured; the ledger has the reason of each."
    if n_removed or n_copies:
        yield (
            f"{n_removed:,} documents were taken out by id or address, and {n_copies:,} that were duplicates of them; "
            "the plan, with its documents and epochs, may be older than that."
        )
    unseen = [f"`{name}`" for name in recipe.filled if not recipe.goes_through(name, "pii")]
    if unseen:
        yield f"Personal data was not replaced in {', '.join(unseen)}."
    yield "The rights in texts were not examined, but for licences of code. Facts and opinions are the sources'."


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for row in rows:
        cells = (f"{cell:,}" if isinstance(cell, int) else str(cell).replace("|", "\\|") for cell in row)
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _code(text: str) -> str:
    """Inline code; what would end it, or the line, is shown as an escape."""
    shown = "".join(c if c.isprintable() and c != "`" else f"\\x{ord(c):02x}" for c in text)
    return f"`{shown}`"
