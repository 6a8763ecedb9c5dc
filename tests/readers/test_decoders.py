from __future__ import annotations

import bz2
import random

import pytest

from massivetext.readers import decoders
from massivetext.readers.decoders import PIECE, decode
from tests.readers.reading import read

LINES = [f"Line {i} of a text that was never scrambled." for i in range(60_000)]
DATA = "".join(line + "\n" for line in LINES).encode()
STORED = bz2.compress(DATA)


def blocks_of(data: bytes) -> dict[int, bytes]:
    """What is given for each byte of input that gives anything, by its place."""
    decoder = bz2.BZ2Decompressor()
    outputs = {at: b"".join(decode(decoder, data[at : at + 1])) for at in range(len(data))}
    return {at: output for at, output in outputs.items() if output}


def test_a_bzip2_block_is_given_with_its_last_byte() -> None:
    blocks = blocks_of(STORED)

    assert len(blocks) == 4
    assert {len(block) > 890_000 for block in list(blocks.values())[:-1]} == {True}
    assert b"".join(blocks.values()) == DATA


@pytest.mark.parametrize("size", [1, 1000, 1 << 16, 1 << 22])
def test_bzip2_however_it_is_fed(size: int) -> None:
    content = DATA[:2_000_000] + bytes(3_000_000)
    stored = bz2.compress(content)
    decoder = bz2.BZ2Decompressor()
    pieces = [piece for at in range(0, len(stored), size) for piece in decode(decoder, stored[at : at + size])]

    assert b"".join(pieces) == content
    assert max(map(len, pieces)) <= PIECE


def test_blocks_of_bzip2_do_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Much output of little input is given piece by piece, as soon as more follows it than a block can have."""
    monkeypatch.setattr(decoders, "_BZIP2_BLOCK", 5_000_000)
    decoder = bz2.BZ2Decompressor()
    pieces = decode(decoder, bz2.compress(bytes(20_000_000)))
    first = next(pieces)

    assert not decoder.eof
    assert 20_000_000 == len(first) + sum(map(len, pieces))


@pytest.mark.parametrize("seed", range(4))
def test_nothing_of_a_scrambled_bzip2_block_is_a_record(seed: int) -> None:
    stored = bytearray(STORED)
    place = random.Random(seed).randrange(100, len(stored) - 100)
    stored[place] ^= 0x10
    n_before = sum(len(block) for at, block in blocks_of(STORED).items() if at < place)
    records, error = read(bytes(stored), "lines")
    texts = [record.text for record in records if record.text is not None]

    assert texts == LINES[: DATA[:n_before].count(b"\n")]
    assert [record.reason for record in records if record.reason] == ["failed.corrupt"]
    assert error is not None
