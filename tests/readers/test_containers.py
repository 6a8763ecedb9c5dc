"""Zip and tar files of data of which a member is damaged."""

from __future__ import annotations

import bz2
import gzip
import io
import tarfile
import zipfile

import pytest

from massivetext.documents import Record
from tests.readers.archives import http, record
from tests.readers.reading import read, reasons

METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
TEXTS = [f"document {i} {i * 7919 % 1000003:x}" for i in range(20_000)]
WRITERS = {
    "jsonl": lambda texts: "".join(f'{{"text": "{text}"}}\n' for text in texts).encode(),
    "lines": lambda texts: "".join(f"{text}\n" for text in texts).encode(),
    "csv": lambda texts: "".join(f"{text}\n" for text in ["text", *texts]).encode(),
}


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytearray:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return bytearray(sink.getvalue())


def content_of(data: bytes, name: str) -> tuple[int, int]:
    """(where the stored content of a zip file's member begins, its size)."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        info = archive.getinfo(name)
    return info.header_offset + 30 + len(name), info.compress_size


def with_wrong_checksum(data: bytearray, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        checksum = archive.getinfo(name).CRC.to_bytes(4, "little")
    assert data.count(checksum) == 2
    return bytes(data).replace(checksum, bytes(byte ^ 1 for byte in checksum))


def three(format: str, n: int = 200, method: int = zipfile.ZIP_DEFLATED) -> bytearray:
    """A zip file of which the second member has n records and the others one."""
    write = WRITERS[format]
    names = [f"{name}.{'txt' if format == 'lines' else format}" for name in "abc"]
    return zipped(dict(zip(names, (write(["first"]), write(TEXTS[:n]), write(["last"])))), method)


def name_of(format: str) -> str:
    return "b.txt" if format == "lines" else f"b.{format}"


def texts(found: list[Record]) -> list[str]:
    return [r.text for r in found if r.text is not None]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("format", WRITERS)
@pytest.mark.parametrize("n", [200, 20_000])
def test_a_wrong_checksum_costs_no_record(format: str, method: int, n: int) -> None:
    data = with_wrong_checksum(three(format, n, method), name_of(format))
    records, error = read(data, format)

    assert texts(records) == ["first", *TEXTS[:n], "last"]
    assert [r.reason for r in records if r.reason] == ["failed.corrupt"]
    assert records[-2].reason == "failed.corrupt"
    assert [r.offset for r in records] == sorted({r.offset for r in records})
    assert error is not None
    assert "checksum" in error


@pytest.mark.parametrize("format", WRITERS)
def test_a_wrong_checksum_of_the_only_member(format: str) -> None:
    name = name_of(format)
    records, error = read(with_wrong_checksum(zipped({name: WRITERS[format](["a", "b"])}), name), format)

    assert texts(records) == ["a", "b"]
    assert [r.reason for r in records if r.reason] == ["failed.corrupt"]
    assert error is not None


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("format", WRITERS)
def test_a_member_whose_first_bytes_are_wrong_has_a_row(format: str, method: int) -> None:
    data = three(format, method=method)
    begin, _ = content_of(data, name_of(format))
    begin += len("text\n") if format == "csv" and method == zipfile.ZIP_STORED else 0
    data[begin : begin + 20] = b"\xff" * 20
    records, error = read(bytes(data), format)

    assert texts(records)[0] == "first"
    assert texts(records)[-1] == "last"
    assert "failed.corrupt" in reasons(records)
    assert error is not None


@pytest.mark.parametrize("format", WRITERS)
def test_all_before_a_wrong_byte_is_read(format: str) -> None:
    """Also of the 64 KiB of input in which it is."""
    data = three(format, 20_000)
    begin, size = content_of(data, name_of(format))
    place = begin + size * 9 // 10
    data[place : place + 300] = b"\xff" * 300
    records, error = read(bytes(data), format)
    whole = texts(records)[1:-1]

    assert whole[:17_000] == TEXTS[:17_000]
    assert texts(records)[-1] == "last"
    assert "failed.corrupt" in reasons(records)
    assert error is not None


def test_nothing_of_a_scrambled_bzip2_block_of_a_member() -> None:
    data = three("lines", 20_000, zipfile.ZIP_BZIP2)
    begin, size = content_of(data, "b.txt")
    data[begin + size // 2] ^= 0x10
    records, _ = read(bytes(data), "lines")

    assert texts(records) == ["first", "last"]
    assert [r.reason for r in records if r.reason] == ["failed.corrupt"]


def test_a_member_that_cannot_be_opened_costs_itself() -> None:
    data = three("jsonl")
    at = data.index(b"b.jsonl") - 30
    data[at : at + 4] = b"NONE"
    records, error = read(bytes(data), "jsonl")

    assert texts(records) == ["first", "last"]
    assert [(r.reason, dict(r.metadata)) for r in records if r.reason] == [("failed.corrupt", {"member": "b.jsonl"})]
    assert error is not None


def test_a_zip_file_that_is_cut() -> None:
    data = bytes(three("jsonl"))
    for cut in (5, 100, len(data) // 2, len(data) - 3):
        for format in (*WRITERS, "wacz"):
            records, error = read(data[:cut], format)

            assert [r.reason for r in records] == ["failed.truncated"]
            assert error is not None


def test_compressed_members_that_are_damaged() -> None:
    """The members after one follow, in a tar file too; what is in the container is not damaged."""
    a, b, c = (WRITERS["jsonl"](texts) for texts in (["first"], TEXTS[:200], ["last"]))
    for stored in (gzip.compress(b)[:-3], bz2.compress(b)[:-3]):
        files = {"a.jsonl": a, "b.jsonl.gz": stored, "c.jsonl": c}
        sink = io.BytesIO()
        with tarfile.open(fileobj=sink, mode="w") as archive:
            for name, data in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        for packed in (bytes(zipped(files)), sink.getvalue(), gzip.compress(sink.getvalue())):
            records, error = read(packed, "jsonl")

            assert texts(records) == ["first", *TEXTS[:200], "last"]
            assert [r.reason for r in records if r.reason] == ["failed.truncated"]
            assert error is not None


@pytest.mark.parametrize("format", WRITERS)
def test_offsets_ascend_behind_a_compressed_member(format: str) -> None:
    """Its content is longer than the member, by whose size the next one is placed."""
    name = name_of(format)
    first = WRITERS[format](["the same text"] * 100)
    records, error = read(bytes(zipped({f"{name}.gz": gzip.compress(first), name: WRITERS[format](TEXTS[:3])})), format)

    assert texts(records) == ["the same text"] * 100 + TEXTS[:3]
    assert [r.offset for r in records] == sorted({r.offset for r in records})
    assert error is None


def test_a_tar_file_cut_in_a_member_has_one_row() -> None:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        for name in ("a.jsonl", "b.jsonl"):
            data = WRITERS["jsonl"](TEXTS[:100])
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    whole = sink.getvalue()
    second = whole.index(b"b.jsonl")
    for data in (whole[: second + 700], gzip.compress(whole)[:-200], whole[: second + 100]):
        records, error = read(data, "jsonl")

        assert texts(records) == (TEXTS[:100] * 2)[: len(records) - 1]
        assert len(records) > 50
        assert [r.reason for r in records if r.reason] == ["failed.truncated"]
        assert records[-1].reason == "failed.truncated"
        assert error is not None


def test_a_tar_file_with_a_wrong_header() -> None:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        for name in ("a.jsonl", "b.jsonl", "c.jsonl"):
            info = tarfile.TarInfo(name)
            info.size = 13
            archive.addfile(info, io.BytesIO(b'{"text": "x"}'))
    data = bytearray(sink.getvalue())
    data[data.index(b"b.jsonl")] ^= 1
    records, error = read(bytes(data), "jsonl")

    assert texts(records) == ["x"]
    assert [r.reason for r in records if r.reason] == ["failed.corrupt"]
    assert error is not None


ARCHIVES = {
    f"archive/{name}.warc.gz": b"".join(
        gzip.compress(record(http(b"<p>page %d %s</p>" % (n, b"x" * n)), n)) for n in range(first, first + 3)
    )
    for name, first in (("a", 0), ("b", 3), ("c", 6))
}


@pytest.mark.parametrize("method", METHODS[:2])
def test_wacz_with_a_wrong_checksum(method: int) -> None:
    records, error = read(with_wrong_checksum(zipped(ARCHIVES, method), "archive/b.warc.gz"), "wacz")

    assert 9 == sum(r.page is not None for r in records)
    assert [r.reason for r in records if r.reason] == ["failed.corrupt"]
    assert error is not None


@pytest.mark.parametrize(("at", "lost"), [(0, {3, 4, 5}), (14, {3})])
def test_wacz_with_a_wrong_byte(at: int, lost: set[int]) -> None:
    """Of an archive whose first byte is wrong it is not known that it is compressed."""
    data = zipped(ARCHIVES, zipfile.ZIP_STORED)
    begin, _ = content_of(data, "archive/b.warc.gz")
    data[begin + at] ^= 0xFF
    records, error = read(bytes(data), "wacz")
    pages = [r.page for r in records if r.page is not None]

    assert {n for n in range(9) if not any(b"page %d " % n in page for page in pages)} == lost
    assert "failed.corrupt" in reasons(records)
    assert error is not None


def test_wacz_with_a_file_that_is_no_archive() -> None:
    files = {**ARCHIVES, "archive/b.warc.gz": b"no archive at all\n" * 20}
    records, error = read(bytes(zipped(files)), "wacz")

    assert 6 == sum(r.page is not None for r in records)
    assert [r.reason for r in records if r.reason] == ["failed.corrupt"]
    assert error is not None
