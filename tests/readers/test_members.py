"""Large compressed files split at their members: the rows of the ranges are those of the whole file."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import random
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from massivetext import readers
from massivetext.documents import Record
from massivetext.errors import SourceError
from massivetext.readers import compression, members
from massivetext.readers.members import Again, Cut, Stretch, join, ranges_between, scan
from massivetext.readers.reader import MemberRange
from massivetext.readers.splitting import by_bytes
from tests.readers.archives import arc, http, record
from tests.readers.reading import drained

Compress = Callable[[bytes], bytes]


@pytest.fixture(autouse=True)
def _small_margin(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that small files are cut; still more than readers look ahead."""
    monkeypatch.setattr(members, "_MARGIN", 1 << 14)


def zstd(data: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor().compress(data)


def zstd_streamed(data: bytes) -> bytes:
    """A frame that does not say how long its content is."""
    import zstandard

    compressor = zstandard.ZstdCompressor().compressobj()
    return compressor.compress(data) + compressor.flush()


def lz4(data: bytes) -> bytes:
    import lz4.frame

    return lz4.frame.compress(data)


def stored(data: bytes) -> bytes:
    """A gzip member whose content stands in it as it is."""
    return gzip.compress(data, 0)


COMPRESSIONS = {
    "gzip": gzip.compress,
    "zstd": zstd,
    "zstd streamed": zstd_streamed,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lz4": lz4,
    "stored": stored,
}


def words(seed: int, n: int = 300) -> str:
    chance = random.Random(seed)
    return " ".join(f"{chance.randrange(1 << 30):x}" for _ in range(n))


def page(number: int) -> bytes:
    return f"<html><body><p>page {number}</p><p>{words(number)}</p></body></html>".encode()


def pages(n: int = 400, **how: Any) -> list[bytes]:
    return [record(http(page(i)), i, **how) for i in range(n)]


def json_lines(n: int = 400) -> list[bytes]:
    return [json.dumps({"text": words(i), "url": f"http://a/{i}"}).encode() + b"\n" for i in range(n)]


def archive(parts: Sequence[bytes], compress: Compress = gzip.compress, together: int = 1) -> bytes:
    """A member for so many parts."""
    return b"".join(compress(b"".join(parts[at : at + together])) for at in range(0, len(parts), together))


def chopped(data: bytes, size: int, compress: Compress = gzip.compress) -> bytes:
    """Members of so many bytes of content, wherever they end."""
    return b"".join(compress(data[at : at + size]) for at in range(0, len(data), size))


def split(data: bytes, format: str, target: int, span: int = 2) -> tuple[list[MemberRange], bool]:
    """(the ranges of a file, whether anything had to be scanned again)."""
    how = readers.get(format).members
    assert how is not None
    ranges = by_bytes(len(data), target)
    stretches: list[Stretch] = []
    for at in range(0, len(ranges), span):
        stretches += scan(io.BytesIO(data), how, source="file", ranges=ranges[at : at + span])
    cuts, is_again = join(stretches, ranges), False
    if isinstance(cuts, Again):
        rest = scan(io.BytesIO(data), how, source="file", ranges=ranges[cuts.number :], first=cuts.first)
        cuts, is_again = join([*stretches[: cuts.number], *rest], ranges), True
    assert not isinstance(cuts, Again)
    return ranges_between(cuts, len(data)), is_again


def whole(data: bytes, format: str) -> tuple[list[Record], SourceError | None, Counter[str]]:
    counts: Counter[str] = Counter()
    records, error = drained(
        readers.read(io.BytesIO(data), format, start=0, stop=len(data), source="file", counts=counts)
    )
    return records, error, counts


def of_ranges(data: bytes, format: str, ranges: Sequence[MemberRange]) -> tuple[list[Record], list[str], Counter[str]]:
    how = readers.get(format).members
    assert how is not None
    records: list[Record] = []
    errors: list[str] = []
    counts = Counter[str]()
    if len(ranges) == 1:  # the file is not split, and read as ever
        records, whole_error, counts = whole(data, format)
        return records, [str(whole_error)] if whole_error else [], counts
    for one in ranges:
        of_range, error = drained(how.read(io.BytesIO(data), members=one, source="file", options={}, counts=counts))
        records += of_range
        errors += [str(error)] if error else []
    return records, errors, counts


def check(data: bytes, format: str, target: int = 40_000, span: int = 2) -> list[MemberRange]:
    """The ranges of a file, once their rows, errors and counts are seen to be those of the whole file."""
    ranges, _ = split(data, format, target, span)
    records, errors, counts = of_ranges(data, format, ranges)
    expected, error, expected_counts = whole(data, format)

    assert expected == records
    assert ([str(error)] if error else []) == errors
    assert expected_counts == counts
    return ranges


# -- whole files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMPRESSIONS)
@pytest.mark.parametrize("together", [1, 7])
def test_an_archive_of_members(name: str, together: int) -> None:
    data = archive(pages(), COMPRESSIONS[name], together)
    ranges = check(data, "warc", 100_000)

    assert len(by_bytes(len(data), 100_000)) == len(ranges) > 4
    assert [0, *(one.stop for one in ranges[:-1])] == [one.start for one in ranges]


@pytest.mark.parametrize("name", COMPRESSIONS)
@pytest.mark.parametrize("together", [1, 7])
def test_json_lines_of_members_that_end_lines(name: str, together: int) -> None:
    data = archive(json_lines(), COMPRESSIONS[name], together)
    ranges = check(data, "jsonl", 100_000)

    assert len(by_bytes(len(data), 100_000)) == len(ranges) > 4
    assert all(one.is_line_start for one in ranges)


@pytest.mark.parametrize("format", ["jsonl", "lines", "code"])
@pytest.mark.parametrize("size", [1000, 5003, 20_000])
def test_lines_that_cross_members(format: str, size: int) -> None:
    data = chopped(b"".join(json_lines()), size)
    ranges = check(data, format, 100_000)

    assert len(ranges) > 3
    assert not all(one.is_line_start for one in ranges)


def test_records_that_cross_members_are_not_cut() -> None:
    for size in (1000, 5003, 20_000):
        check(chopped(b"".join(pages()), size), "warc")


def test_every_target_and_span_gives_the_same_rows() -> None:
    data = archive(pages(200), together=2)
    for target in (20_011, 64_000, 150_000, len(data) - 1, len(data)):
        for span in (1, 3, 100):
            check(data, "warc", target, span)


def test_a_file_of_one_member_is_one_range() -> None:
    data = gzip.compress(b"".join(json_lines()))

    assert [MemberRange(0, len(data), 0, members.END, True)] == check(data, "jsonl")


def test_members_just_as_long_as_the_longest_and_longer() -> None:
    def ranges_of(n_lines: int) -> int:
        """Ranges of a file whose third member has so many lines of 100 bytes, stored as they are."""
        line = b"x" * 99 + b"\n"
        data = b"".join(stored(line * n) for n in (500, 500, n_lines, *[500] * 20))
        return len(check(data, "lines", 60_000))

    assert ranges_of(900) > 10
    assert 1 == ranges_of(3000)


def test_last_line_without_end_blank_lines_and_empty_members() -> None:
    lines = json_lines(300)
    lines[-1] = lines[-1].rstrip(b"\n")
    parts = [part + b"\n" * (n % 3) for n, part in enumerate(lines)]
    data = b"".join(gzip.compress(part) + gzip.compress(b"") * (n % 2) for n, part in enumerate(parts[:-1]))
    ranges = check(data + gzip.compress(parts[-1].rstrip(b"\n")) + gzip.compress(b""), "jsonl")

    assert len(ranges) > 3


def test_a_line_longer_than_a_range() -> None:
    lines = json_lines(300)
    lines[100] = json.dumps({"text": words(1, 60_000)}).encode() + b"\n"
    ranges = check(chopped(b"".join(lines), 10_000), "jsonl")

    assert len(ranges) > 3


def test_zero_padding_between_members() -> None:
    data = b"".join(gzip.compress(part) + bytes(n % 700) for n, part in enumerate(pages(300)))

    assert len(check(data + bytes(5000), "warc")) > 5


def test_seekable_zstd_with_its_table() -> None:
    table = b"\x5e\x2a\x4d\x18" + (9).to_bytes(4, "little") + bytes(4) + b"\0\xb1\xea\x92\x8f"
    data = archive(json_lines(), zstd, 10) + table

    assert len(check(data, "jsonl")) > 3


def test_frames_that_share_a_dictionary() -> None:
    import zstandard

    dictionary = zstandard.train_dictionary(1 << 12, [*pages(100)])
    content = dictionary.as_bytes()
    frames = [zstandard.ZstdCompressor(dict_data=dictionary).compress(part) for part in pages(300)]
    data = b"\x5d\x2a\x4d\x18" + len(content).to_bytes(4, "little") + content + b"".join(frames)

    assert len(check(data, "warc")) > 5


def test_extracted_text_in_wet() -> None:
    parts = [record(words(i).encode(), i, kind=b"conversion", content_type=b"text/plain") for i in range(400)]

    assert len(check(archive(parts), "wet")) > 5


def arcs(n: int = 400) -> list[bytes]:
    """ARC records of pages as long as those of `pages`."""
    parts = arc(0)
    for i in range(n):
        body = http(page(i))
        parts.append(b"http://example.org/%d 1.2.3.4 20080102030405 text/html %d\n" % (i, len(body)) + body + b"\n")
    return parts


@pytest.mark.parametrize("together", [1, 4])
def test_arc(together: int) -> None:
    assert len(check(archive(arcs(), together=together), "warc", 60_000)) > 5


def test_arc_records_that_cross_members() -> None:
    for size in (1000, 5003):
        check(chopped(b"".join(arcs()), size), "warc")


def test_arc_with_damaged_lines_wrong_lengths_and_records_of_another_kind() -> None:
    def changed(n: int, part: bytes) -> bytes:
        line, _, body = part.partition(b"\n")
        if n % 9 == 1:
            line = line.replace(b"20080102030405", b"2008x")
        elif n % 9 == 2:
            line = line.rpartition(b" ")[0] + (b" 100", b" 100000")[n % 2]
        elif n % 9 == 3:
            return body
        elif n % 9 == 4:
            line = line.replace(b" text/html ", b" text/html x y ")
        return line + b"\n" + body

    parts = [part if n == 0 else changed(n, part) for n, part in enumerate(arcs())]

    assert len(check(archive(parts), "warc")) > 3
    check(archive([*parts[:300], pages(1)[0], *parts[300:]]), "warc")
    check(archive([*pages(200), *parts]), "warc")


# -- what cannot be split --------------------------------------------------------------------------------------------


def _tar() -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as tar:
        for n in range(3):
            content = b"".join(json_lines(100))
            info = tarfile.TarInfo(f"{n}.jsonl")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return sink.getvalue()


@pytest.mark.parametrize(
    ("format", "content"),
    [
        ("jsonl", b"[" + b",\n".join(json_lines()) + b"]"),
        ("jsonl", b"".join(json_lines()).decode().encode("utf-16")),
        ("jsonl", _tar()),
        ("jsonl", b"%PDF-1.7\n" + b"".join(json_lines())),
        ("warc", b"garbage\n" + b"".join(pages())),
    ],
)
def test_what_has_no_lines_or_records_to_begin_at_is_one_range(format: str, content: bytes) -> None:
    assert 1 == len(check(chopped(content, 10_000), format, 20_000))


def test_a_file_that_is_not_compressed_is_one_range() -> None:
    assert 1 == len(split(b"".join(pages()), "warc", 40_000)[0])


# -- hostile files ---------------------------------------------------------------------------------------------------


def nested(n: int = 12) -> bytes:
    """A record that holds an archive of its own, gzip members and all."""
    inner = archive([record(http(b"<html><p>inner %d</p></html>" % i), i) for i in range(n)])
    return record(http(inner, kind=b"application/octet-stream"), 7)


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


# -- what is cut, exactly --------------------------------------------------------------------------------------------


def test_just_under_and_at_the_margin_behind_a_cut() -> None:
    """A cut needs a line end behind it, and then _MARGIN bytes of content before its stretch ends."""
    how = readers.get("lines").members
    assert how is not None
    for n, is_cut in ((members._MARGIN - 2, False), (members._MARGIN - 1, True)):
        head = gzip.compress(b"a line\n" * 100)
        data = head + gzip.compress(b"x" * 999 + b"\n") + gzip.compress(b"y" * n)
        ranges = [(0, len(head)), (len(head), len(data))]
        stretches = scan(io.BytesIO(data), how, source="file", ranges=ranges)

        assert (Cut(len(head), 0, True) if is_cut else None) == stretches[1].cut


def test_join_wants_a_new_scan_where_a_stretch_begins_elsewhere() -> None:
    cut = Cut(120, 5, True)
    stretches = [Stretch(0, 110, 50), Stretch(115, 210, 60, cut)]

    assert Again(1, 110) == join(stretches, [(0, 100), (100, 200)])
    assert [cut._replace(content=55)] == join([stretches[0]._replace(after=115), stretches[1]], [(0, 100), (100, 200)])


def test_join_passes_stretches_in_which_no_member_starts() -> None:
    cut = Cut(250, 0, False)
    stretches = [Stretch(0, 250, 50), Stretch(130, 170, 9, cut), Stretch(250, members.END, 70, cut)]

    assert [Cut(250, 50, False)] == join(stretches, [(0, 100), (100, 200), (200, 300)])


def test_join_cuts_nothing_behind_a_fault() -> None:
    cut = Cut(120, 0, True)
    stretches = [
        Stretch(0, 110, 50),
        Stretch(110, 210, 60, cut),
        Stretch(210, members.END, 9, cut, is_clean=False),
        Stretch(350, members.END, 9, cut),
    ]

    assert [Cut(120, 50, True)] == join(stretches, by_bytes(400, 100))


def test_join_at_the_limit_of_a_bomb() -> None:
    """Just at and just over BOMB_RATIO times the input and its slack."""
    limit = members.BOMB_RATIO * (100 + members._SLACK)
    content = members.BOMB_BYTES + 1
    cut = Cut(100, 0, True)
    for excess, n in ((limit - content, 1), (limit - content + 1, 0)):
        stretches = [Stretch(0, 100, content), Stretch(100, members.END, 9, cut, excess=excess)]
        assert n == len(join(stretches, [(0, 100), (100, 200)]))


def test_a_resumed_stream_gives_what_the_whole_one_gives() -> None:
    def rest(blocks: Iterator[compression.Block], start: int) -> bytes:
        return b"".join(block.data or b"" for block in blocks if block.start >= start)

    parts = [gzip.compress(part) for part in json_lines(20)]
    data = b"".join(parts)
    start = sum(map(len, parts[:10]))
    resumed = compression.resumed(io.BytesIO(data), source="file", start=start)

    assert b"".join(json_lines(20)[10:]) == rest(resumed, start)
    assert b"".join(json_lines(20)[10:]) == rest(compression.blocks(io.BytesIO(data), source="file"), start)
