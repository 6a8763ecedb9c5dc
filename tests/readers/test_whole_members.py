from __future__ import annotations

import gzip
import io
import random
from collections import Counter
from itertools import groupby
from unittest import mock

import pytest

from massivetext.readers import compression, whole_members
from massivetext.readers.compression import Block
from massivetext.readers.whole_members import first_member
from tests.readers.member_files import stored
from tests.readers.reading import drained

ONE, TWO = gzip.compress(b"the first member"), gzip.compress(b"another")


def test_a_member_before_another_and_one_at_the_end() -> None:
    assert first_member(ONE + TWO, 100, is_all=False) == (b"the first member", len(ONE))
    assert first_member(TWO, 100, is_all=True) == (b"another", len(TWO))


def test_a_member_whose_end_is_not_held() -> None:
    assert first_member(ONE, 100, is_all=False) is None
    assert first_member(ONE[:-1], 100, is_all=True) is None
    assert first_member(ONE[:17], 100, is_all=True) is None


def test_content_of_as_many_bytes_as_are_taken_and_one_more() -> None:
    assert first_member(ONE, 16, is_all=True) == (b"the first member", len(ONE))
    assert first_member(ONE, 15, is_all=True) is None
    assert first_member(gzip.compress(b"") + TWO, 15, is_all=True) is None


@pytest.mark.parametrize("at", [len(ONE) - 9, len(ONE) - 8, len(ONE) - 1])
def test_damaged_content_checksum_and_length(at: int) -> None:
    damaged = ONE[:at] + bytes([ONE[at] ^ 1]) + ONE[at + 1 :]

    assert first_member(damaged + TWO, 100, is_all=True) is None


@pytest.mark.parametrize("garbage", [b"\0" * 8, b"garbage", ONE[-4:] + b"."])
def test_what_stands_between_members_is_left_to_the_stream(garbage: bytes) -> None:
    assert first_member(ONE + garbage + TWO, 100, is_all=True) is None


def test_a_member_that_holds_what_looks_like_the_end_of_one() -> None:
    bait = b"\x0e\0\0\0" + TWO[:10]

    assert first_member(stored(bait) + TWO, 100, is_all=True) is None


def test_a_member_before_one_of_as_many_bytes_with_a_damaged_header() -> None:
    same = gzip.compress(b"a second of them")

    assert first_member(ONE + b"\0" + same[1:] + TWO, 100, is_all=True) is None


def test_without_libdeflate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole_members, "deflate", None)

    assert first_member(ONE + TWO, 100, is_all=True) is None


def _read(data: bytes, start: int, *, recover: bool) -> tuple[list[tuple[object, ...]], Counter[str], str]:
    """What is read of a file: runs of blocks that have one start, what was counted, and the error."""
    counts: Counter[str] = Counter()
    found, error = drained(
        compression.resumed(io.BytesIO(data), source="file", recover=recover, counts=counts, start=start)
    )

    def kind(block: Block) -> tuple[object, ...]:
        return block.start if not block.is_plain else -1, block.data is None, block.is_plain, block.reason

    runs = [(*key, b"".join(bytes(block.data or b"") for block in blocks)) for key, blocks in groupby(found, kind)]
    return runs, counts, repr(error)


def _damaged_file(chance: random.Random) -> tuple[bytes, int]:
    """Members with garbage between them, flipped bytes and perhaps a cut; and where one of the members starts that have
    nothing wrong before them."""
    pieces = []
    for _ in range(chance.randrange(1, 12)):
        short, runs, long = chance.randbytes(chance.randrange(40)), chance.randbytes(3), chance.randrange(900)
        record = b"WARC/1.0\r\n" + chance.choice((runs * long, chance.randbytes(long)))
        inner = b"".join(gzip.compress(b"%d" % n) for n in range(chance.randrange(30)))
        encode = chance.choice((gzip.compress, stored))
        pieces.append(
            encode(chance.choice((short, record, record, inner)))
            + chance.choice((b"", b"", b"", b"\0\0", b"xyz", TWO[:12]))
        )
    data = bytearray(b"".join(pieces))
    start = sum(map(len, pieces[: chance.randrange(len(pieces))]))
    for _ in range(chance.randrange(3)):
        at = chance.randrange(start, len(data))
        data[at] ^= chance.randrange(1, 256) if at > start else 0
    if chance.random() < 0.4:
        del data[chance.randrange(start + 1, len(data) + 1) :]
    return bytes(data), start


def test_damaged_files_give_what_they_give_as_streams() -> None:
    with mock.patch.multiple(compression, _READ=256, _WHOLE=512, _FIRST_LINE=64):
        for seed in range(1000):
            data, start = _damaged_file(random.Random(seed))
            for recover in (False, True):
                found = _read(data, start, recover=recover)
                with mock.patch.object(whole_members, "deflate", None):
                    assert found == _read(data, start, recover=recover), seed


class _Broken(io.BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        if self.tell() >= 1024:
            raise OSError(5, "Input/output error")
        return super().read(size)


def test_a_file_that_cannot_be_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in (("_READ", 256), ("_WHOLE", 512), ("_FIRST_LINE", 16)):
        monkeypatch.setattr(compression, name, size)
    data = b"".join(stored(b"x" * (150 + n)) for n in range(10))
    found, error = drained(compression.blocks(_Broken(data), source="file", recover=True))
    monkeypatch.setattr(whole_members, "deflate", None)
    as_stream, _ = drained(compression.blocks(_Broken(data), source="file", recover=True))

    assert "Input/output error" in str(error)
    assert b"".join(block.data or b"" for block in found) == b"".join(block.data or b"" for block in as_stream)
    assert sum(len(block.data or b"") for block in found) > 800
