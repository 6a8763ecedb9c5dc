"""Fuzzes the splitting of compressed files at their members, for a given time: `python tests/fuzz/fuzz_members.py`.

Files of members are made, then mutated as stored or as their content. What must hold: the ranges of a file give the
rows, the errors and the counts of the whole file, whatever the file.
"""

from __future__ import annotations

import random
import sys
from functools import lru_cache, partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from massivetext.readers import members
from tests.fuzz.driver import Target, main, mutated
from tests.readers import member_files as cases

members._MARGIN = 1 << 14
N = 120
TOKENS = [
    *(b"WARC/1.0\r\n", b"\r\n\r\n", b"Content-Length: ", b"WARC-Segment-Number: 1\r\n", b"\n", b"\0", b"garbage"),
    *(b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd", b"\x5d\x2a\x4d\x18", b"\x5e\x2a\x4d\x18\x04\0\0\0abcd", b"BZh91AY&SY"),
    *(cases.stored(b""), cases.stored(b"a line\n"), cases.archive(cases.pages(2)), cases.nested(3)),
    b'{"text": "',
]


@lru_cache(maxsize=1)
def contents() -> dict[str, list[bytes]]:
    return {"warc": cases.pages(N), "arc": cases.arcs(N), "jsonl": cases.json_lines(N), "lines": cases.json_lines(N)}


def make(kind: str, chance: random.Random) -> tuple[bytes, int, int]:
    """(a file, the size of its ranges, how many are scanned together)."""
    parts = list(contents()[kind])
    for _ in range(chance.choice((0, 0, 1, 5))):
        at = chance.randrange(len(parts))
        parts[at] = mutated(parts[at], chance, TOKENS, 1 << 16)
    compress = cases.COMPRESSIONS[chance.choice(("gzip", "gzip", "stored", "zstd", "lz4"))]
    if chance.random() < 0.3:
        data = cases.chopped(b"".join(parts), chance.randrange(500, 20_000), compress)
    else:
        data = cases.archive(parts, compress, chance.choice((1, 1, 2, 5)))
    if chance.random() < 0.6:
        data = mutated(data, chance, TOKENS)
    return data, chance.randrange(20_000, 150_000), chance.randrange(1, 5)


def check(format: str, value: tuple[bytes, int, int]) -> None:
    data, target, span = value
    if data:
        cases.check(data, format, target, span)


TARGETS = {
    kind: Target(partial(make, kind), partial(check, "warc" if kind == "arc" else kind))
    for kind in ("warc", "arc", "jsonl", "lines")
}

if __name__ == "__main__":
    sys.exit(main(TARGETS, __doc__))
