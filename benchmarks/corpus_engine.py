"""Web archives and JSON lines of any size, made from real text by seeded edits.

Each file is a function of the seed, its kind and its number alone, so files are made side by side, and those that are
there are not made again. Half of the bytes are pages (WARC, gzip), half are texts (JSON lines, zstd).

A page is one of the annotated ones with a quarter of the words between its tags replaced by words of the same page; a
text is a window of books and technical documents with a quarter of its words replaced by others of theirs. So what is
made is about as hard to extract, to tell the language of and to judge as what it is made from, and unlike all else that
is made: 13 words in a row are spared in one of 40 places. Of every 20 documents one is a copy of another, and one a
near-duplicate, with a word in 200 replaced; their like stand in any file.
"""

from __future__ import annotations

import bz2
import gzip
import json
import os
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path

import numpy as np
import zstandard

__all__ = ["FILE_BYTES", "Made", "make", "tasks"]

FILE_BYTES = 64 << 20
"""Bytes of content in a file, at most, but for its last document; the main job reads a file as one part."""

EDITED, SLIGHTLY = 0.25, 0.005
COPIES, NEAR = 0.05, 0.05
_FOLLOWERS = 10
"""Documents of a kind to one of those that copies are made of."""
_MARKUP = re.compile(rb"(?is)<script.*?</script>|<style.*?</style>|<!--.*?-->|<[^>]*>")
_WORD = re.compile(rb"[A-Za-z]{2,}")

Made = tuple[str, int, int]
"""A file, the bytes of its content, and its documents."""


class _Page:
    """A page as pieces of bytes, of which those at `words` can be replaced."""

    def __init__(self, page: bytes) -> None:
        self.pieces: list[bytes] = []
        words: list[int] = []
        at = 0
        for found in _MARKUP.finditer(page):
            self._text(page[at : found.start()], words)
            self.pieces.append(found.group())
            at = found.end()
        self._text(page[at:], words)
        self.words = np.array(words)

    def _text(self, text: bytes, words: list[int]) -> None:
        at = 0
        for found in _WORD.finditer(text):
            self.pieces.append(text[at : found.start()])
            words.append(len(self.pieces))
            self.pieces.append(found.group())
            at = found.end()
        self.pieces.append(text[at:])

    def edited(self, generator: np.random.Generator, share: float) -> _Page:
        page = object.__new__(_Page)
        page.pieces, page.words = self.pieces.copy(), self.words
        chosen = self.words[generator.random(len(self.words)) < share]
        others = self.words[generator.integers(0, len(self.words), len(chosen))]
        for place, other in zip(chosen.tolist(), others.tolist()):
            page.pieces[place] = self.pieces[other]
        return page

    @property
    def content(self) -> bytes:
        return b"".join(self.pieces)


class _Window:
    """Some words of running text, each with the space that follows it."""

    def __init__(self, words: list[bytes]) -> None:
        self.words = words

    def edited(self, generator: np.random.Generator, share: float) -> _Window:
        words = self.words.copy()
        chosen = np.flatnonzero(generator.random(len(words)) < share)
        stream = _stream()
        for place, other in zip(chosen.tolist(), generator.integers(0, len(stream), len(chosen)).tolist()):
            words[place] = stream[other]
        return _Window(words)

    @property
    def content(self) -> bytes:
        return b"".join(self.words)


def _data() -> Path:
    return Path(os.environ["MASSIVETEXT_DATA"])


@lru_cache(maxsize=1)
def _pages() -> list[_Page]:
    found = [_Page(gzip.decompress(path.read_bytes())) for path in sorted((_data() / "extraction" / "html").iterdir())]
    return [page for page in found if len(page.words) > 100]


