"""Which letters have case, by Unicode 14.0, as a table that ships with the package.

`python -m massivetext.text.letters FILE` writes that table; it needs an interpreter with Unicode 14.0 (Python 3.11).
"""

from __future__ import annotations

import sys
import unicodedata
from functools import lru_cache
from importlib import resources

import numpy as np

from massivetext.text.unicode import N_CODE_POINTS, UNICODE_VERSION

__all__ = ["CASED", "UPPER", "cased_letters"]

CASED = 1
"""A letter with case: general category Lu, Ll or Lt."""
UPPER = 2
"""An upper-case letter: general category Lu."""


@lru_cache(maxsize=1)
def cased_letters() -> np.ndarray:
    """uint8[0x110000], read-only: CASED and UPPER of each code point."""
    with resources.files("massivetext").joinpath("data/cased-14.npz").open("rb") as stream:
        data = np.load(stream, allow_pickle=False)
        table = np.repeat(data["kinds"], np.diff(np.append(data["starts"], N_CODE_POINTS)))
    table.flags.writeable = False
    return table


def make(path: str) -> None:
    """Write the table as runs of code points of one kind, from the interpreter's own Unicode data."""
    if unicodedata.unidata_version != UNICODE_VERSION:
        raise SystemExit(f"needs Unicode {UNICODE_VERSION} (Python 3.11), this is {unicodedata.unidata_version}")
    categories = [unicodedata.category(chr(point)) for point in range(N_CODE_POINTS)]
    kinds = np.array([CASED * (c in ("Lu", "Ll", "Lt")) | UPPER * (c == "Lu") for c in categories], np.uint8)
    starts = np.flatnonzero(np.diff(kinds, prepend=255)).astype(np.int32)
    np.savez_compressed(path, starts=starts, kinds=kinds[starts])


if __name__ == "__main__":
    make(sys.argv[1])
