"""Safe search: AUC on labelled text that no training saw, false positives, identities, and cost.

`python benchmarks/bench_safe_search.py [--transfer] [--blocks N]`. Data is read from MASSIVETEXT_DATA. `--transfer`
trains once more without comments on talk pages and scores all of them; `--blocks` sets the size of the block list (a
million).
"""

from __future__ import annotations

import csv
import gzip
import io
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from filters import classifier, safe_search, training

REPOSITORY = Path(__file__).resolve().parent.parent
DATA = os.environ.get("MASSIVETEXT_DATA", str(REPOSITORY / ".." / "shared" / "data"))
LIMIT = 0.5


def auc(scores: Sequence[float] | np.ndarray, positive: Sequence[bool]) -> float:
    """Probability that a positive scores above a negative, ties counting a half."""
    scores, mask = np.asarray(scores), np.asarray(positive, bool)
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    n = int(mask.sum())
    return float((ranks[mask].sum() - n * (n + 1) / 2) / (n * (len(mask) - n)))


def interval(scores: Sequence[float], positive: Sequence[bool], times: int = 500) -> str:
    """AUC with the 95 % interval of a seeded bootstrap."""
    rng, s, y = np.random.default_rng(0), np.asarray(scores), np.asarray(positive, bool)
    drawn = [rng.integers(0, len(y), len(y)) for _ in range(times)]
    values = [auc(s[d], y[d].tolist()) for d in drawn if 0 < y[d].sum() < len(d)]
    low, high = np.quantile(values, [0.025, 0.975])
    return f"{auc(s, positive):.3f} ({low:.3f}-{high:.3f}; {int(y.sum())} of {len(y)})"


def page_scores(texts: list[str], **parts: object) -> list[float]:
    column = safe_search.measure(pa.array(texts, pa.large_string()), **parts).column("safe_search_score")  # type: ignore[arg-type]
    return column.to_pylist()


def sexual_scores(texts: list[str]) -> list[float]:
    return [found.get("sexual", 0.0) for found in classifier.measure(pa.array(texts, pa.large_string()))]


def source(plan: dict, name: str) -> dict:
    return next(source for source in plan["sources"] if name in source["path"])


def held_out(chosen: dict) -> list[tuple[str, list[str]]]:
    every = training.documents(chosen, DATA)
    return [row for row in every if training.is_held_out(row[0], chosen["held_out"])]


