"""Fuzzes what works on text and pages, with the bounds of every array checked: `python tests/fuzz/fuzz_text.py`.

Texts are of few words often repeated, of all of Unicode, of the real data changed by bytes, and also no UTF-8 at all,
as Arrow does not look. What must hold: nothing is raised, no index is out of bounds, a text in a batch has the values
that it has alone, fractions are in [0, 1] and finite, extracted text is clean and the same each time.
"""

from __future__ import annotations

import gzip
import math
import os
import random
import shutil
import sys
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(REPOSITORY))


def _fresh_cache() -> Path:
    """A cache of kernels compiled with checks, apart from the usual one, and newer than every source."""
    sources = [path for name in ("massivetext", "filters") for path in (REPOSITORY / name).rglob("*.py")]
    folder = REPOSITORY / "build" / "numba-checked" / str(max(path.stat().st_mtime_ns for path in sources))
    for other in folder.parent.glob("*"):
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
    return folder


os.environ["NUMBA_BOUNDSCHECK"] = "1"
os.environ["NUMBA_CACHE_DIR"] = str(_fresh_cache())

import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402

from filters import block_list, c4, fineweb, hosts, language, pii, quality, repetition, rules, safe_search  # noqa: E402
from massivetext import dedup, extraction  # noqa: E402
from massivetext.contamination import TestSets  # noqa: E402
from massivetext.contamination.words import located_words, words  # noqa: E402
from massivetext.dedup.evidence import canonical_url  # noqa: E402
from massivetext.errors import LimitError, RecordError  # noqa: E402
from massivetext.extraction import wikitext  # noqa: E402
from massivetext.text import clean  # noqa: E402
from tests.fuzz.driver import DATA, Target, main, mutated  # noqa: E402
from tests.strategies import GAPS, PIECES  # noqa: E402

BATCH = 8


def is_clean(text: str) -> bool:
    return "\0" not in text and "\r" not in text and not any("\ud800" <= c <= "\udfff" for c in text)


@lru_cache(maxsize=1)
def real_texts() -> list[bytes]:
    found = []
    if DATA.is_dir():
        found += [path.read_bytes()[:20_000] for path in sorted((DATA / "books").glob("*.md"))]
        found += (DATA / "news" / "lee-300-news-items.txt").read_bytes().splitlines()[:50]
        found += gzip.decompress((DATA / "lang" / "udhr2.jsonl.gz").read_bytes()).splitlines()[:400:5]
    return found or [b"The story of the fox and the hound, which is told again and again. " * 20]


TOKENS = (
    *(piece.encode() for piece in (*PIECES, *GAPS)),
    *(
        b"\xff",
        b"\xc3",
        b"\xe2\x80",
        b"\xf0\x9f\x92",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xc0\x80",
        b"\xcc\x81" * 40,
    ),
    *(b"the the the ", b"a b c d e f g h i j k l m ", b"...", b"\n\n", b"- ", "ﬃ".encode(), "\U000e0100".encode()),
)


def text(chance: random.Random) -> bytes:
    kind = chance.randrange(5)
    if kind == 0:
        n = chance.choice((0, 1, 12, 13, 14, 60, 400))
        few = chance.sample(PIECES, chance.choice((1, 2, 3, 8)))
        return "".join(chance.choice(few) + chance.choice(GAPS) for _ in range(n)).encode()
    if kind == 1:
        points = (chance.choice((0x80, 0x3000, 0x10000, 0x110000)) for _ in range(chance.randrange(200)))
        return "".join(chr(chance.randrange(most)) for most in points).encode("utf-8", "replace")
    if kind == 2:
        return chance.randbytes(chance.choice((1, 2, 3, 50, 1000)))
    data = chance.choice(real_texts())
    start = chance.randrange(len(data) + 1)
    data = data[start : start + chance.choice((10, 500, 5000))]
    return data if kind == 3 else mutated(data, chance, TOKENS, 50_000)


def batch(chance: random.Random) -> list[bytes | None]:
    found: list[bytes | None] = [text(chance) for _ in range(chance.randrange(BATCH))]
    if found and chance.random() < 0.2:
        found[chance.randrange(len(found))] = None
    return found


def valid_batch(chance: random.Random) -> list[bytes | None]:
    return [None if item is None else clean(item.decode("utf-8", "replace")).encode() for item in batch(chance)]


def arrow(items: Iterable[bytes | None], kind: pa.DataType) -> pa.Array:
    """The bytes as text, unlooked at."""
    binary = pa.array(list(items), pa.large_binary() if kind == pa.large_string() else pa.binary())
    return pa.Array.from_buffers(kind, len(binary), binary.buffers(), binary.null_count, binary.offset)


