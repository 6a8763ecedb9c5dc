"""What each rule of `gopher` and of `multilingual` removes in a language: pages and declarations of MASSIVETEXT_DATA.

`python benchmarks/bench_multilingual.py [--languages de,zh] [--samples 20]`. Documents are the pages of the extraction
benchmark through extraction, the main texts of WCXB, and the Declaration of Human Rights. Both recipes keep the same
languages, so that the rules alone make the difference. Samples are the first documents by id that `multilingual`
removes, and those that it keeps by the narrowest margin to a limit.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from massivetext.extraction import extract
from pipelines import recipe as recipes
from pipelines.recipe import Recipe

REPOSITORY = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("MASSIVETEXT_DATA", REPOSITORY / ".." / "shared" / "data"))
SUBSET = "massiveweb"
STAGES = ("language", "safe_search", "quality", "repetition")


def documents() -> list[dict[str, str]]:
    """kind, name, url and text of each document."""
    rows = []
    annotations = json.loads((DATA / "extraction" / "annotations.json").read_text("utf-8"))
    for name, annotation in sorted(annotations.items()):
        page = gzip.decompress((DATA / "extraction" / "html" / name).read_bytes())
        text = extract(page, engine="salient", url=None)
        rows.append({"kind": "page", "name": name, "url": annotation["url"], "text": text})
    for path in sorted((DATA / "wcxb" / "ground-truth").glob("*.json")):
        data = json.loads(path.read_text("utf-8"))
        text = data["ground_truth"].get("main_content")
        rows.append({"kind": "page", "name": f"wcxb {path.stem}", "url": data.get("url") or "", "text": text})
    with gzip.open(DATA / "lang" / "udhr2.jsonl.gz", "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            rows.append({"kind": "declaration", "name": row["code"], "url": "", "text": row["text"]})
    return [row for row in rows if row["text"] and row["text"].strip()]


def judged(recipe: Recipe, rows: list[dict[str, str]]) -> tuple[pa.RecordBatch, dict[str, np.ndarray]]:
    """The columns of all stages, and who breaks which rule."""
    batch = pa.RecordBatch.from_pydict(
        {
            "text": pa.array([row["text"] for row in rows], pa.large_string()),
            "url": pa.array([row["url"] or None for row in rows], pa.string()),
        }
    )
    for name in STAGES:
        batch = recipe.stage(SUBSET, name).apply(batch)
    return batch, recipe.broken_rules(batch, SUBSET)


def margins(recipe: Recipe, batch: pa.RecordBatch) -> list[tuple[float, str]]:
    """How near each document is to the limit that it is nearest to, as a share of that limit, and which one it is."""
    nearest: list[tuple[float, str]] = [(np.inf, "")] * batch.num_rows
    languages = batch.column("language").to_pylist()
    for stage in ("quality", "repetition"):
        for i, language in enumerate(languages):
            limits = recipe.stage(SUBSET, stage).for_language(language).limited_signals()
            for signal, limit in limits.items():
                value = batch.column(signal)[i].as_py()
                for end in (limit.min, limit.max):
                    if value is not None and end:
                        nearest[i] = min(nearest[i], (abs(value - end) / end, signal))
    return nearest


def effects(language: str, kind: str, rows: list[dict[str, str]], judgements: dict[str, Any]) -> list[int]:
    """Print each rule's effect on the documents of a language; returns their places."""
    batch, _ = judgements["multilingual"]
    languages = batch.column("language").to_pylist()
    places = [i for i, row in enumerate(rows) if row["kind"] == kind and languages[i] == language]
    if not places:
        return places
    kept = {
        name: len(places) - int(np.any([mask[places] for mask in broken.values()], axis=0).sum())
        for name, (_, broken) in judgements.items()
    }
    print(f"\n{language}: {len(places)} {kind}s; " + ", ".join(f"{name} keeps {n}" for name, n in kept.items()))
    counts = {
        rule: [int(broken[rule][places].sum()) for _, broken in judgements.values()]
        for rule in judgements["multilingual"][1]
    }
    for rule, row in sorted(counts.items(), key=lambda item: -sum(item[1])):
        if any(row):
            print(f"  {rule:<52} " + "  ".join(f"{n:>6}" for n in row))
    return places


def samples(places: list[int], rows: list[dict[str, str]], recipe: Recipe, judgement: Any, n: int) -> None:
    batch, broken = judgement

    def digest(i: int) -> str:
        return hashlib.blake2b(f"{rows[i]['kind']}/{rows[i]['name']}".encode(), digest_size=16).hexdigest()

    reasons = {i: [rule for rule, mask in broken.items() if mask[i]] for i in places}
    near = margins(recipe, batch)
    removed = sorted((i for i in places if reasons[i]), key=digest)[:n]
    kept = sorted((i for i in places if not reasons[i]), key=lambda i: (near[i][0], digest(i)))[:n]
    for title, chosen in (("removed", removed), ("kept, nearest to a limit", kept)):
        print(f"  {title}:")
        for i in chosen:
            text = " | ".join(rows[i]["text"].split("\n"))
            why = "; ".join(reasons[i]) or f"{near[i][1]} within {near[i][0]:.0%}"
            print(f"    {rows[i]['name']}  {rows[i]['url'][:60]}  [{why}]")
            print(f"      {text[:300]!r} ({len(text):,} characters)")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--languages", default="de,zh,en", help="codes of languages")
    parser.add_argument("--samples", type=int, default=0, help="documents shown each way")
    options = parser.parse_args()
    multilingual = recipes.read("multilingual")
    keep = json.dumps(dict(multilingual.block(SUBSET, "language").keep))
    both = {"gopher": recipes.read("gopher", [f"language.keep={keep}"]), "multilingual": multilingual}
    rows = documents()
    judgements = {name: judged(recipe, rows) for name, recipe in both.items()}
    for language in options.languages.split(","):
        for kind in ("page", "declaration"):
            places = effects(language, kind, rows, judgements)
            if places and options.samples:
                samples(places, rows, multilingual, judgements["multilingual"], options.samples)


if __name__ == "__main__":
    if not DATA.is_dir():
        sys.exit(f"no text at {DATA}: set MASSIVETEXT_DATA")
    main()