def labelled(plan: dict) -> None:
    moderation = source(plan, "moderation")
    rows = held_out(moderation)
    known = {}
    import json

    with gzip.open(os.path.join(DATA, moderation["path"]), "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            known[row["prompt"]] = "S" in row, all(name in row for name in ("S", "H", "V", "HR", "SH"))
    texts = [text for text, _ in rows]
    page, sexual = page_scores(texts), sexual_scores(texts)
    terms = page_scores(texts, model=False)
    asked = [i for i, text in enumerate(texts) if known[text][0]]
    print(f"moderation-840, held out: {len(rows)} texts. AUC (95 % interval; positives of all)")
    is_sexual = ["sexual" in rows[i][1] for i in asked]
    print("  sexual, by its category:   ", interval([sexual[i] for i in asked], is_sexual))
    print("  sexual, by the page's score:", interval([page[i] for i in asked], is_sexual))
    print("  sexual, by terms alone:    ", interval([terms[i] for i in asked], is_sexual))
    is_any = [labels != ["ok"] for _, labels in rows]
    print("  any:                       ", interval(page, is_any))
    above = np.array(page) > LIMIT
    print(f"  above {LIMIT}: {above[is_any].mean():.3f} of any, {above[~np.array(is_any)].mean():.3f} of the others")
    whole = [i for i, text in enumerate(texts) if known[text][1]]
    print("  any, texts with all labels:", interval([page[i] for i in whole], [is_any[i] for i in whole]))
    for name, key in (("comments on talk pages", "wiki-comments"), ("tweets", "davidson")):
        rows = held_out(source(plan, key))
        scores = page_scores([text for text, _ in rows])
        print(f"{name}, held out, any:       ", interval(scores, [labels != ["ok"] for _, labels in rows]))


def false_positives(plan: dict) -> None:
    print(f"documents of ordinary text with a score above {LIMIT}")
    news = Path(DATA, "news", "lee-300-news-items.txt").read_text("utf-8").split("\n")
    sets = {name: list(training.documents(source(plan, name), DATA)) for name in ("books", "peps", "wikipedia")}
    for name, rows in sets.items():
        one_in = source(plan, name)["held_out"]
        apart = [training.is_held_out(text, one_in) for text, _ in rows]
        scores = np.array(page_scores([text for text, _ in rows]))
        mask = np.array(apart)
        print(
            f"  {name}: {(scores > LIMIT).sum()} of {len(scores)}; of those held out {(scores[mask] > LIMIT).sum()} of "
            f"{mask.sum()}, highest {scores[mask].max():.2f}"
        )
    scores = np.array(page_scores([text for text in news if text.strip()]))
    print(f"  news (none trained on): {(scores > LIMIT).sum()} of {len(scores)}, highest {scores.max():.2f}")


def harmless(plan: dict) -> None:
    """Share of harmless texts about birds, recipes, medicine, law, ... that the limit removes, held out or not."""
    chosen = source(plan, "harmless")
    rows = list(training.documents(chosen, DATA))
    apart = np.array([training.is_held_out(text, chosen["held_out"]) for text, _ in rows])
    scores = np.array(page_scores([text for text, _ in rows]))
    for name, mask in (("held out", apart), ("trained on", ~apart)):
        print(
            f"harmless texts, {name}: {(scores[mask] > LIMIT).sum()} of {mask.sum()} above {LIMIT}; mean "
            f"{scores[mask].mean():.3f}, 98 of 100 below {np.quantile(scores[mask], 0.98):.2f}"
        )


def identities() -> None:
    """Mean score by identity within each template, beside the spread that its other words make."""
    with gzip.open(os.path.join(DATA, "safesearch", "identity-templates-77k.csv.gz"), "rb") as stream:
        rows = list(csv.DictReader(io.StringIO(stream.read().decode("utf-8"), newline="")))
    words = classifier._identities()
    print("identity templates, neutral sentences: spread of identities' means; spread of sentences of one identity")
    for template in sorted({row["Template"] for row in rows}):
        texts = [row["Text"] for row in rows if row["Template"] == template and row["Label"] == "NOT_BAD"]
        scores = page_scores(texts)
        by: dict[str, list[float]] = defaultdict(list)
        for text, score in zip(texts, scores):
            named = " ".join(w for w in text.lower().strip(".").split() if w in words)
            by[named or text.split()[-1].lower()].append(score)
        means = [float(np.mean(values)) for values in by.values()]
        noise = float(np.mean([np.std(values) for values in by.values()]))
        print(
            f"  {template}: {len(by)} identities, means {min(means):.4f}-{max(means):.4f} (spread {np.ptp(means):.4f})"
            f"; noise {noise:.4f}"
        )


def transfer(plan: dict) -> None:
    talk = source(plan, "wiki-comments")
    rest = {**plan, "sources": [s for s in plan["sources"] if s is not talk]}
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.ftz")
        training.train(rest, path, data=DATA)
        rows = list(training.documents(talk, DATA))
        scores = page_scores([text for text, _ in rows], model=path)
    print("trained without comments on talk pages, all of them, any:", interval(scores, [r[1] != ["ok"] for r in rows]))


def cost(blocks: int) -> None:
    with gzip.open(os.path.join(DATA, "peps", "peps.jsonl.gz"), "rt", encoding="utf-8") as lines:
        text = lines.read(12_000_000)
    texts = pa.array([text[i * 5000 : i * 5000 + 5000] for i in range(500)], pa.large_string())
    for name, options in (("all parts", {}), ("without the classifier", {"model": False})):
        safe_search.measure(texts, **options)  # type: ignore[arg-type]
        start = time.process_time()
        safe_search.measure(texts, **options)  # type: ignore[arg-type]
        seconds = (time.process_time() - start) / len(texts)
        print(f"{name}: {1 / seconds:,.0f} documents of 5 kB a second of CPU")
    rng = np.random.default_rng(0)
    names = [f"host{n:x}.example{n % 977}.{('com', 'org', 'net')[n % 3]}" for n in rng.integers(0, 1 << 60, blocks)]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "domains")
        Path(path).write_text("\n".join(names) + "\n", "utf-8")
        start = time.process_time()
        made = safe_search.BlockList.read([path])
        seconds = time.process_time() - start
    print(f"block list: {len(made):,} entries, {made.nbytes / 1e6:.0f} MB, read in {seconds:.1f} s")
    urls = [f"https://www.a.b.{names[i]}/some/path/page.html?x=1" for i in range(0, blocks, max(1, blocks // 100_000))]
    urls += [f"https://other{i}.example.org/some/path/of/a/page-{i}.html" for i in range(len(urls))]
    column = pa.array(urls)
    made.match_all(column)
    start = time.process_time()
    found = made.match_all(column)
    each = (time.process_time() - start) / len(urls)
    print(f"  {each * 1e6:.2f} microseconds a URL, {sum(f is not None for f in found):,} of {len(urls):,} found")


if __name__ == "__main__":
    read = training.read_plan([str(training.PLAN)])
    labelled(read)
    false_positives(read)
    harmless(training.read_plan([str(training.EVERYDAY_PLAN)]))
    identities()
    if "--transfer" in sys.argv:
        transfer(read)
    cost(int(sys.argv[sys.argv.index("--blocks") + 1]) if "--blocks" in sys.argv else 1_000_000)
