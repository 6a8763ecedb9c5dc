"""The data card of a mixture: what it contains, where that comes from, what was left out and why, and known gaps.

Markdown, in README.md beside the shards. Its bytes are a function of the recipe, the manifests and the ledger.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from massivetext import storage
from massivetext.dedup import plan as plan_bands
from massivetext.documents import FUNNEL
from massivetext.looking.recipe_view import RecipeView
from massivetext.ordered_rows import batches
from massivetext.parquet import open_parquet
from massivetext.removed import read_removed
from massivetext.report.course import recipe_of

__all__ = ["added_rows", "data_card", "inline_code", "kept_rows"]

_KEYS = ["subset", "language", "licence"]

_LANGUAGES = 20
"""Languages that are listed; the others are added up."""

_BUCKETS = (
    "`subset:0` is the bucket of the documents with the worst scores of a subset; tokens written of a bucket are those "
    "of the plan."
)
_NOT_DONE = {
    "deduplication": "Duplicates were not looked for in",
    "contamination": "Test sets were not looked for in",
    "language": "The language was not judged in",
    "safe_search": "Unsafe pages were not looked for in",
}
"""What a reader has to know of the subsets that did not go through a stage."""


def data_card(
    root: str,
    recipe: RecipeView,
    name: str,
    manifest: Mapping[str, Any],
    *,
    kept: Sequence[Mapping[str, Any]] | None = None,
) -> str:
    """Return the data card of a mixture as Markdown.

    Args:
        root: The run's output folder.
        recipe: The recipe that DIR/recipe.yaml holds.
        name: The mixture's name.
        manifest: The mixture's manifest, with the digests of its shards.
        kept: What `kept_rows` says of all ledgers, where that is known; they are read if not.
    """
    run = recipe_of(root)
    planned = json.loads(storage.read_bytes(storage.join(root, "mixture", name, "plan.json")))
    plan = planned["plan"]
    curated = json.loads(storage.read_bytes(storage.join(root, "curated", "manifest.json")))
    outcomes = json.loads(storage.read_bytes(storage.join(root, "ledger", "manifest.json")))["counts"]
    if kept is None:
        kept = kept_rows(
            path for subset in recipe.filled for path in storage.list_files(storage.join(root, "ledger", subset))
        )
    files = manifest["files"]
    removed = read_removed(root)
    sections: list[tuple[str, str, list[str]]] = [
        ("Contents", _BUCKETS if recipe.mixture.buckets else "", _contents(planned, manifest)),
        (
            "Sources",
            "Paths are without the place where the files lay: the part of a pattern before its first wildcard is left "
            "out.",
            _sources(run["canonical"], curated, recipe),
        ),
        ("Rules", "", _rules(recipe)),
        (
            "What was left out",
            "Records of the sources by what became of them. The reason is the first rule that failed, in order of "
            "stages.",
            _funnel(outcomes),
        ),
        ("Languages", "Kept documents, by the language of the text as the model has it.", _languages(kept)),
        ("Licences", "", _licences(kept, recipe)),
        (
            "Known gaps",
            "",
            [f"- {gap}" for gap in _gaps(recipe, plan, outcomes, len(removed.ids), len(removed.copies))],
        ),
        ("Versions", "", _table(("package", "version"), sorted(run["versions"].items()))),
        (
            "Files",
            "",
            _table(
                ("file", "rows", "bytes", "BLAKE2b-256"),
                [(file, one["rows"], one["bytes"], f"`{one['blake2b']}`") for file, one in sorted(files.items())],
            ),
        ),
    ]
    lines = [f"# Data card: mixture `{name}`", "", *_summary(run, recipe, manifest)]
    for title, introduction, body in sections:
        lines += ["", f"## {title}", "", *([introduction, ""] if introduction else []), *body]
    return "\n".join(lines) + "\n"


def _summary(run: Mapping[str, Any], recipe: RecipeView, manifest: Mapping[str, Any]) -> list[str]:
    files = manifest["files"]
    n_bytes = sum(summary["bytes"] for summary in files.values())
    return [
        f"{manifest['counts']['rows']:,} rows in {len(files):,} shards of Parquet, {n_bytes:,} bytes; "
        f"{sum(manifest['counts']['tokens'].values()):,} tokens ({manifest['tokens_by']}).",
        f"Made by MassiveText {run['versions'].get('massivetext', '')} from a recipe of digest `{run['digest']}`, "
        f"seed {recipe.seed}; `recipe.yaml` in the run's folder holds it whole.",
    ]


def kept_rows(ledgers: Iterable[str]) -> list[dict[str, Any]]:
    """Return kept documents and their tokens by subset, language and licence. Reads five columns of some ledgers."""
    sums: list[dict[str, Any]] = []
    for path in ledgers:
        with storage.open_input(path) as stream:
            for batch in batches(open_parquet(stream), ["outcome", *_KEYS, "n_tokens"]):
                kept = pa.Table.from_batches([batch]).filter(pc.equal(batch.column("outcome"), "kept"))
                groups = kept.group_by(_KEYS, use_threads=False).aggregate([([], "count_all"), ("n_tokens", "sum")])
                for row in groups.to_pylist():
                    counts = {"documents": row["count_all"], "tokens": row["n_tokens_sum"] or 0}
                    sums.append({**{key: row[key] for key in _KEYS}, **counts})
        sums = added_rows(sums)
    return sums


def added_rows(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return rows of `kept_rows` of several ledgers, added up."""
    sums: dict[tuple[Any, ...], list[int]] = {}
    for row in rows:
        own = sums.setdefault(tuple(row[key] for key in _KEYS), [0, 0])
        own[0] += row["documents"]
        own[1] += row["tokens"]
    return [{**dict(zip(_KEYS, key)), "documents": n, "tokens": tokens} for key, (n, tokens) in sums.items()]


