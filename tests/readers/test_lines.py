from __future__ import annotations

import bz2
import gzip
import io
import itertools
import json
import lzma
from collections import Counter
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from massivetext import readers
from massivetext.documents import Record
from massivetext.readers import fields, lines
from tests.readers.reading import read, reasons


def all_parts(path: Path, format: str, target_bytes: int) -> list[Record]:
    size = path.stat().st_size
    ranges = readers.split(str(path), format, size=size, target_bytes=target_bytes)

    assert ranges[0][0] == 0
    assert ranges[-1][1] == size
    assert all(left[1] == right[0] for left, right in itertools.pairwise(ranges))
    return [r for start, stop in ranges for r in readers.read_part(str(path), format, start=start, stop=stop)]


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff"))), st.integers(1, 40)
)
def test_every_line_is_in_one_part(tmp_path_factory: pytest.TempPathFactory, texts: list[str], target: int) -> None:
    path = tmp_path_factory.mktemp("lines") / "a.txt"
    path.write_bytes("\n".join(texts).encode())
    expected = [text for text in texts if text.encode().strip()]
    found = all_parts(path, "lines", target)

    assert [r.text for r in found] == expected
    data = path.read_bytes()
    assert all(data[r.offset :].startswith((r.text or "").encode()) for r in found)


def test_line_ends_and_blank_lines() -> None:
    counts: Counter[str] = Counter()
    found, error = read(b"\xef\xbb\xbfone\r\n\n  \ntw\0o\nbad \xff\xfe\nlast", "lines", counts=counts)

    assert [r.text for r in found] == ["one", "two", "bad \ufffd\ufffd", "last"]
    assert [r.n_replaced for r in found] == [0, 0, 2, 0]
    assert counts == {"blank": 2}
    assert error is None


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_files_with_a_byte_order_mark(encoding: str) -> None:
    mark = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}.get(encoding, b"")
    found, _ = read(mark + "première\r\nдва\n".encode(encoding), "lines")

    assert [r.text for r in found] == ["première", "два"]


@pytest.mark.parametrize("encode", [gzip.compress, bz2.compress, lzma.compress, zstandard.compress])
def test_compressed_whatever_the_name(tmp_path: Path, encode) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "a.txt"
    path.write_bytes(encode(b"one\ntwo\n") + encode(b"three\n"))

    assert [r.text for r in all_parts(path, "lines", 4)] == ["one", "two", "three"]


def test_a_truncated_file_gives_what_stands_before() -> None:
    stored = gzip.compress(b"".join(b'{"text": "document %d"}\n' % i for i in range(5000)), mtime=0)
    found, error = read(stored[: len(stored) // 2], "jsonl")

    assert len(found) > 1000
    assert [r.text for r in found[:-1]] == [f"document {i}" for i in range(len(found) - 1)]
    assert found[-1].reason == "failed.truncated"
    assert error == "file: truncated: its last gzip member has no end"


def test_a_line_that_is_too_long_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "_READ", 64)
    data = b"short\n" + b"x" * 1000 + b"\nshort\n"
    found = list(lines.lines(io.BytesIO(data), start=0, stop=len(data), source="file", counts={}, limit=100))

    assert found == [(0, b"short", None), (6, None, None), (1007, b"short", None)]


def test_a_line_at_the_limit_and_one_over_it() -> None:
    data = b"x" * 100 + b"\n" + b"x" * 101 + b"\n" + b"x" * 101
    found = list(lines.lines(io.BytesIO(data), start=0, stop=len(data), source="file", counts={}, limit=100))

    assert [line.data and len(line.data) for line in found] == [100, None, None]


def test_json_lines_one_bad_one_after_another() -> None:
    rows = [
        b'{"text": "good", "url": "http://a/", "timestamp": "2020"}',
        b"not json",
        b"[1]",
        b'{"other": 1}',
        b'{"text": null}',
        b'{"text": 5}',
        b'{"text": ["a"]}',
        b"[" * 100_000,
        b'{"text": "cut',
        b'{"text": "\xff"}',
        b'{"n": ' + b"9" * 5000 + b', "text": "long number"}',
        b'{"text": "\\ud800a\\u0000b\\r\\nc\\ud83d\\ude00", "n": NaN}',
        b'{"text": ""}',
        b'"string"',
    ]
    found, error = read(b"\n".join(rows), "jsonl")

    assert [(r.text, r.reason) for r in found] == [
        ("good", None),
        (None, "failed.json"),
        (None, "failed.not_an_object"),
        (None, "failed.no_text"),
        (None, "failed.no_text"),
        (None, "failed.not_text"),
        (None, "failed.not_text"),
        (None, "failed.json"),
        (None, "failed.json"),
        ("\ufffd", None),
        ("long number", None),
        ("ab\nc😀", None),
        ("", None),
        (None, "failed.not_an_object"),
    ]
    assert (found[0].url, found[0].timestamp) == ("http://a/", "2020")
    assert found[9].n_replaced == 1
    assert error is None


def test_fields_by_the_recipe() -> None:
    row = {"content": "text", "meta": {"url": "u", "n": 3}, "names": ["a", "b"], "page": "<p>"}
    options = {"text": "content", "url": "meta.url", "count": "meta.n", "title": "names"}
    found, _ = read(json.dumps(row).encode(), "jsonl", options)

    assert (found[0].text, found[0].url, dict(found[0].metadata)) == ("text", "u", {"count": "3", "title": "a AND b"})

    found, _ = read(json.dumps(row).encode(), "jsonl", {"page": "page"})

    assert (found[0].text, found[0].page, found[0].content_type) == (None, b"<p>", "text/html; charset=utf-8")


def test_a_page_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fields, "MAX_PAGE", 3)

    assert reasons(read(b'{"page": "<p>"}\n{"page": "<p>x"}', "jsonl", {"page": "page"})[0]) == {
        "document": 1,
        "failed.too_large": 1,
    }


def test_the_real_files(shared_data: Path) -> None:
    assert len(all_parts(shared_data / "peps" / "peps.jsonl.gz", "jsonl", 1 << 20)) == 737
    assert len(all_parts(shared_data / "news" / "lee-300-news-items.txt", "lines", 10_000)) == 300
    for path in sorted((shared_data / "testsets" / "planted" / "training").glob("contaminated_mixed.jsonl*")):
        assert [r.reason for r in all_parts(path, "jsonl", 100)] == [None] * 5
