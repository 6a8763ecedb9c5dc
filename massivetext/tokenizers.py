"""Numbers of tokens: by the tokenizer that a recipe names, else estimated from bytes."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pyarrow as pa

from massivetext import storage
from massivetext.errors import RecipeError

__all__ = ["BYTES_A_TOKEN", "counter"]

BYTES_A_TOKEN = 4
"""For estimates. The paper's table 2 has 3.75 to 4.12 for prose."""


@lru_cache(maxsize=2)
def counter(path: str | None) -> Callable[[pa.LargeStringArray], np.ndarray]:
    """A function from texts to int64 counts. path: a SentencePiece model or a `tokenizers` JSON file; None estimates
    one token for each 4 bytes begun. Special tokens are not counted. Raises RecipeError for a file that is neither."""
    if path is None:
        return lambda texts: -(-_n_bytes(texts) // BYTES_A_TOKEN)
    data = storage.read_bytes(path)
    if data.lstrip()[:1] == b"{":
        from tokenizers import Tokenizer

        try:
            tokenizer = Tokenizer.from_str(data.decode("utf-8"))
        except Exception as error:  # the library raises plain Exception for a file that it cannot read
            raise RecipeError(f"tokenizer: {path}: not a tokenizers JSON file: {error}") from error

        def count(texts: pa.LargeStringArray) -> np.ndarray:
            found = tokenizer.encode_batch_fast(texts.to_pylist(), add_special_tokens=False)
            return np.array([len(encoding.ids) for encoding in found], np.int64)

        return count
    from sentencepiece import SentencePieceProcessor

    try:
        pieces = SentencePieceProcessor(model_proto=data)
    except RuntimeError as error:
        raise RecipeError(f"tokenizer: {path}: neither a SentencePiece model nor a tokenizers JSON: {error}") from error
    return lambda texts: np.array([len(ids) for ids in pieces.encode(texts.to_pylist())], np.int64)


def _n_bytes(texts: pa.LargeStringArray) -> np.ndarray:
    import pyarrow.compute as pc

    return pc.binary_length(texts).to_numpy(zero_copy_only=False).astype(np.int64)
