"""Real texts that duplicates are looked for in."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def licences(shared_data: Path) -> list[str]:
    lines = (shared_data / "licences/spdx-728.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line)["text"] for line in lines]


@pytest.fixture(scope="session")
def peps(shared_data: Path) -> list[str]:
    with gzip.open(shared_data / "peps/peps.jsonl.gz", "rt", encoding="utf-8") as stream:
        return [json.loads(line)["text"] for line in stream]


@pytest.fixture(scope="session")
def windows(shared_data: Path) -> list[str]:
    """A chain: 2,000 windows of 300 words over one text, each 12 words further."""
    words = (shared_data / "books/The_Lost_World.md").read_text("utf-8").split()
    return [" ".join(words[12 * i : 12 * i + 300]) for i in range(2000)]


@pytest.fixture(scope="session")
def chapters(shared_data: Path) -> list[str]:
    """Books by the headings of their chapters; every second chapter once more with a few words changed."""
    texts = []
    for path in sorted((shared_data / "books").glob("*.md")):
        for number, chapter in enumerate(path.read_text("utf-8").split("\n## ")):
            texts.append(chapter)
            if number % 2:
                words = chapter.split()
                texts.append(" ".join(word for i, word in enumerate(words) if i % 97))
                texts.append(" ".join(word for i, word in enumerate(words) if i % 199))
    return texts


@pytest.fixture(scope="session")
def pages(shared_data: Path) -> list[str]:
    """Web pages of one crawl, many of one template, their markup cut out crudely."""
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    texts = []
    with (shared_data / "warc/ia-2008.warc.gz").open("rb") as stream:
        for record in ArchiveIterator(stream, record_types=WarcRecordType.response):
            body = record.reader.read()
            if b"<html" in body[:2000].lower():
                texts.append(re.sub(r"(?s)<(script|style).*?</\1>|<[^>]*>", " ", body.decode("utf-8", "replace")))
    return texts


@pytest.fixture(scope="module")
def texts(licences: list[str], windows: list[str]) -> list[str]:
    """Licences, a hundred of them twice, a chain, and texts without words."""
    return [*licences, *licences[:100], *windows[:600], *["!!"] * 5, "", " ", "?! ."]
