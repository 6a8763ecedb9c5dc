from __future__ import annotations

import bz2
import gzip
import io
import lzma
from collections import Counter

import lz4.frame
import pytest
import zstandard

from massivetext.readers import compression
from massivetext.readers.compression import DamagedError, Plain, blocks, detect
from tests.readers.reading import drained

ENCODERS = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstandard.compress,
    "lz4": lz4.frame.compress,
}
DATA = b"".join(b"line %d\n" % i for i in range(100_000))


def content(data: bytes, counts: Counter[str] | None = None) -> bytes:
    return b"".join(block.data or b"" for block in blocks(io.BytesIO(data), source="file", counts=counts))


@pytest.mark.parametrize("kind", ENCODERS)
def test_members_padding_and_garbage(kind: str) -> None:
    encode = ENCODERS[kind]
    counts: Counter[str] = Counter()
    stored = encode(DATA) + encode(b"") + bytes(100) + encode(b"more") + b"garbage"

    assert detect(stored[:10]) == kind
    assert content(stored, counts) == DATA + b"more"
    assert counts == {"garbage_bytes": 7}


@pytest.mark.parametrize("kind", ENCODERS)
def test_cut_anywhere(kind: str) -> None:
    stored = ENCODERS[kind](DATA)
    for cut in (12, len(stored) // 2, len(stored) - 1):
        found, error = drained(blocks(io.BytesIO(stored[:cut]), source="file"))
        read = b"".join(block.data or b"" for block in found)

        assert isinstance(error, DamagedError)
        assert error.reason == "truncated"
        assert DATA.startswith(read)
        if kind == "gzip" and cut > 100:
            assert len(read) > len(DATA) // 3


@pytest.mark.parametrize("kind", ENCODERS)
def test_a_second_member_of_which_only_the_first_bytes_are_there(kind: str) -> None:
    encode = ENCODERS[kind]
    with pytest.raises(DamagedError):
        content(encode(b"one") + encode(b"two")[:3])


@pytest.mark.parametrize("kind", ENCODERS)
def test_a_file_that_ends_in_its_magic_bytes(kind: str) -> None:
    stored = ENCODERS[kind](DATA)
    for cut in range(4 if kind == "bzip2" else 2, 12):
        assert detect(stored[:cut]) == kind
        with pytest.raises(DamagedError) as error:
            content(stored[:cut])
        assert error.value.reason == "truncated"


@pytest.mark.parametrize("text", [b"", b"B", b"BZ", b"BZh", b"BZh9 is text", b"(", b"PK", b"P*M"])
def test_short_texts_are_no_members(text: bytes) -> None:
    assert detect(text) is None
    assert content(text) == text


def test_what_is_read_before_the_file_breaks_off_is_decoded() -> None:
    """Members are looked for in more input than there is before the fault."""

    class Breaking(io.BytesIO):
        def read(self, n: int | None = -1, /) -> bytes:
            data = super().read(n)
            if not data:
                raise OSError("disk")
            return data

    for recover in (False, True):
        stored = gzip.compress(b"one") + gzip.compress(b"two")
        content, error = drained(blocks(Breaking(stored), source="file", recover=recover))

        assert b"onetwo" == b"".join(block.data or b"" for block in content)
        assert isinstance(error, DamagedError)
        assert error.reason == "unreadable"


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz"])
def test_corrupt(kind: str) -> None:
    stored = bytearray(ENCODERS[kind](DATA))
    stored[len(stored) // 2] ^= 0xFF
    with pytest.raises(DamagedError) as error:
        content(bytes(stored))

    assert error.value.reason in ("corrupt", "truncated")


@pytest.mark.parametrize("kind", ENCODERS)
def test_a_bomb_is_stopped(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "BOMB_BYTES", 10 << 20)
    monkeypatch.setattr(compression, "BOMB_RATIO", 50)
    stored = ENCODERS[kind](bytes(40 << 20))
    found, error = drained(blocks(io.BytesIO(stored), source="file"))
    largest = max((len(block.data or b"") for block in found), default=0)

    assert isinstance(error, DamagedError)
    assert error.reason == "bomb"
    assert "decompression bomb" in str(error)
    assert largest <= 128 << 20 if kind == "zstd" else largest <= 1 << 20


def test_the_same_ratio_is_fine_in_a_small_file() -> None:
    assert content(gzip.compress(bytes(5 << 20))) == bytes(5 << 20)


def test_plain() -> None:
    assert detect(b"BZh is how this text begins") is None
    assert content(DATA) == DATA
    assert content(b"") == b""
    assert Plain(io.BytesIO(gzip.compress(DATA)), source="file").readall() == DATA
