"""JSON that is not one object a line, in files that are not alone, or not whole."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import lz4.frame
import pytest
import zstandard

from massivetext import readers
from massivetext.readers import fields, jsonl
from tests.readers.reading import read

ROWS = [{"text": "a", "n": [1, {"x": '}]"\\'}]}, {"text": "b"}]
LINES = b'{"text": "a"}\n{"text": "b"}\n'


def texts(data: bytes, format: str = "jsonl", options: dict[str, str] | None = None) -> list[str | None]:
    return [record.text or record.reason for record in read(data, format, options)[0]]


@pytest.mark.parametrize(
    "data",
    [
        json.dumps(ROWS).encode(),
        json.dumps(ROWS, indent=1).encode(),
        json.dumps(ROWS, indent="\t").encode(),
        json.dumps(ROWS, separators=(",", ":")).encode(),
        b"\xef\xbb\xbf" + json.dumps(ROWS, indent=2).encode(),
        json.dumps(ROWS).encode("utf-16"),
        b" \n [ \n" + b",\n".join(json.dumps(row).encode() for row in ROWS) + b"\n]\n",
        b"\n".join(json.dumps([row]).encode() for row in ROWS),
        b"\n".join(json.dumps(row, indent=2).encode() for row in ROWS),
        b"".join(json.dumps(row, indent=2).encode() for row in ROWS),
        b"\r\n".join(json.dumps(row, indent=2).replace("\n", "\r\n").encode() for row in ROWS),
        b"\x1e" + b"\n\x1e".join(json.dumps(row).encode() for row in ROWS),
        "\ufeff".encode("utf-16-le") + "\n".join(map(json.dumps, ROWS)).encode("utf-16-le"),
        "\n".join(map(json.dumps, ROWS)).encode("utf-16-le"),
        *[
            text.encode(encoding)
            for encoding in ("utf-16-le", "utf-16-be", "utf-32")
            for text in (
                json.dumps(ROWS),
                json.dumps(ROWS, indent=1),
                "\n".join(json.dumps(row, indent=1) for row in ROWS),
            )
        ],
    ],
)
def test_objects_however_they_are_written(data: bytes) -> None:
    assert ["a", "b"] == texts(data)
    assert ["a", "b"] == texts(gzip.compress(data))


def test_offsets_of_elements_are_where_they_begin() -> None:
    data = json.dumps(ROWS, indent=1).encode()
    found, error = read(data, "jsonl")

    assert error is None
    assert [json.loads(data[r.offset :].split(b"\n }")[0] + b"}")["text"] for r in found] == ["a", "b"]


def test_elements_that_are_no_objects_cost_themselves() -> None:
    data = b'[{"text": "a"}, 1, "x, y]", null, [1], {"text": 5}, {"text": "b" "c"}, {"text": "d"}] \n'

    assert [
        "a",
        *["failed.not_an_object"] * 4,
        "failed.not_text",
        "failed.json",
        "d",
    ] == texts(data)
    assert [] == texts(b"[]")
    assert [] == texts(b"[\n]\n")


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("null", "failed.not_an_object"),
        ('"x"', "failed.not_an_object"),
        (r'"] \", {["', "failed.not_an_object"),
        ("-1.5e3", "failed.not_an_object"),
        ("[1, 2]", "failed.not_an_object"),
        ('[[], {"text": "inner"}]', "failed.not_an_object"),
        ('"' + "long, [" * 3000 + '"', "failed.not_an_object"),
        ("nul", "failed.json"),
        ('{"text" "x"}', "failed.json"),
    ],
)
@pytest.mark.parametrize("separator", [",", ",\n", "\n,\n "])
def test_an_element_that_is_no_object_costs_itself_wherever_it_stands(bad: str, reason: str, separator: str) -> None:
    good = '{"text": "b"}'
    for place in range(3):
        elements = [good, good]
        elements.insert(place, bad)
        expected = ["b", "b"]
        expected.insert(place, reason)
        for begin, end in (("[", "]"), ("[\n", "\n]\n"), ("\n[ ", "]")):
            data = (begin + separator.join(elements) + end).encode()

            assert expected == texts(data)
            assert expected == texts(data.decode().encode("utf-16"))
    assert [reason, reason, "b"] == texts(f"[{bad}{separator}{bad}{separator}{good}]".encode())


@pytest.mark.parametrize("data", ["[null, 1]", "[\nnull,\n1\n]\n", '["x", "y"]\n', "[[1], [2]]"])
def test_an_array_without_any_object_has_a_row_an_element(data: str) -> None:
    assert ["failed.not_an_object"] * 2 == texts(data.encode())


def test_arrays_a_line_of_which_the_first_has_no_object() -> None:
    assert ["failed.not_an_object", "a", "b"] == texts(b'[null]\n[{"text": "a"}]\n[{"text": "b"}]\n')


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("[1, 2]", "failed.not_an_object"),
        ('["x", "y"]', "failed.not_an_object"),
        ("[INFO] [main] started", "failed.json"),
        ("[1, 2", "failed.json"),
        ('["x', "failed.json"),
        ("[garbage", "failed.json"),
    ],
)
def test_a_line_of_json_lines_that_is_an_array_is_one_row(line: str, reason: str, tmp_path: Path) -> None:
    data = (f"{line}\n" + '{"text": "a"}\n' * 500).encode()
    path = tmp_path / "a.jsonl"
    path.write_bytes(data)

    assert [reason, *["a"] * 500] == texts(data)
    assert 1 < len(readers.split(str(path), "jsonl", size=len(data), target_bytes=1000))


def test_brackets_that_do_not_match_cost_one_element() -> None:
    data = b'[\n {"text": "a"},\n {"text": "b", "n": [1},\n {"text": "c"},\n {"text": "d"}\n]'

    assert ["a", "failed.json", "c", "d"] == texts(data)


def test_an_array_that_breaks_off() -> None:
    whole = json.dumps([{"text": f"document {i}"} for i in range(100)], indent=1).encode()
    for data in (whole[:-2], whole[:-20]):
        found, error = read(data, "jsonl")
        sound = [r.text for r in found if r.text]

        assert sound == [f"document {i}" for i in range(len(sound))]
        assert len(sound) >= 99
        assert (found[-1].reason, error) in (
            ("failed.truncated", "file: truncated: its array has no end"),
            ("failed.json", "file: truncated: its array has no end"),
        )
    found, error = read(gzip.compress(whole)[:-1], "jsonl")

    assert 100 == sum(r.text is not None for r in found)
    assert found[-1].reason == "failed.truncated"
    assert error is not None


def test_elements_at_the_limit_and_over_it() -> None:
    rows = [json.dumps({"text": "x" * n}).encode() for n in (87, 88, 89, 5000, 3)]
    data = b"[" + b", ".join(rows) + b"]"
    sizes = {}
    for piece in (7, 64, 1 << 20):
        pieces = iter([data[at : at + piece] for at in range(0, len(data), piece)])
        sizes[piece] = [
            (line.offset, line.data and len(line.data)) for line in jsonl.values(pieces, source="file", limit=100)
        ]

    assert [size for _, size in sizes[7]] == [99, 100, None, None, 15]
    assert sizes[7] == sizes[64] == sizes[1 << 20]
    assert data[sizes[7][4][0] :].startswith(rows[4])


def test_a_long_array_is_read_in_time_and_split_in_no_place(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(json.dumps([{"text": "x" * 100} for _ in range(10_000)]).encode())
    size = path.stat().st_size

    assert [(0, size)] == readers.split(str(path), "jsonl", size=size, target_bytes=1000)
    assert 10_000 == len(texts(path.read_bytes()))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("messages.0.content", ["a", "failed.no_text"]),
        ("messages.1.content", ["b", "failed.no_text"]),
        ("messages.-1.content", ["b", "failed.no_text"]),
        ("messages.2.content", ["failed.no_text"] * 2),
        ("messages.x.content", ["failed.no_text"] * 2),
        ("messages.0", ["failed.not_text", "failed.no_text"]),
        ("a.b.c", ["dots", "failed.no_text"]),
        ("deep.x.y", ["dots within", "failed.no_text"]),
        ("0", ["zero", "failed.no_text"]),
    ],
)
def test_paths_into_lists(name: str, expected: list[str]) -> None:
    row = {
        "messages": [{"content": "a"}, {"content": "b"}],
        "a.b.c": "dots",
        "deep": {"x.y": "dots within"},
        "0": "zero",
    }
    data = json.dumps(row).encode() + b'\n{"messages": []}\n'

    assert expected == texts(data, options={"text": name})


def tarred(files: dict[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("folder"))
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return sink.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("folder/", b"")
        for name, data in files.items():
            archive.writestr(name, data)
    return sink.getvalue()


FILES = {
    "README.md": b"read me",
    "data/1.jsonl": LINES,
    "__MACOSX/data/._1.jsonl": b"\0\1",
    "data/.DS_Store": b"x",
    "data/2.json.gz": gzip.compress(b'[{"text": "c"},\n{"text": "d"}]'),
    "data/3.jsonl": b'{"text": "e"}',
}


@pytest.mark.parametrize("pack", [tarred, zipped])
@pytest.mark.parametrize("encode", [bytes, gzip.compress, bz2.compress, lzma.compress, zstandard.compress])
def test_members_of_archives(pack, encode) -> None:  # type: ignore[no-untyped-def]
    if pack is zipped and encode is not bytes:
        return
    counts: Counter[str] = Counter()
    found, error = read(encode(pack(FILES)), "jsonl", counts=counts)

    assert ["a", "b", "c", "d", "e"] == [r.text for r in found]
    assert sorted({r.offset for r in found}) == [r.offset for r in found]
    assert counts["members_left_out"] >= 3
    assert error is None


def test_a_member_of_a_zip_without_a_name_costs_no_other() -> None:
    packed = zipped({"qqqq.jsonl": b'{"text": "x"}\n', "1.jsonl": LINES}).replace(b"qqqq", b"\0qqq")

    assert ["a", "b"] == texts(packed)


@pytest.mark.parametrize("pack", [tarred, zipped])
def test_members_without_an_ending_are_all_read(pack) -> None:  # type: ignore[no-untyped-def]
    assert ["a", "b", "a", "b"] == texts(pack({"one": LINES, "two": LINES, "_not": LINES}))


@pytest.mark.parametrize("pack", [tarred, zipped])
def test_archives_are_not_split(tmp_path: Path, pack) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "a"
    path.write_bytes(pack(FILES) * 1)
    size = path.stat().st_size
    for format in ("jsonl", "lines", "code"):
        assert [(0, size)] == readers.split(str(path), format, size=size, target_bytes=100)


def test_archives_that_are_damaged() -> None:
    many = b"".join(b'{"text": "document %d"}\n' % i for i in range(5000))
    for data in (tarred({"a.jsonl": many})[:60_000], gzip.compress(tarred({"a.jsonl": many}))[:-3000]):
        found, error = read(data, "jsonl")
        sound = [r.text for r in found if r.text]

        assert len(sound) > 1000
        assert sound == [f"document {i}" for i in range(len(sound))]
        assert found[-1].reason == "failed.truncated"
        assert error is not None
    bad = bytearray(zipped({"a.jsonl": many, "b.jsonl": LINES}))
    bad[3000] ^= 0xFF
    found, error = read(bytes(bad), "jsonl")

    assert [r.text for r in found[-2:]] == ["a", "b"]
    assert found[-3].reason == "failed.corrupt"
    assert error is not None


ENCODERS = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": lambda data: zstandard.ZstdCompressor(write_checksum=True).compress(data),
    "lz4": lambda data: lz4.frame.compress(data, content_checksum=True),
}
MANY = b"".join(b'{"text": "document %d %s"}\n' % (i, b"word " * 20) for i in range(50))


@pytest.mark.parametrize("kind", ENCODERS)
@pytest.mark.parametrize("data", [LINES, MANY])
def test_a_wrong_checksum_or_a_lost_end_costs_nothing(kind: str, data: bytes) -> None:
    whole = ENCODERS[kind](data)
    expected = [json.loads(line)["text"] for line in data.splitlines()]
    wrong = whole[:-2] + bytes([whole[-2] ^ 0xFF]) + whole[-1:]
    for stored, reason in ((wrong, "corrupt"), (whole[:-1], "truncated")):
        found, error = read(stored, "jsonl")

        assert expected == [r.text for r in found if r.text]
        assert [f"failed.{reason}"] == [r.reason for r in found if r.reason]
        assert reason in str(error)


def test_the_line_that_a_file_ends_in() -> None:
    records, error = read(gzip.compress(MANY.rstrip())[:-4], "jsonl")

    assert 50 == sum(r.text is not None for r in records)
    assert records[49].metadata == {"damage": "truncated"}
    assert records[50].reason == "failed.truncated"
    assert error is not None


def test_numbers_keep_their_digits() -> None:
    row = b'{"text": "a", "id": 123456789012345678901234567890, "ratio": 0.1, "big": 1e300, "small": 12}'
    found, _ = read(row, "jsonl", {"id": "id", "ratio": "ratio", "big": "big", "small": "small"})

    assert {"id": "123456789012345678901234567890", "ratio": "0.1", "big": "1e+300", "small": "12"} == dict(
        found[0].metadata
    )


@pytest.mark.parametrize("depth", [fields.MAX_DEPTH, fields.MAX_DEPTH + 1, 1000])
def test_lists_within_lists_cost_their_own_field(depth: int) -> None:
    nested = "[" * depth + '"word"' + "]" * depth
    data = f'{{"text": "a"}}\n{{"text": "b", "url": {nested}, "m": {nested}}}\n{{"text": "c"}}\n'
    records, error = read(data.encode(), "jsonl", {"m": "m"})
    word = "word" if depth <= fields.MAX_DEPTH else None

    assert ["a", "b", "c"] == [record.text for record in records]
    assert (word, word) == (records[1].url, records[1].metadata.get("m"))
    assert error is None


def test_the_encoding_that_a_recipe_names() -> None:
    assert ["café"] == texts('{"text": "café"}'.encode("cp1252"), options={"@encoding": "cp1252"})
    assert ["caf\ufffd"] == texts('{"text": "café"}'.encode("cp1252"))


@pytest.mark.parametrize(
    ("data", "content"),
    [
        (b"%PDF-1.7\n%\xe2\xe3\n", "PDF"),
        (b"PAR1\x15\x04", "Parquet"),
        (b"\x89PNG\r\n\x1a\n", "image"),
        (b"<!DOCTYPE html><html>", "HTML"),
        (b"SQLite format 3\0", "database"),
    ],
)
@pytest.mark.parametrize("format", ["jsonl", "lines", "csv", "text"])
def test_files_that_are_no_text(data: bytes, content: str, format: str) -> None:
    for stored in (data, gzip.compress(data)):
        found, error = read(stored, format)

        assert [("skipped.content", content)] == [(r.reason, r.metadata["content"]) for r in found]
        assert error is None
