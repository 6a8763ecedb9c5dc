"""Extraction: F1 in cross-validation over annotated pages, tails kept, pages a second; wiki markup in MB a second.

    python benchmarks/bench_extraction.py [--data DIR] [--peers]

F1 by the published method of the annotations: a `with` segment found in the extracted text is a true positive, a
`without` segment found is a false one. Five folds over pages, for each of three seeds; the model of a fold has not seen
its pages. Tails: of held-back pages to which another page's text was added after the article, how much of the added
text is kept, and how much of the article lost. Times are CPU seconds of one process, the best of three rounds.
"""

from __future__ import annotations

import argparse
import bz2
import re
import time
from collections.abc import Callable
from html import unescape
from pathlib import Path

import numpy as np
from fit_extraction import DATA, Page, fit, norm, read_pages, with_tail

from massivetext.extraction import extract
from massivetext.extraction.features import measure
from massivetext.extraction.html import (
    CHARS,
    parse,
)
from massivetext.extraction.render import render, resolve
from massivetext.extraction.salient import Model, choose, probabilities
from massivetext.extraction.wikitext import to_text


def kept(page: Page, model: Model) -> np.ndarray:
    return choose(probabilities(page.data, page.tree, model), page.tree.tag, page.tree.blocks, model.threshold)


def counts(notes: dict[str, list[str]], text: str) -> np.ndarray:
    """(true positives, false positives, false negatives)."""
    text = norm(text)
    hits = sum(norm(segment) in text for segment in notes["with"])
    return np.array([hits, sum(norm(segment) in text for segment in notes["without"]), len(notes["with"]) - hits])


def scores(total: np.ndarray) -> str:
    hits, false, missed = total
    return (
        f"precision {hits / (hits + false):.4f}  recall {hits / (hits + missed):.4f}  "
        f"F1 {2 * hits / (2 * hits + false + missed):.4f}"
    )


def cross_validate(pages: list[Page], seed: int, tails: int = 1) -> tuple[np.ndarray, float, float]:
    """(counts, share of the text of added tails that is kept, share of the article's that adding them loses)."""
    fold = np.random.default_rng(seed).permutation(len(pages)) % 5
    total = np.zeros(3)
    tail_chars = tail_kept = article = lost = 0.0
    for held in range(5):
        model = fit([page for page, number in zip(pages, fold) if number != held], tails=tails)
        held_pages = [page for page, number in zip(pages, fold) if number == held]
        for page in held_pages:
            keep = kept(page, model)
            total += counts(page.notes, resolve(render(page.data, page.tree, keep).decode("utf-8", "replace")))
            tailed = with_tail(page, held_pages, 99)
            if tailed is None:
                continue
            tail_keep = kept(tailed, model)
            chars = tailed.tree.blocks[:, CHARS]
            in_tail = (tailed.weight > 0) & (tailed.wanted == 0) & (tailed.weight < 0.2)
            wanted = (tailed.weight > 0.2) & (tailed.wanted == 1)
            tail_chars += chars[in_tail].sum()
            tail_kept += chars[in_tail & tail_keep].sum()
            article += chars[wanted].sum()
            lost += chars[wanted & ~tail_keep].sum()
    return total, tail_kept / tail_chars, lost / article


def best_of(rounds: int, work: Callable[[], object]) -> float:
    times = []
    for _ in range(rounds):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--peers", action="store_true", help="score trafilatura too (half a minute)")
    arguments = parser.parse_args()
    pages = read_pages(arguments.data / "extraction")
    for seed in range(3):
        total, tail, lost = cross_validate(pages, seed)
        print(f"cross-validation, seed {seed}: {scores(total)}  tails kept {tail:.3f}  article lost to them {lost:.3f}")
    raw = [page.data for page in pages]
    n, size = len(raw), sum(map(len, raw)) / 1e6
    extract(raw[0], engine="salient")
    whole = best_of(3, lambda: [extract(page, engine="salient") for page in raw])
    print(f"salient: {n / whole:.0f} pages/s, {size / whole:.0f} MB/s")
    parts = {
        "parse": best_of(3, lambda: [parse(page) for page in raw]),
        "features": best_of(3, lambda: [measure(page.data, page.tree) for page in pages]),
        "render": best_of(3, lambda: [render(page.data, page.tree, page.wanted > 0) for page in pages]),
    }
    print("of it, ms a page: " + ", ".join(f"{name} {seconds / n * 1e3:.3f}" for name, seconds in parts.items()))
    if arguments.peers:
        for fast in (False, True):
            started = time.perf_counter()
            texts = [extract(page, engine="trafilatura", fast=fast) for page in raw]
            seconds = time.perf_counter() - started
            total = sum((counts(page.notes, text) for page, text in zip(pages, texts)), np.zeros(3))
            print(f"trafilatura fast={fast}: {scores(total)}  {n / seconds:.0f} pages/s (wall clock, helper process)")
    dump = bz2.decompress((arguments.data / "wikipedia" / "enwiki-206-pages.xml.bz2").read_bytes()).decode()
    markup = [unescape(page) for page in re.findall(r"<text[^>]*>(.*?)</text>", dump, re.DOTALL)]
    megabytes = sum(len(page.encode()) for page in markup) / 1e6
    ours = best_of(3, lambda: [to_text(page) for page in markup])
    print(f"wiki markup: {megabytes / ours:.1f} MB/s")
    if arguments.peers:
        import mwparserfromhell

        theirs = best_of(1, lambda: [mwparserfromhell.parse(page).strip_code() for page in markup])
        print(f"mwparserfromhell: {megabytes / theirs:.1f} MB/s, ratio {theirs / ours:.1f}")


if __name__ == "__main__":
    main()
