"""Speed of the rules on one core, in MB of UTF-8 a second of CPU time, against `str.split` and datatrove.

`python benchmarks/bench_rules.py`. The text is read from MASSIVETEXT_DATA. datatrove is installed into .venv-peers on
first use and sees a seeded sample, as it would need minutes for the whole. Each figure is the best of several runs.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

from filters import quality, repetition, rules
from massivetext.dedup.shingles import shingles
from massivetext.dedup.signatures import signatures

REPOSITORY = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("MASSIVETEXT_DATA", REPOSITORY / ".." / "shared" / "data"))
PEERS = REPOSITORY / ".venv-peers"
PEER_PACKAGES = ("datatrove==0.10.1", "nltk", "regex", "spacy", "tokenizers", "xxhash<4")
SAMPLE_BYTES = 2_000_000

STEPS: dict[str, Callable[[pa.Array], Any]] = {
    "quality": quality.measure,
    "repetition": repetition.measure,
    "shingles": shingles,
    "signature (128)": signatures,
    "all together": rules.measure,
}


def corpora() -> dict[str, list[str]]:
    """peps as they are, books in chapters, Wikipedia articles of WikiText."""
    with gzip.open(DATA / "peps" / "peps.jsonl.gz", "rt", encoding="utf-8") as lines:
        peps = [json.loads(line)["text"] for line in lines]
    books = [
        chapter
        for path in sorted((DATA / "books").glob("*.md"))
        for chapter in path.read_text("utf-8").split("\n## ")
        if chapter.strip()
    ]
    wiki = [
        article
        for name in ("valid", "test")
        for article in (DATA / "testsets" / f"wikitext-{name}.txt").read_text("utf-8").split("\n \n = ")
    ]
    return {"peps": peps, "books": books, "wikipedia": wiki}


def seconds(function: Callable[[Any], Any], argument: Any, times: int = 5) -> float:
    best = float("inf")
    for _ in range(times):
        started = time.process_time()
        function(argument)
        best = min(best, time.process_time() - started)
    return best


def split_all(texts: list[str]) -> None:
    for text in texts:
        text.split()


def peer(texts: list[str]) -> dict[str, float]:
    """MB/s of datatrove's three steps on these texts, and of the three one after another."""
    python = PEERS / "bin" / "python"
    if not (PEERS / ".installed").exists():
        subprocess.run([sys.executable, "-m", "venv", PEERS], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PEER_PACKAGES], check=True)
        (PEERS / ".installed").touch()
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump(texts, file)
        file.flush()
        script = Path(__file__).with_name("peer_datatrove.py")
        out = subprocess.run([python, script, file.name], capture_output=True, text=True, check=True).stdout
    n_bytes = sum(len(text.encode()) for text in texts)
    spent = json.loads(out.strip().splitlines()[-1])
    spent["all together"] = sum(spent.values())
    return {name: n_bytes / value / 1e6 for name, value in spent.items()}


def compare() -> None:
    print(f"{'corpus':<10} {'step':<16} {'MB/s':>7} {'x str.split':>12} {'x datatrove':>12}")
    for corpus, texts in corpora().items():
        n_bytes = sum(len(text.encode()) for text in texts)
        column = pa.array(texts, pa.large_string())
        split = n_bytes / seconds(split_all, texts) / 1e6
        sample, size = [], 0
        for text in random.Random(0).sample(texts, len(texts)):
            if size < SAMPLE_BYTES:
                sample.append(text)
                size += len(text.encode())
        peers = peer(sample)
        print(f"{corpus:<10} {'str.split':<16} {split:>7.0f}")
        for step, function in STEPS.items():
            function(column)
            speed = n_bytes / seconds(function, column) / 1e6
            ratio = f"{speed / peers[step]:.0f}" if step in peers else ""
            print(f"{corpus:<10} {step:<16} {speed:>7.0f} {speed / split:>12.2f} {ratio:>12}")
        print(f"{corpus:<10} datatrove's three: " + ", ".join(f"{name} {speed:.2f}" for name, speed in peers.items()))


def worst_cases() -> None:
    """CPU seconds a MB of documents made to be slow, over those of one document of the same size of ordinary text."""
    book = "\n\n".join(corpora()["books"])
    cases = {
        "one word of 50 MB": "a" * 50_000_000,
        "one word 25 M times on a line": "a " * 25_000_000,
        "10 M distinct words": " ".join(map(str, range(10_000_000))),
        "10 M newlines": "\n" * 10_000_000,
        "10 M lines of one letter": "a\n" * 10_000_000,
    }
    print(f"\n{'one document':<32} {'MB':>6} {'ms/MB':>8} {'x ordinary':>11}")
    for name, text in cases.items():
        ordinary = (book * (len(text) // len(book) + 1))[: len(text)]
        per_mb = []
        for document in (ordinary, text):
            column = pa.array([document], pa.large_string())
            per_mb.append(seconds(rules.measure, column, 1) / (len(document.encode()) / 1e6))
        print(f"{name:<32} {len(text) / 1e6:>6.0f} {per_mb[1] * 1e3:>8.1f} {per_mb[1] / per_mb[0]:>11.2f}")


if __name__ == "__main__":
    if not DATA.is_dir():
        sys.exit(f"no text at {DATA}: set MASSIVETEXT_DATA")
    compare()
    worst_cases()