@lru_cache(maxsize=1)
def _stream() -> list[bytes]:
    texts = [path.read_bytes() for path in sorted((_data() / "books").glob("*.md"))]
    with gzip.open(_data() / "peps" / "peps.jsonl.gz") as lines:
        texts += [json.loads(line)["text"].encode() for line in lines]
    texts.append(bz2.decompress((_data() / "testsets" / "hellaswag_val_full.txt.bz2").read_bytes()))
    return re.findall(rb"\S+\s*", b"\n\n".join(texts))


def _page(generator: np.random.Generator) -> _Page:
    pages = _pages()
    return pages[int(generator.integers(0, len(pages)))].edited(generator, EDITED)


def _window(generator: np.random.Generator) -> _Window:
    stream = _stream()
    n = int(np.clip(generator.lognormal(5.9, 0.5), 60, 4000))
    start = int(generator.integers(0, len(stream) - n))
    return _Window(stream[start : start + n]).edited(generator, EDITED)


def _documents(
    seed: int, kind: str, number: int, n_copied: int, make: Callable[[np.random.Generator], _Page | _Window]
) -> Iterator[bytes]:
    """Documents of one file without end."""
    stream = len(kind)
    generator = np.random.default_rng([seed, stream, 0, number])
    while True:
        draw = generator.random()
        if draw < COPIES + NEAR:
            document = make(np.random.default_rng([seed, stream, 1, int(generator.integers(0, n_copied))]))
            yield document.edited(generator, SLIGHTLY if draw < NEAR else 0).content
        else:
            yield make(generator).content


def _record(url: str, page: bytes) -> bytes:
    """A response record, one gzip member, with the page's own bytes, whatever their encoding."""
    block = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%b" % (len(page), page)
    fields = (
        f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {url}\r\nWARC-Date: 2000-01-01T00:00:00Z\r\n"
        f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(block)}\r\n\r\n"
    )
    member = zlib.compressobj(1, wbits=31)
    return member.compress(fields.encode() + block + b"\r\n\r\n") + member.flush()


def _line(url: str, text: bytes) -> bytes:
    row = {"text": text.decode(), "url": url, "timestamp": "2000-01-01T00:00:00Z"}
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"


def make(task: tuple[str, str, int, int, int, int]) -> Made:
    """One file: (folder, kind, number, bytes of content, documents that copies are made of, seed). Even numbers go to
    one folder, odd ones to another, so that half of the corpus has a path. A file that is there is left."""
    folder, kind, number, n_bytes, n_copied, seed = task
    ending = "warc.gz" if kind == "warc" else "jsonl.zst"
    path = Path(folder) / kind / "ab"[number % 2] / f"{number:05d}.{ending}"
    note = path.with_name(path.name + ".made")
    if note.exists():
        return str(path), *json.loads(note.read_text())
    path.parent.mkdir(parents=True, exist_ok=True)
    held = documents = 0
    with ExitStack() as stack:
        file = stack.enter_context(open(f"{path}.part", "wb"))
        if kind == "jsonl":
            file = stack.enter_context(zstandard.ZstdCompressor(level=1).stream_writer(file))
        for content in _documents(seed, kind, number, n_copied, _page if kind == "warc" else _window):
            url = f"http://example.org/{kind}/{number}/{documents}"
            file.write(_record(url, content) if kind == "warc" else _line(url, content))
            held, documents = held + len(content), documents + 1
            if held >= n_bytes:
                break
    os.replace(f"{path}.part", path)
    note.write_text(json.dumps([held, documents]))
    return str(path), held, documents


def tasks(folder: Path, n_bytes: int, seed: int) -> list[tuple[str, str, int, int, int, int]]:
    """What `make` is to be called with for a corpus of so many bytes of content."""
    found = []
    for kind, mean in (("warc", 100_000), ("jsonl", 2_500)):
        share = n_bytes // 2
        n_files = max(2, min(8, share >> 22), -(-share // FILE_BYTES))
        n_copied = max(1, share // mean // _FOLLOWERS // 2)
        found += [(str(folder), kind, number, share // n_files, n_copied, seed) for number in range(n_files)]
    return found
