"""Cost of scores on one core, and limits of best shares against a full sort of a million documents.

`python benchmarks/bench_scores.py`. Texts are the peps of MASSIVETEXT_DATA, cut into documents of 4 kB. CPU time; each
figure is the best of five, beside `str.split` on the same texts in the same run.
"""

from __future__ import annotations

import gzip
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from filters import host_lines, linear, rules, scores
from filters.language import MODEL
from filters.score_training import FASTTEXT, fit_fasttext, signals_of
from massivetext import fasttext
from massivetext.dedup.spans import duplicate_span_fraction
from massivetext.looking.quantiles import best_share_limit
from massivetext.quantiles import Search, add_up, count

REPOSITORY = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("MASSIVETEXT_DATA", REPOSITORY / ".." / "shared" / "data"))
SIZE = 4_000
"""Characters a document."""
DOCUMENTS = 1_000_000
PARTS = 100
SHARES = (0.001, 0.1, 0.25, 0.5, 0.9, 0.999)


def documents() -> list[str]:
    with gzip.open(DATA / "peps" / "peps.jsonl.gz", "rt", encoding="utf-8") as lines:
        peps = [json.loads(line)["text"] for line in lines]
    return [pep[start : start + SIZE] for pep in peps for start in range(0, len(pep), SIZE)]


def seconds(function: Callable[[], Any], times: int = 5) -> float:
    function()
    best = math.inf
    for _ in range(times):
        started = time.process_time()
        function()
        best = min(best, time.process_time() - started)
    return best


def train(texts: list[str], path: str, **settings: Any) -> fasttext.Model:
    """A model that tells even documents from odd ones: what it has learned does not matter to its cost."""
    lines = [f"__label__{i % 2} {' '.join(text.split())}" for i, text in enumerate(texts)]
    fit_fasttext(lines, path, {**FASTTEXT, "epoch": 1, **settings}, seed=0)
    return fasttext.read(path)


def cost_of_scores() -> None:
    texts = documents()
    column = pa.array(texts, pa.large_string())
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    packaged = linear.load(str(REPOSITORY / "filters" / "data" / "quality_score.json"))
    signals = signals_of(texts)
    measuring = seconds(lambda: rules.measure(column))
    scoring = seconds(lambda: packaged.measure(signals))
    print(f"{len(texts):,} documents of {SIZE:,} characters, {megabytes:.1f} MB")
    print(f"{'str.split':<56} {megabytes / seconds(lambda: [text.split() for text in texts]):>8.0f} MB/s")
    print(f"{'MeasureText: rules, shingles, signatures':<56} {megabytes / measuring:>8.0f} MB/s")
    print(f"{'quality_score, share of the time of MeasureText':<56} {scoring / measuring:>8.2%}")
    print(f"{'duplicate_span_fraction, in memory':<56} ", end="")
    print(f"{megabytes / seconds(lambda: duplicate_span_fraction(column)):>7.0f} MB/s")
    urls = pa.array([f"https://host{i % 100}.example/{i}" for i in range(len(texts))])
    print(f"{'lines of hosts, in memory':<56} ", end="")
    print(f"{megabytes / seconds(lambda: host_lines.host_lines(column, urls)):>7.0f} MB/s")
    models: dict[str, tuple[fasttext.Model, dict[str, float]]] = {
        "fastText with n-grams of letters (lid.176, whole text)": (fasttext.load(str(MODEL)), {"en": 1.0})
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, ending in ((".bin", "bin"), (".ftz", "ftz")):
            model = train(texts, os.path.join(folder, f"model.{ending}"))
            models[f"fastText, word bigrams, dimension 32, {name}"] = (model, {"1": 1.0})
        wide = train(texts, os.path.join(folder, "wide.bin"), dim=100, bucket=2_000_000)
        models["fastText, word bigrams, dimension 100, 2 M buckets, .bin"] = (wide, {"1": 1.0})
        for name, (model, values) in models.items():
            speed = megabytes / seconds(lambda model=model, values=values: scores.measure(column, model, values))  # type: ignore[misc]
            print(f"{name:<56} {speed:>8.0f} MB/s")


def by_sorting(values: np.ndarray, weights: np.ndarray, share: float) -> float:
    """The limit as a full sort has it."""
    order = np.argsort(-values, kind="stable")
    sums = np.cumsum(weights[order])
    needed = max(1, math.ceil(Fraction(str(share)) * int(sums[-1])))
    return float(values[order][np.searchsorted(sums, needed)])


def limits_of_shares() -> None:
    """Values of six decimals, as scores have them, and of all bits; tokens of a long-tailed length; in 100 parts."""
    draw = np.random.default_rng(0)
    tokens = np.maximum(1, draw.lognormal(6.5, 1.2, DOCUMENTS)).astype(np.int64)
    print(f"\nlimits of best shares of {DOCUMENTS:,} documents in {PARTS} parts")
    kinds = {
        "a score of 6 decimals": np.round(draw.beta(4, 2, DOCUMENTS), 6),
        "a score of all bits": draw.beta(4, 2, DOCUMENTS),
        "few values": np.round(draw.beta(4, 2, DOCUMENTS), 1),
        "both signs": np.round(draw.normal(0, 3, DOCUMENTS), 4),
    }
    for name, values in kinds.items():
        for unit, weights in (("tokens", tokens), ("documents", np.ones(DOCUMENTS, np.int64))):
            parts = list(zip(np.array_split(values, PARTS), np.array_split(weights, PARTS)))
            limits = [best_share_limit(lambda parts=parts: parts, share) for share in SHARES]  # type: ignore[misc]
            equal = sum(limit == by_sorting(values, weights, share) for share, limit in zip(SHARES, limits))
            print(f"  {name:<24} {unit:<10} {equal} of {len(SHARES)} limits are those of a full sort")
            if equal < len(SHARES):
                sys.exit("a limit differs")
    values = kinds["a score of 6 decimals"]
    parts = list(zip(np.array_split(values, PARTS), np.array_split(tokens, PARTS)))
    bins = add_up(count(*part) for part in parts)
    chosen = [Search.of(0.1).in_bins(bins).bin]
    second = add_up(count(*part, bins=[one for one in chosen if one is not None]) for part in parts)
    rounds = seconds(lambda: best_share_limit(lambda: parts, 0.1), 3)
    sort = seconds(lambda: by_sorting(values, tokens, 0.1), 3)
    print(f"  two rounds {rounds:.2f} s, a full sort {sort:.2f} s of CPU")
    print(f"  what is added up in one place: {len(bins[0]):,} bins, then {len(second[0]):,} values, 16 bytes each")


if __name__ == "__main__":
    if not DATA.is_dir():
        sys.exit(f"no text at {DATA}: set MASSIVETEXT_DATA")
    cost_of_scores()
    limits_of_shares()
