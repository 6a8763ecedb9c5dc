"""Compressed files that are damaged, or look as if they had members: rows are those of the whole file."""

from __future__ import annotations

import gzip
import json
import random
from typing import Any

import pytest

from massivetext.readers import compression, members
from tests.readers.archives import http, record
from tests.readers.member_files import (
    COMPRESSIONS,
    archive,
    check,
    json_lines,
    nested,
    page,
    pages,
    split,
    stored,
    words,
)

pytestmark = pytest.mark.usefixtures("small_margin")


def test_archives_within_stored_members_are_not_taken_for_members() -> None:
    parts = [stored(nested() if n % 2 else part) for n, part in enumerate(pages(300))]
    data = b"".join(parts)
    is_again = []
    for target in (30_000, 40_009, 61_000):
        ranges = check(data, "warc", target, 1)
        is_again.append(split(data, "warc", target, 1)[1])
        starts = {sum(map(len, parts[:n])) for n in range(len(parts))}
        assert {one.start for one in ranges} <= starts
        assert len(ranges) > 3

    assert any(is_again)


def test_more_false_members_than_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "_CANDIDATES", 10)
    bait = json.dumps({"text": words(1)}).encode() + b"\x1f\x8b\x08\x00" * 2000 + b"\n"
    data = b"".join(stored(bait) if n % 3 else gzip.compress(part) for n, part in enumerate(json_lines(200)))
    _, is_again = split(data, "jsonl", 40_000, 1)

    assert is_again
    assert len(check(data, "jsonl", 40_000, 1)) > 3


@pytest.mark.parametrize("format", ["warc", "jsonl"])
@pytest.mark.parametrize("name", ["gzip", "zstd", "bzip2", "xz", "lz4"])
def test_damage_at_any_place(format: str, name: str) -> None:
    chance = random.Random(name)
    data = archive(pages(100) if format == "warc" else json_lines(100), COMPRESSIONS[name], 2)
    for _ in range(3):
        at = chance.randrange(len(data))
        changed = data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
        check(changed, format)
        check(data[:at], format)
        check(data[:at] + chance.randbytes(chance.randrange(1, 300)) + data[at:], format)


@pytest.mark.parametrize("format", ["warc", "jsonl"])
def test_trailing_garbage(format: str) -> None:
    data = archive(pages() if format == "warc" else json_lines())
    for garbage in (b"garbage", b"\x1f\x8b", b"\x1f\x8b\x08\x00" + b"x" * 50, random.Random(0).randbytes(200_000)):
        assert len(check(data + garbage, format)) > 3


def test_a_wrong_checksum_in_the_middle() -> None:
    for format, parts in (("warc", pages()), ("jsonl", json_lines())):
        compressed = [gzip.compress(part) for part in parts]
        compressed[250] = compressed[250][:-8] + bytes([compressed[250][-8] ^ 1]) + compressed[250][-7:]
        assert len(check(b"".join(compressed), format)) > 2


def test_records_appended_without_compression() -> None:
    data = archive(pages()) + b"".join(pages(30)) + archive(pages(30))

    assert len(check(data, "warc")) > 3


def test_nothing_is_cut_behind_what_may_be_a_bomb(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (compression, members):
        monkeypatch.setattr(module, "BOMB_BYTES", 500_000)
        monkeypatch.setattr(module, "BOMB_RATIO", 20)
    bomb = record(http(b"<html>" + bytes(40_000_000) + b"</html>"), 5)
    for place in (50, 200, 350):
        parts = pages()
        parts.insert(place, bomb)
        check(archive(parts), "warc")


@pytest.mark.parametrize(
    "how",
    [{"length": 10}, {"length": 10**6}, {"length": None}, {"end": b""}, {"end": b"\n"}, {"newline": b"\n"}],
)
def test_records_with_wrong_frames(how: dict[str, Any]) -> None:
    parts = [record(http(page(n)), n, **(how if n % 5 == 0 else {})) for n in range(400)]

    assert len(check(archive(parts), "warc")) > 3


def test_headers_that_no_blank_line_ends() -> None:
    header = b"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://a/x\r\n"
    parts = [header if n % 3 == 0 else part for n, part in enumerate(pages())]

    check(archive(parts), "warc")


def test_members_of_more_records_than_they_have_bytes() -> None:
    """The records of such a member count on beyond the start of the next one."""
    many = b"".join(record(b"", 1, kind=b"revisit") for _ in range(3000))
    parts = [many if n % 4 == 0 else part for n, part in enumerate(pages(200))]

    check(archive(parts), "warc", 20_000)


def test_records_in_segments_across_members() -> None:
    def segment(number: int, of: int, body: bytes) -> bytes:
        own = b"<urn:%d>" % (of if number == 1 else 10_000 + of)
        lines = [b"WARC/1.0", b"WARC-Type: " + (b"response" if number == 1 else b"continuation")]
        lines += [b"WARC-Record-ID: " + own, b"warc-SEGMENT-number: %d" % number]
        lines += [b"Content-Type: application/http; msgtype=response", b"Content-Length: %d" % len(body)]
        if number > 1:
            lines += [b"WARC-Segment-Origin-ID: <urn:%d>" % of, b"WARC-Segment-Total-Length: 100"]
        return b"\r\n".join(lines) + b"\r\n\r\n" + body + b"\r\n\r\n"

    body = http(page(1))
    plain = pages()
    parts = [*plain[:300], segment(1, 1, body[:900]), *plain[300:350], segment(2, 1, body[900:]), *plain[350:]]

    assert len(check(archive(parts), "warc")) > 3


@pytest.mark.parametrize("seed", range(15))
def test_files_made_at_random(seed: int) -> None:
    chance = random.Random(seed)
    format = chance.choice(["warc", "jsonl", "lines"])
    content = pages(150) if format == "warc" else json_lines(150)
    compress = COMPRESSIONS[chance.choice(["gzip", "gzip", "zstd", "lz4", "stored"])]
    parts: list[bytes] = []
    at = 0
    while at < len(content):
        n = chance.randrange(1, 6)
        piece = b"".join(content[at : at + n])
        at += n
        middle = chance.randrange(len(piece)) if chance.random() < 0.2 else len(piece)
        parts += [compress(piece[:middle]), compress(piece[middle:])] if middle < len(piece) else [compress(piece)]
        if chance.random() < 0.02:
            parts.append(chance.choice([b"garbage", bytes(100), compress(b""), parts[-1][: len(parts[-1]) // 2]]))
    check(b"".join(parts), format, chance.randrange(15_000, 120_000), chance.randrange(1, 5))