def _contents(planned: Mapping[str, Any], manifest: Mapping[str, Any]) -> list[str]:
    total = max(1, sum(manifest["counts"]["tokens"].values()))
    written = {**planned.get("taken", {}), **manifest["counts"]["tokens"]}
    rows = []
    for share in planned["plan"]["shares"]:
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


def _sources(canonical: Mapping[str, Any], curated: Mapping[str, Any], recipe: RecipeView) -> list[str]:
    rows = []
    for subset in recipe.filled:
        n_parts = sum(file.startswith(f"{subset}/") for file in curated["files"])
        n_records = curated["counts"].get(subset, {}).get("records", 0)
        for number, source in enumerate(canonical["subsets"][subset]["sources"]):
            counts = (n_parts, n_records) if number == 0 else ("", "")
            rows.append(
                (f"`{subset}`", source["format"], inline_code(source.get("name", "") + source["path"]), *counts)
            )
    return _table(("subset", "format", "path", "parts", "records read"), rows)


def _rules(recipe: RecipeView) -> list[str]:
    """Which stages each subset goes through, and each rule with its limits; a subset's own limits stand apart."""
    lines = _table(
        ("subset", "stages, in the order of verdicts"),
        [
            (f"`{name}`", ", ".join(stage for stage in recipe.stage_names if recipe.goes_through(name, stage)))
            for name in recipe.filled
        ],
    )
    subsets_by_rule: dict[tuple[str, str], list[str]] = {}
    for name in recipe.filled:
        for stage in recipe.stage_names:
            if recipe.goes_through(name, stage):
                for rule, words in recipe.settings_in_words(name, stage):
                    subsets_by_rule.setdefault((rule, words), []).append(f"`{name}`")
    rows = [(f"`{rule}`", words, ", ".join(names)) for (rule, words), names in subsets_by_rule.items()]
    if any(recipe.goes_through(name, "repetition") for name in recipe.filled):
        rows.append(("`count_duplicates`", recipe.count_duplicates, "all"))
    return [*lines, "", *_table(("rule", "kept if, or setting", "subsets"), rows)]


def _funnel(outcomes: Mapping[str, Mapping[str, Sequence[int]]]) -> list[str]:
    rows: list[Sequence[Any]] = []
    for subset, counts in sorted(outcomes.items()):
        total = [sum(sums[k] for sums in counts.values()) for k in range(3)]
        rows.append((f"`{subset}`", "records", "", *total))
        for key in sorted(counts, key=lambda key: (FUNNEL.index(key.split(" ")[0]), -counts[key][0], key)):
            outcome, _, reason = key.partition(" ")
            rows.append((f"`{subset}`", outcome, f"`{reason}`" if reason else "", *counts[key]))
    return _table(("subset", "outcome", "reason", "documents", "bytes", "tokens"), rows)


def _languages(kept: Sequence[Mapping[str, Any]]) -> list[str]:
    sums: dict[str, list[int]] = {}
    for row in kept:
        total = sums.setdefault(row["language"] or "not measured", [0, 0])
        total[0] += row["documents"]
        total[1] += row["tokens"]
    rows: list[Sequence[Any]] = [
        (name, *total) for name, total in sorted(sums.items(), key=lambda item: (-item[1][0], item[0]))
    ]
    rest = rows[_LANGUAGES:]
    if rest:
        rows = [*rows[:_LANGUAGES], (f"{len(rest)} others", sum(r[1] for r in rest), sum(r[2] for r in rest))]
    return _table(("language", "documents", "tokens"), rows)


def _licences(kept: Sequence[Mapping[str, Any]], recipe: RecipeView) -> list[str]:
    judged = [name for name in recipe.filled if recipe.goes_through(name, "licence")]
    if not judged:
        return [
            "No subset of this mixture is judged by licence; the rights in its texts are not known to this program."
        ]
    sums: dict[tuple[str, str], list[int]] = {}
    for row in kept:
        if row["subset"] in judged:
            total = sums.setdefault((row["subset"], row["licence"] or "none"), [0, 0])
            total[0] += row["documents"]
            total[1] += row["tokens"]
    rows = [(f"`{subset}`", licence, *total) for (subset, licence), total in sorted(sums.items())]
    return _table(("subset", "licence", "kept documents", "tokens"), rows)


def _gaps(
    recipe: RecipeView, plan: Mapping[str, Any], outcomes: Mapping[str, Any], n_removed: int, n_copies: int
) -> Iterable[str]:
    """What a reader of the data has to know and the tables do not say."""
    empty = [name for name, weight in sorted(recipe.mixture.weights.items()) if weight and name not in recipe.filled]
    if empty:
        names = ", ".join(f"`{name}`" for name in empty)
        yield f"The recipe gives weight to {names}, which have no sources; the other weights were scaled to sum to 1."
    if recipe.tokenizer is None:
        yield "Tokens are estimated as a quarter of the bytes; the recipe names no tokenizer."
    for stage, words in _NOT_DONE.items():
        without = [f"`{name}`" for name in recipe.filled if not recipe.goes_through(name, stage)]
        if without:
            yield f"{words} {', '.join(without)}."
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
        times = ", ".join(f"`{share['subset']}` {share['wanted'] / share['available']:.2f} times" for share in repeated)
        yield f"Documents stand more than once in the shards: {times}."
    failed = sum(sums[0] for counts in outcomes.values() for key, sums in counts.items() if key.startswith("failed"))
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


def inline_code(text: str) -> str:
    """Return Markdown for a text as inline code; what would end it, or the line, is shown as an escape."""
    shown = "".join(c if c.isprintable() and c != "`" else f"\\x{ord(c):02x}" for c in text)
    return f"`{shown}`"