def plain(value: Any) -> list[Any]:
    """Rows of whatever a measure returns, to compare."""
    if isinstance(value, (pa.RecordBatch, pa.Table)):
        return list(zip(*(column.to_pylist() for column in value.columns)))
    if isinstance(value, pa.Array):
        return value.to_pylist()
    if isinstance(value, np.ndarray):
        return [tuple(np.atleast_1d(row).tolist()) for row in value]
    return list(value)


def measured(measure: Callable[[pa.Array], Any]) -> Callable[[list[bytes | None]], None]:
    """The check of a measure: the batch as each of it alone, and as a slice of a longer one."""

    def check(items: list[bytes | None]) -> None:
        whole = measure(arrow(items, pa.large_string()))
        if isinstance(whole, pa.RecordBatch):
            for name in whole.schema.names:
                if name.endswith(("_fraction", "_jaccard", "_containment", "_alignment", "_score")):
                    bad = [x for x in whole.column(name).to_pylist() if x is not None and not 0 <= x <= 1]
                    assert not bad, f"{name}: {bad}"
                elif pa.types.is_floating(whole.column(name).type):
                    bad = [x for x in whole.column(name).to_pylist() if x is not None and not math.isfinite(x)]
                    assert not bad, f"{name}: {bad}"
        rows = plain(whole)
        assert len(rows) == len(items)
        alone = [row for item in items for row in plain(measure(arrow([item], pa.large_string())))]
        assert rows == alone, f"in a batch {rows}, alone {alone}"
        longer = arrow([b"x y", *items, b"z"], pa.string())
        assert rows == plain(measure(longer.slice(1, len(items)))), "in a slice other than by itself"

    return check


@lru_cache(maxsize=1)
def testsets() -> TestSets:
    folder = DATA / "testsets"
    paths = [folder / name for name in ("gsm8k_test.jsonl", "lambada_test.jsonl")]
    return TestSets.read([{"name": path.stem, "path": str(path)} for path in paths if path.exists()])


@lru_cache(maxsize=1)
def items() -> list[str]:
    path = DATA / "testsets" / "lambada_test.jsonl"
    return path.read_text("utf-8").splitlines()[:300] if path.exists() else ["no data"]


def contaminated(chance: random.Random) -> list[bytes | None]:
    """Texts that hold test items or pieces of them."""
    found = []
    for item in valid_batch(chance):
        line = chance.choice(items())
        at = chance.randrange(len(line))
        found.append((item or b"") + line[chance.choice((0, at)) :].encode() + (item or b""))
    return found


def located(found: list[bytes | None]) -> None:
    """Places of words are inside the text, in order, and hold the words that count."""
    for item in found:
        string = (item or b"").decode()
        hashes, _, starts, ends, _ = located_words(string)
        assert hashes.tolist() == words(pa.array([string], pa.large_string())).hashes.tolist()
        assert (starts < ends).all()
        assert not len(ends) or ends[-1] <= len(string)
        # Words that NFC parts stand where the one that they were part of did.
        assert (starts[1:] >= starts[:-1]).all()
        assert (ends[1:] >= ends[:-1]).all()


def spans(found: list[bytes | None]) -> None:
    measured(testsets().measure)(found)
    for item in found:
        string = (item or b"").decode()
        places = testsets().spans(string)
        assert all(0 <= start < end <= len(string) for start, end in places)
        assert places == sorted(places)


def replaced(found: list[bytes | None]) -> None:
    out = pii.replace(arrow(found, pa.large_string()))
    out.validate(full=True)
    assert len(out) == len(found)
    assert pii.replace(out).equals(out), "what was replaced is replaced again"


# Pages


HTML = (
    *(
        b"<p>",
        b"</p>",
        b"<div>",
        b"<table><tr><td>",
        b"</table>",
        b"<select><option>",
        b"<!--",
        b"-->",
        b"<![CDATA[",
        b"<",
    ),
    *(b"&amp;", b"&#x110000;", b"&#0;", b"&#xd800;", b"&notit;", b'<meta charset="utf-16">', b"<meta charset=gb18030>"),
    *(
        b"<script>",
        b"</script>",
        b"<style>",
        b"<pre>",
        b"<ul><li>",
        b"<a href='",
        b'"',
        b"'",
        b"=",
        b">",
        b"/>",
        b"\0",
        b"\r",
    ),
    *(
        b"<svg><title>",
        b"<math>",
        b"<template>",
        b"<noscript>",
        b"<plaintext>",
        b"<article>",
        b"\xff\xfe",
        b"\xed\xa0\x80",
    ),
    *(
        b'<script type="application/ld+json">{"articleBody": "',
        b"<br>" * 50,
        b"<frameset>",
        b"<title>",
        b"<body class=x>",
    ),
)


