"""Extraction: F1 by type of page in cross-validation by domain, beside peers; pages a second; wiki markup.

    python benchmarks/bench_extraction.py [--data DIR] [--peers] [--fast]

Two sets of annotated pages (see extraction_pages.py). `wcxb`: F1 of bags of lower-case words, `order` the F1 of runs of
four words, means over pages. `extraction`: a `with` segment in the extracted text is a true positive, a
`without` segment a false one. The model of a fold has not seen a page of its domains; the second stage is fitted to
probabilities of first stages that have not seen the page, but may have seen pages of the fold. Tails: of pages to which
another page's text was added after the article, how much of the added text is kept, and how much of the article lost.

--fast leaves the cross-validation out (five minutes). Times are CPU seconds of one process, the best of three rounds.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import re
import time
from collections import Counter
from collections.abc import Callable
from html import unescape
from pathlib import Path

import numpy as np
from extraction_pages import DATA, WCXB_TYPES, WORD, Page, norm
from fit_extraction import ARTICLE_FLOOR, FOLDS, first_stages, fit_second, fit_types, fold_of, read_examples

from massivetext.extraction import extract
from massivetext.extraction.features import measure
from massivetext.extraction.finish import finish
from massivetext.extraction.html import CHARS
from massivetext.extraction.prepare import read
from massivetext.extraction.render import render
from massivetext.extraction.salient import choose_blocks, load_model, model_of
from massivetext.extraction.wikitext import to_text

LONG = 4000
"""Words of a long text."""

Scores = dict[str, list[tuple[float, float, float, float]]]


def overlap(text: Counter, gold: Counter) -> tuple[float, float, float]:
    """Precision, recall and F1 of two bags."""
    shared = sum((text & gold).values())
    if not shared:
        return (1.0, 1.0, 1.0) if not text and not gold else (0.0, 0.0, 0.0)
    precision, recall = shared / sum(text.values()), shared / sum(gold.values())
    return precision, recall, 2 * precision * recall / (precision + recall)


def grams(words: list[str]) -> Counter:
    return Counter(zip(*(words[i:] for i in range(4)))) if len(words) >= 4 else Counter([tuple(words)] if words else [])


def score(page: Page, text: str, scores: Scores) -> None:
    """Add a page's precision, recall, F1 and order to its type, to all, and to the long texts."""
    words, gold = WORD.findall(text.lower()), WORD.findall(page.text.lower())
    row = (*overlap(Counter(words), Counter(gold)), overlap(grams(words), grams(gold))[2])
    for kind in ("all", page.kind, *(("long",) if len(gold) > LONG else ())):
        scores.setdefault(kind, []).append(row)


def counts(notes: dict[str, list[str]], text: str) -> np.ndarray:
    """(true positives, false positives, false negatives)."""
    text = norm(text)
    hits = sum(norm(segment) in text for segment in notes["with"])
    return np.array([hits, sum(norm(segment) in text for segment in notes["without"]), len(notes["with"]) - hits])


def print_scores(name: str, scores: Scores, total: np.ndarray) -> None:
    for kind in ("all", *WCXB_TYPES, "long"):
        p, r, f, order = np.mean(scores[kind], axis=0)
        print(f"{name:12s} {kind:14s} {len(scores[kind]):5d}  P {p:.4f}  R {r:.4f}  F1 {f:.4f}  order {order:.4f}")
    hits, false, missed = total
    print(
        f"{name:12s} {'segments':14s}        P {hits / (hits + false):.4f}  R {hits / (hits + missed):.4f}  "
        f"F1 {2 * hits / (2 * hits + false + missed):.4f}",
        flush=True,
    )


class Tails:
    """How much of added tails is kept, and how much of the articles before them lost."""

    def __init__(self) -> None:
        self.tail = self.kept = self.article = self.lost = 0.0

    def add(self, page: Page, keep: np.ndarray) -> None:
        chars = page.tree.blocks[:, CHARS]
        tail = (page.weight > 0) & (page.weight < 0.1) if page.notes else np.zeros(len(chars), np.bool_)
        wanted = (page.weight >= 0.1) & (page.wanted >= 0.5) if page.notes else np.zeros(len(chars), np.bool_)
        self.tail += chars[tail].sum()
        self.kept += chars[tail & keep].sum()
        self.article += chars[wanted].sum()
        self.lost += chars[wanted & ~keep].sum()


