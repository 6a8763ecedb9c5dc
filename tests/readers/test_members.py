"""Large compressed files split at their members: the rows of the ranges are those of the whole file."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Iterator

import pytest

from massivetext import readers
from massivetext.readers import compression, members
from massivetext.readers.members import Again, Cut, Stretch, join, scan
from massivetext.readers.reader import MemberRange
from massivetext.readers.splitting import by_bytes
from tests.readers.archives import record
from tests.readers.member_files import (
    COMPRESSIONS,
    archive,
    arcs,
    check,
    chopped,
    json_lines,
    pages,
    split,
    stored,
    words,
    zstd,
)

pytestmark = pytest.mark.usefixtures("small_margin")


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
    assert 1 == ranges_of(3500)


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
