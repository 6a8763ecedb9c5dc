"""Test sets: speed of the measures on one core, what edits do to them, and documents made to be slow.

`python benchmarks/bench_contamination.py`. Index: MMLU, GSM8K, HellaSwag, LAMBADA and WikiText together. Text and test
sets are read from MASSIVETEXT_DATA. Speed is in CPU time, the best of several runs, beside `str.split` on equal text.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from massivetext import readers
from massivetext.contamination import TestSets
from massivetext.contamination.items import TestSet, read_items
from massivetext.contamination.wikitext import UNKNOWN
from massivetext.contamination.words import words

REPOSITORY = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("MASSIVETEXT_DATA", REPOSITORY / ".." / "shared" / "data"))
FILES = {
    "mmlu": "mmlu_*.gz",
    "gsm8k": "gsm8k_test.jsonl",
    "hellaswag": "hellaswag_*.bz2",
    "lambada": "lambada_test.jsonl",
    "wikitext": "wikitext-*.txt",
}
SETS = [TestSet(name, str(DATA / "testsets" / file), preset=name) for name, file in FILES.items()]


def corpora() -> dict[str, list[str]]:
    """peps, books in chapters, Wikipedia pages, and short documents: the paragraphs of the books."""
    with gzip.open(DATA / "peps" / "peps.jsonl.gz", "rt", encoding="utf-8") as lines:
        peps = [json.loads(line)["text"] for line in lines]
    books = [
        chapter
        for path in sorted((DATA / "books").glob("*.md"))
        for chapter in path.read_text("utf-8").split("\n## ")
        if chapter.strip()
    ]
    return {"peps": peps, "books": books, "wikipedia": wikipedia(), "paragraphs": "\n\n".join(books).split("\n\n")}


def wikipedia() -> list[str]:
    path = str(DATA / "wikipedia" / "enwiki-206-pages.xml.bz2")
    records = readers.read_part(path, "mediawiki", start=0, stop=os.path.getsize(path))
    return [record.text for record in records if record.text]


def seconds(function: Callable[[Any], Any], argument: Any, times: int = 5) -> float:
    best = float("inf")
    for _ in range(times):
        started = time.process_time()
        function(argument)
        best = min(best, time.process_time() - started)
    return best


def speed(testsets: TestSets) -> None:
    def whole(column: pa.Array) -> None:
        testsets.measure(column)

    def spec(column: pa.Array) -> None:
        testsets.measure(column, align=False)

    print(f"{'corpus':<12} {'documents':>9} {'MB':>6} {'step':<18} {'MB/s':>6} {'us/document':>12} {'x str.split':>12}")
    texts_of = corpora()
    texts_of["all"] = texts_of["peps"] + texts_of["books"] + texts_of["wikipedia"]
    for corpus, texts in texts_of.items():
        column = pa.array(texts, pa.large_string())
        size = sum(len(text.encode()) for text in texts) / 1e6
        split = seconds(lambda texts: [text.split() for text in texts], texts, 3)
        found = words(column)
        steps: dict[str, Callable[[Any], Any]] = {
            "words": words,
            "spec's measures": spec,
            "and alignment": whole,
            "with words given": lambda column, found=found: testsets.measure(column, words=found),  # type: ignore[misc]
        }
        for step, function in steps.items():
            function(column)
            spent = seconds(function, column)
            print(
                f"{corpus:<12} {len(texts):>9} {size:>6.1f} {step:<18} {size / spent:>6.0f} "
                f"{spent / len(texts) * 1e6:>12.1f} {split / spent:>12.1f}"
            )


def edits(testsets: TestSets) -> None:
    """Share of items still found at .8 when edited inside a page: one word changed, deleted, or put in, at random."""
    rng = random.Random(0)
    page = " ".join(corpora()["books"][0].split()[:400])
    print(f"\n{'set':<10} {'words':<9} {'items':>6} {'edits':>6} {'containment':>12} {'alignment':>10}")
    for testset in SETS:
        groups: dict[str, list[str]] = {}
        for item in read_items(testset):
            n = len(item.text.split())
            for low, high in ((8, 15), (16, 31), (32, 76), (77, 512)):
                if low <= n <= high and UNKNOWN not in item.text:
                    groups.setdefault(f"{low}-{high}", []).append(item.text)
        for lengths, items in sorted(groups.items(), key=lambda pair: int(pair[0].split("-")[0])):
            items = rng.sample(items, min(len(items), 1000))
            for n_edits in (0, 1, 2):
                texts = [f"{page} {_edited(item, n_edits, rng)} {page}" for item in items]
                columns = testsets.measure(pa.array(texts, pa.large_string()))
                shares = [
                    np.mean(columns.column(f"contamination_{name}").to_numpy() >= 0.8)
                    for name in ("containment", "alignment")
                ]
                columns_of = f"{testset.name:<10} {lengths:<9} {len(items):>6} {n_edits:>6}"
                print(f"{columns_of} {shares[0]:>12.1%} {shares[1]:>10.1%}")


def _edited(text: str, n: int, rng: random.Random) -> str:
    tokens = text.split()
    for _ in range(n):
        kind, at = rng.randrange(3), rng.randrange(len(tokens))
        tokens[at : at + (kind != 2)] = ["otherword"] * (kind != 1)
    return " ".join(tokens)


SIGNALS = ("containment", "alignment", "passage")
QUOTES = [(8, 15, 1.0), (16, 31, 1.0), (32, 76, 1.0), (77, 512, 1.0), (77, 512, 0.5), (128, 512, 0.25)]


def quotes(testsets: TestSets) -> None:
    """The operating curve: items of all sets, whole or in part, in pages of 1,600 words, with a share of their words
    altered as copies of old books alter them. A row each for how many words the item has, how much of it the page
    holds, and the share altered; then the texts of which no item is a part."""
    rng = random.Random(1)
    texts_of = corpora()
    page = " ".join(texts_of["books"][3:20]).split()
    items = [item.text for testset in SETS for item in read_items(testset) if UNKNOWN not in item.text]
    lengths = np.diff(words(pa.array(items)).bounds)
    head = " ".join(f"{name + ' .8 .7 .6':>22}" for name in SIGNALS)
    print(f"\n{'words':<9} {'part':>5} {'altered':>8} {'items':>6} {'a shingle':>10} {head}")

    def row(label: str, columns: pa.RecordBatch) -> None:
        hit = np.mean(columns.column("test_items_hit").to_numpy() > 0)
        shares = []
        for name in SIGNALS:
            values = columns.column(f"contamination_{name}").to_numpy()
            shares += [f"{np.mean(values >= limit):>9.1%}" for limit in (0.8, 0.7, 0.6)]
        print(f"{label} {hit:>10.1%} " + " ".join(shares))

    for low, high, part in QUOTES:
        chosen = [item for item, n in zip(items, lengths) if low <= n <= high]
        chosen = rng.sample(chosen, min(len(chosen), 600))
        for rate in (0.0, 0.05, 0.1, 0.2):
            documents = []
            for item in chosen:
                quote = item.split()
                n = round(len(quote) * part)
                first, at = rng.randrange(len(quote) - n + 1), rng.randrange(len(page) - 1600)
                quoted = _altered(quote[first : first + n], rate, rng)
                documents.append(" ".join([*page[at : at + 800], *quoted, *page[at + 800 : at + 1600]]))
            columns = testsets.measure(pa.array(documents, pa.large_string()))
            row(f"{low}-{high:<{8 - len(str(low))}} {part:>5} {rate:>8.0%} {len(chosen):>6}", columns)
    for name, texts in texts_of.items():
        columns = testsets.measure(pa.array(texts, pa.large_string()))
        row(f"clean: {name:<17} {len(texts):>6}", columns)


def _altered(words: list[str], rate: float, rng: random.Random) -> list[str]:
    """Words with a share of them misspelt, broken by a hyphen, marked by a footnote, exchanged, left out or put in."""
    out: list[str] = []
    for word in words:
        if rng.random() >= rate:
            out.append(word)
            continue
        at = rng.randrange(len(word))
        out += [
            [word[:at] + "u" + word[at:]],
            [word[:at] + "-", word[at:]],
            [word + "[1]"],
            ["otherword"],
            [],
            [word, "otherword"],
        ][rng.randrange(6)]
    return out


def worst_cases(testsets: TestSets) -> None:
    """CPU seconds a MB of documents made to be slow, over those of ordinary text of the same size."""
    book = "\n\n".join(corpora()["books"])
    items = [item.text for testset in SETS[:3] for item in read_items(testset)]
    starts = [" ".join(item.split()[:9]) for item in items]
    cases = {
        "one word of 20 MB": "a" * 20_000_000,
        "one letter 10 M times": "a " * 10_000_000,
        "the items themselves": " ".join(items),
        "starts of items, 20 times": " ".join(starts * 20),
        "one item 50,000 times": " ".join([items[3]] * 50_000),
        "set phrase 500,000 times": "which of the following is an example of a " * 500_000,
    }
    print(f"\n{'one document':<28} {'MB':>6} {'ms/MB':>8} {'x ordinary':>11}")
    for name, text in cases.items():
        ordinary = (book * (len(text) // len(book) + 1))[: len(text)]
        per_mb = []
        for document in (ordinary, text):
            column = pa.array([document], pa.large_string())
            per_mb.append(seconds(testsets.measure, column, 2) / (len(document.encode()) / 1e6))
        print(f"{name:<28} {len(text) / 1e6:>6.1f} {per_mb[1] * 1e3:>8.1f} {per_mb[1] / per_mb[0]:>11.1f}")


def main() -> None:
    started = time.process_time()
    testsets = TestSets.read(SETS)
    searched = sum(members.n_searched for members in testsets.members)
    print(
        f"index: {testsets.n_items} items, {searched} searched for, {len(testsets.arrays.items)} shingles, "
        f"{testsets.nbytes / 1e6:.1f} MB, made in {time.process_time() - started:.1f} s\n"
    )
    speed(testsets)
    edits(testsets)
    quotes(testsets)
    worst_cases(testsets)


if __name__ == "__main__":
    if not DATA.is_dir():
        sys.exit(f"no text at {DATA}: set MASSIVETEXT_DATA")
    main()