@lru_cache(maxsize=1)
def real_pages() -> list[bytes]:
    found = [b"<html><body><article><h1>A</h1><p>" + b"The story of the fox. " * 40 + b"</p></article></body></html>"]
    if DATA.is_dir():
        found += [
            path.read_bytes()[:60_000]
            for path in sorted((DATA / "extraction" / "html").rglob("*"))[:60]
            if path.is_file()
        ]
    return found


def page(chance: random.Random) -> bytes:
    if chance.random() < 0.2:
        return b"".join(chance.choices((*HTML, b"some words here. "), k=chance.randrange(300)))
    data = chance.choice(real_pages())
    for _ in range(chance.choice((1, 5))):
        data = mutated(data, chance, HTML, 200_000)
    return data


def extracted(data: bytes) -> None:
    try:
        found = extraction.extract(data)
    except (RecordError, LimitError):
        return
    assert is_clean(found), "not clean"
    assert found == extraction.extract(data), "another text the second time"
    assert len(found.encode()) <= 4 * len(data) + 100_000, f"{len(found)} characters out of {len(data)} bytes"


WIKI = (
    *(
        "{{",
        "}}",
        "[[",
        "]]",
        "{|",
        "|}",
        "|-",
        "<ref>",
        "</ref>",
        "<nowiki>",
        "'''",
        "==",
        "\n* ",
        "\n# ",
        "<!--",
        "-->",
    ),
    *(
        "[http://a b]",
        "[[File:a|b]]",
        "&nbsp;",
        "{{{",
        "}}}",
        "<math>",
        "<gallery>",
        "__TOC__",
        "\n:",
        "|",
        "<br/>",
        "\0",
    ),
)


def markup(chance: random.Random) -> str:
    parts = chance.choices((*WIKI, "word ", "some text, ", "\n"), k=chance.choice((5, 50, 500)))
    if chance.random() < 0.2:
        parts = [chance.choice(WIKI)] * 2000
    return "".join(parts)


def from_markup(given: str) -> None:
    found = wikitext.to_text(given)
    assert found == wikitext.to_text(given)
    assert len(found) <= 4 * len(given) + 1000


# URLs


URLS = (
    b"http://",
    b"https://",
    b"www.",
    b"@",
    b":",
    b"/",
    b"..",
    b".",
    b"?",
    b"#",
    b"[::1]",
    b"%00",
    b"\xff",
    b"xn--",
    b"\n",
    b" ",
    b"//",
)


def urls(chance: random.Random) -> list[bytes | None]:
    base = (b"http://user@www.example.com:80/a/b?c=d#e", b"0.0.0.0 bad.org", b"good.co.uk/path/", b"")
    return [mutated(chance.choice(base), chance, URLS, 3000) for _ in range(chance.randrange(1, BATCH))]


def blocked(found: list[bytes | None]) -> None:
    listed = block_list.BlockList([(item or b"").decode("utf-8", "replace") for item in found[: len(found) // 2 + 1]])
    array = arrow(found, pa.string())
    assert listed.match_all(array) == [hit for item in found for hit in listed.match_all(arrow([item], pa.string()))]
    for item in found:
        url = (item or b"").decode("utf-8", "replace")
        host = hosts.host_of(url)
        assert host.removeprefix("www.") == hosts.host_of(host), f"{host!r} is the host of {url!r}, and has another"
        canonical_url(url)


TARGETS = {
    "quality": Target(batch, measured(quality.measure)),
    "repetition": Target(batch, measured(repetition.measure)),
    "rules": Target(batch, measured(lambda texts: rules.measure(texts, num_hashes=16).repetition)),
    "repeats": Target(batch, measured(lambda texts: repetition.measure(texts, count_duplicates="repeats"))),
    "c4": Target(batch, measured(c4.measure)),
    "fineweb": Target(valid_batch, measured(fineweb.measure)),
    "shingles": Target(batch, measured(dedup.shingles)),
    "signatures": Target(batch, measured(lambda texts: dedup.signatures(texts, num_hashes=16))),
    "language": Target(valid_batch, measured(language.measure)),
    "safe-search": Target(valid_batch, measured(safe_search.measure)),
    "words": Target(valid_batch, located),
    "contamination": Target(contaminated, spans),
    "pii": Target(valid_batch, replaced),
    "salient": Target(page, extracted),
    "wikitext": Target(markup, from_markup),
    "urls": Target(urls, blocked),
}

if __name__ == "__main__":
    sys.exit(main(TARGETS, __doc__))
