"""Objects of a store, read by ranges: how many requests that takes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from massivetext import object_stores
from massivetext.object_stores import ObjectStream


class Counted:
    """A file of a store that notes the ranges it is asked for."""

    def __init__(self, file: Any, ranges: list[tuple[int, int]]) -> None:
        self.file, self.ranges = file, ranges

    def size(self) -> int:
        return int(self.file.size())

    def read_at(self, n: int, at: int) -> bytes:
        self.ranges.append((at, n))
        return bytes(self.file.read_at(n, at))

    def close(self) -> None:
        self.file.close()


@pytest.fixture
def opened(tmp_path: Path) -> tuple[ObjectStream, list[tuple[int, int]]]:
    """An object of 100,000 bytes, and the ranges that it is asked for."""
    (tmp_path / "object").write_bytes(bytes(range(250)) * 400)
    stream = ObjectStream(f"file://{tmp_path}/object")
    ranges: list[tuple[int, int]] = []
    stream._file = Counted(stream._file, ranges)
    return stream, ranges


def test_upper_case_letters_in_a_scheme_make_no_difference() -> None:
    assert object_stores.filesystem_of("s3://bucket/A") == object_stores.filesystem_of("S3://bucket/A")
    assert "A/b" == object_stores.filesystem_of("GS://A/b")[1]


def test_the_whole_of_an_object_is_one_request(opened: tuple[ObjectStream, list[tuple[int, int]]]) -> None:
    stream, ranges = opened
    with io.BufferedReader(stream, 1 << 20) as reader:
        assert bytes(range(250)) * 400 == reader.read()
        assert b"" == reader.read()

    assert [(0, 100_000)] == ranges


def test_what_is_left_is_read_in_pieces(
    opened: tuple[ObjectStream, list[tuple[int, int]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, ranges = opened
    monkeypatch.setattr(object_stores, "_PIECE", 40_000)
    stream.seek(10_001)

    assert (bytes(range(250)) * 400)[10_001:] == stream.readall()
    assert [(10_001, 40_000), (50_001, 40_000), (90_001, 9_999)] == ranges
    stream.seek(200_000)
    assert b"" == stream.readall()
    assert 3 == len(ranges)
