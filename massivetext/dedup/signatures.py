"""MinHash signatures of shingle sets, equal to those of datasketch, so that users can carry on with it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from massivetext.dedup.shingles import SHINGLE_WORDS, signed_sets
from massivetext.text import Texts
from massivetext.text.hashing import HASH_VERSION
from massivetext.text.unicode import UNICODE_VERSION

__all__ = ["signatures", "to_arrow"]


def signatures(texts: Texts, *, num_hashes: int = 128, seed: int = 1) -> np.ndarray:
    """uint32[n, num_hashes]: equal to `datasketch.MinHash(num_hashes, seed, scheme="affine32")` of the low 32 bits of
    each text's shingle hashes."""
    return signed_sets(texts, num_hashes, seed)[0]


def to_arrow(signed: np.ndarray, *, seed: int) -> pa.RecordBatch:
    """Column `signature`, fixed_size_list<uint32>[num_hashes], whose metadata say by which definition it was made:
    signatures are comparable only if all of these are equal."""
    num_hashes = signed.shape[1]
    metadata = {
        "massivetext.hash_version": str(HASH_VERSION),
        "massivetext.unicode": UNICODE_VERSION,
        "massivetext.shingle_words": str(SHINGLE_WORDS),
        "massivetext.scheme": "affine32",
        "massivetext.seed": str(seed),
    }
    field = pa.field("signature", pa.list_(pa.uint32(), num_hashes), nullable=False, metadata=metadata)
    values = pa.FixedSizeListArray.from_arrays(pa.array(signed.ravel()), num_hashes)
    return pa.RecordBatch.from_arrays([values], schema=pa.schema([field]))
