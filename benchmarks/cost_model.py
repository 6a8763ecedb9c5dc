"""What Gopher's 10.5 TB, and a month of Common Crawl, would take: an extrapolation from measured figures.

`python benchmarks/cost_model.py [--cores 400]`. MEASURED is all that it knows of this program; put newer figures there.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

MEASURED = {
    # per core, CPU time, and where the figure stands
    "web pages/s": 604,  # docs/extraction.md: gzipped WARC to curated Parquet, all rules of massiveweb, 151 kB a page
    "read MB/s": 443,  # docs/readers.md: JSON lines
    "language us/document": 109,  # docs/language.md: English, 5 kB
    "test sets MB/s": 243,  # docs/test-sets.md: J and containment
    "evidence MB/s": 121,  # docs/deduplication.md
    "candidates MB/s": 96,  # docs/deduplication.md: shingles of candidates
    "candidates share": 0.35,  # docs/deduplication.md: of the text, in its synthetic corpus
    "duplicates us/document": 8.9,  # docs/deduplication.md: the rest
    "shards MB/s": 114,  # docs/mixture.md: text in and text out, as Parquet; taken for writing curated files as well
    "evidence B/document": 168,  # docs/deduplication.md
    "union-find B/document": 4,  # docs/deduplication.md
    "shingles B/B": 0.38,  # docs/deduplication.md: temporary disk, 4 TB for 10.5 TB of text
}

ASSUMED = {
    "kept": 0.3,  # of pages read; how many MassiveWeb was made from is not published
    "Parquet": 0.45,  # bytes on disk a byte of text, zstd
    "ledger B/record": 250,
    "busy": 0.9,  # share of cores at work; the rest is starts, and waiting for the last task of a stage
    "minutes a job": 4,  # until an engine's machines are up
    "jobs": 4,  # one for each pipeline, whatever the number of subsets
    "$ a core-hour": 0.056 + 4 * 0.003557,  # Dataflow's list price in us-central1, batch, 4 GB a core; no discount
    "$ a GB-month": 0.020,  # object store, standard class
}


@dataclass(frozen=True)
class Corpus:
    """pages: of HTML to read; documents, text (TB): of sources that hold text; sought: documents and text (TB) that
    duplicates are sought among; mixture: TB of text written; scopes: documents of the subsets deduplicated."""

    name: str
    pages: float
    documents: float
    text: float
    sought_documents: float
    sought_text: float
    mixture: float
    scopes: tuple[float, ...]


CORPORA = (
    # spec table of the paper: 604 M documents of MassiveWeb; books, C4, news, GitHub and Wikipedia as text
    Corpus("MassiveText", 604e6 / ASSUMED["kept"], 1.613e9, 8.65, 2.07e9, 7.45, 1.2, (604e6, 4e6, 361e6, 1.1e9)),
    # pages of a crawl: 3e9, 140 kB of HTML each; a kept document has MassiveWeb's 3.1 kB
    Corpus("a month of Common Crawl", 3e9, 0, 0, 3e9 * 0.3, 3e9 * 0.3 * 3.1e-9, 3e9 * 0.3 * 3.1e-9, (3e9 * 0.3,)),
)


def core_hours(corpus: Corpus) -> dict[str, float]:
    """Core-hours by step."""
    m = MEASURED
    mb = 1e6  # MB in a TB
    seconds = {
        "pages: read, extract, measure, write": corpus.pages / m["web pages/s"],
        "texts: read, measure, write": corpus.text * mb * (1 / m["read MB/s"] + 1 / m["shards MB/s"])
        + corpus.documents * m["language us/document"] * 1e-6,
        "test sets": corpus.text * mb / m["test sets MB/s"],
        "evidence of texts": min(corpus.text, corpus.sought_text) * mb / m["evidence MB/s"],
        "duplicates: candidates read again": corpus.sought_text * m["candidates share"] * mb / m["candidates MB/s"],
        "duplicates: the rest": corpus.sought_documents * m["duplicates us/document"] * 1e-6,
        "mixture": corpus.mixture * mb / m["shards MB/s"],
    }
    return {step: value / 3600 for step, value in seconds.items()}


def disk(corpus: Corpus) -> dict[str, float]:
    """TB by what lies there."""
    web = corpus.pages * ASSUMED["kept"] * 3.1e-9 / ASSUMED["kept"]  # kept and rejected pages alike
    return {
        "curated and rejected": (corpus.text + web) * ASSUMED["Parquet"],
        "ledger, twice": 2 * (corpus.documents + corpus.pages) * ASSUMED["ledger B/record"] * 1e-12,
        "evidence": corpus.sought_documents * MEASURED["evidence B/document"] * 1e-12,
        "temporary, duplicates": corpus.sought_text * MEASURED["shingles B/B"],
        "mixture": corpus.mixture * ASSUMED["Parquet"],
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cores", type=int, default=400)
    cores = parser.parse_args().cores
    for corpus in CORPORA:
        print(f"\n{corpus.name}: {corpus.pages / 1e9:.2f} G pages, {corpus.text:.2f} TB of other text")
        spent = core_hours(corpus)
        total = sum(spent.values())
        for step, hours in {**spent, "together": total}.items():
            print(f"| {step} | {hours:,.0f} core-hours | {hours / total:.0%} |")
        held = disk(corpus)
        for kind, size in {**held, "together": sum(held.values())}.items():
            print(f"| disk: {kind} | {size:,.1f} TB | |")
        largest = max(corpus.scopes)
        serial = largest * MEASURED["duplicates us/document"] * 1e-6 / 3600
        memory = largest * MEASURED["union-find B/document"] / 1e9
        print(f"| union-find of {largest / 1e6:,.0f} M documents, one process | < {serial:.1f} h | {memory:.1f} GB |")
        jobs = ASSUMED["jobs"]
        starts = jobs * ASSUMED["minutes a job"] / 60
        hours = total / (cores * ASSUMED["busy"]) + serial + starts
        print(f"| on {cores} cores, in {jobs} jobs | {hours:,.1f} h | |")
        price = total / ASSUMED["busy"] * ASSUMED["$ a core-hour"] + sum(held.values()) * 1e3 * ASSUMED["$ a GB-month"]
        print(f"| list price, with the disk for a month | ${price:,.0f} | |")


if __name__ == "__main__":
    main()