def cross_validate(folder: Path) -> None:
    """Print scores of pages by models that have not seen their domain."""
    examples = read_examples(folder)
    forests = first_stages(examples)
    scores: Scores = {}
    total = np.zeros(3)
    right: list[bool] = []
    tails = Tails()
    for fold in range(FOLDS):
        others = [one for one in examples if fold_of(one.page) != fold]
        model = model_of(forests[fold], fit_second(others), fit_types(others), ARTICLE_FLOOR)
        for page in (one.page for one in examples if fold_of(one.page) == fold):
            chosen = choose_blocks(page.data, page.tree, model)
            if "+" in page.name:
                tails.add(page, chosen.keep)
                continue
            text = finish(render(page.data, page.tree, chosen.keep).decode("utf-8", "replace"))
            if page.kind:
                score(page, text, scores)
                right.append(chosen.page_type == page.kind)
            elif page.notes:
                total += counts(page.notes, text)
    print_scores("salient", scores, total)
    print(f"page types right: {np.mean(right):.3f}")
    print(f"tails kept {tails.kept / tails.tail:.3f}, article lost to them {tails.lost / tails.article:.3f}")


def best_of(rounds: int, work: Callable[[], object]) -> float:
    times = []
    for _ in range(rounds):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


def print_speed(raw: list[bytes]) -> None:
    """Print pages a second, and what each step takes."""
    n, size = len(raw), sum(map(len, raw)) / 1e6
    extract(raw[0], engine="salient")
    whole = best_of(3, lambda: [extract(page, engine="salient") for page in raw])
    print(f"salient: {n / whole:.0f} pages/s, {size / whole:.0f} MB/s")
    model = load_model()
    trees = [read(page) for page in raw]
    chosen = [choose_blocks(page, tree, model) for page, tree in trees]
    measures = best_of(3, lambda: [measure(page, tree) for page, tree in trees])
    parts = {
        "parse": best_of(3, lambda: [read(page) for page in raw]),
        "features": measures,
        "trees, choice": best_of(3, lambda: [choose_blocks(page, tree, model) for page, tree in trees]) - measures,
        "render": best_of(3, lambda: [render(page, tree, one.keep) for (page, tree), one in zip(trees, chosen)]),
    }
    print("of it, ms a page: " + ", ".join(f"{name} {seconds / n * 1e3:.3f}" for name, seconds in parts.items()))


def _trafilatura(page: bytes) -> str:
    import trafilatura

    return trafilatura.extract(page) or ""


def _resiliparse(page: bytes) -> str:
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.encoding import bytes_to_str, detect_encoding

    return extract_plain_text(bytes_to_str(page, detect_encoding(page)), main_content=True, alt_texts=False)


def print_peers(folder: Path) -> None:
    """Print scores and pages a second of other libraries."""
    from extraction_pages import read_segments, read_wcxb

    pages = [*read_wcxb(folder / "wcxb"), *read_segments(folder / "extraction")]
    for name, function in (("trafilatura", _trafilatura), ("resiliparse", _resiliparse)):
        scores: Scores = {}
        total = np.zeros(3)
        started = time.process_time()
        texts = [function(page.data) for page in pages]
        seconds = time.process_time() - started
        for page, text in zip(pages, texts):
            if page.notes:
                total += counts(page.notes, text)
            else:
                score(page, text, scores)
        print_scores(name, scores, total)
        print(f"{name}: {len(pages) / seconds:.0f} pages/s")


def print_wiki(folder: Path, peers: bool) -> None:
    """Print the speed of wiki markup to text."""
    dump = bz2.decompress((folder / "wikipedia" / "enwiki-206-pages.xml.bz2").read_bytes()).decode()
    markup = [unescape(page) for page in re.findall(r"<text[^>]*>(.*?)</text>", dump, re.DOTALL)]
    megabytes = sum(len(page.encode()) for page in markup) / 1e6
    ours = best_of(3, lambda: [to_text(page) for page in markup])
    print(f"wiki markup: {megabytes / ours:.1f} MB/s")
    if peers:
        import mwparserfromhell

        theirs = best_of(1, lambda: [mwparserfromhell.parse(page).strip_code() for page in markup])
        print(f"mwparserfromhell: {megabytes / theirs:.1f} MB/s, ratio {theirs / ours:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--peers", action="store_true", help="score and time trafilatura and resiliparse too")
    parser.add_argument("--fast", action="store_true", help="leave the cross-validation out")
    arguments = parser.parse_args()
    for name in ("extraction", "wcxb"):
        paths = sorted((arguments.data / name / "html").iterdir())[:: 3 if name == "wcxb" else 1]
        print(f"{name}: ", end="")
        print_speed([gzip.decompress(path.read_bytes()) for path in paths])
    if arguments.peers:
        print_peers(arguments.data)
    if not arguments.fast:
        cross_validate(arguments.data)
    print_wiki(arguments.data, arguments.peers)


if __name__ == "__main__":
    main()
