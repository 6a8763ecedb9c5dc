"""Tokenizers that a user names by file: a SentencePiece model, or the JSON file of the `tokenizers` library."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa

from massivetext import storage
from massivetext.errors import DependencyError, RecipeError

__all__ = ["BYTES_A_TOKEN", "Tokenizer", "counter", "library", "read_tokenizer"]

BYTES_A_TOKEN = 4
"""For estimates. The paper's table 2 has 3.75 to 4.12 for prose."""

_BOS = ("<s>", "<bos>", "<|begin_of_text|>", "<|startoftext|>", "<|bos|>", "[BOS]")
_EOS = ("</s>", "<eos>", "<|end_of_text|>", "<|endoftext|>", "<|eos|>", "[EOS]")
"""Names by which a `tokenizers` file, which does not mark them, usually has its first and last token."""


@dataclass(frozen=True)
class Tokenizer:
    """path: the file; digest: BLAKE2b-128 (hex) of its bytes; vocabulary: ids are below it; bos, eos: ids, or None
    where there is no such token; encode: ids of each text, which is str or UTF-8, without special tokens."""

    path: str
    digest: str
    vocabulary: int
    bos: int | None
    eos: int | None
    encode: Callable[[Sequence[str] | Sequence[bytes]], list[np.ndarray]]

    @property
    def dtype(self) -> np.dtype:
        """The smallest type of ids that every format here has: uint16 up to 65,536 pieces, else int32."""
        return np.dtype(np.uint16 if self.vocabulary <= 1 << 16 else np.int32)


def read_tokenizer(path: str, *, bos: str | None = None, eos: str | None = None) -> Tokenizer:
    """bos, eos: pieces to use as such; None takes those that the model marks or, in a `tokenizers` file, those of the
    usual names. Raises RecipeError for a file that is neither, and for a piece that it does not have."""
    data = storage.read_bytes(path)
    if data.lstrip()[:1] == b"{":
        encode, vocabulary, find, marked = _tokenizers(path, data)
    else:
        encode, vocabulary, find, marked = _sentencepiece(path, data)
    for name, piece in (("bos", bos), ("eos", eos)):
        if piece is not None and find(piece) is None:
            raise RecipeError(f"tokenizer: {path}: {name} is to be {piece!r}, which is none of its pieces")
    ids = [default if piece is None else find(piece) for piece, default in zip((bos, eos), marked)]
    return Tokenizer(path, hashlib.blake2b(data, digest_size=16).hexdigest(), vocabulary, ids[0], ids[1], encode)


def library(name: str, purpose: str) -> ModuleType:
    """The module of that name. Raises DependencyError where it is not installed: a trainer may have the base alone."""
    try:
        return import_module(name)
    except ImportError as error:
        raise DependencyError(
            f"{name} is not installed, which it takes to {purpose}: pip install {name}, "
            "or 'massivetext[pipeline]' for all that makes mixtures"
        ) from error


_Parts = tuple[
    Callable[[Sequence[str] | Sequence[bytes]], list[np.ndarray]],
    int,
    Callable[[str], int | None],
    tuple[int | None, int | None],
]


def _tokenizers(path: str, data: bytes) -> _Parts:
    tokenizers = library("tokenizers", f"read {path}")
    try:
        tokenizer = tokenizers.Tokenizer.from_str(data.decode("utf-8"))
    except Exception as error:  # the library raises plain Exception for a file that it cannot read
        raise RecipeError(f"tokenizer: {path}: not a tokenizers JSON file: {error}") from error

    def encode(texts: Sequence[str] | Sequence[bytes]) -> list[np.ndarray]:
        strings = [text.decode("utf-8") if isinstance(text, bytes) else text for text in texts]
        found = tokenizer.encode_batch_fast(strings, add_special_tokens=False)
        return [np.array(encoding.ids, np.int32) for encoding in found]

    def first(names: Sequence[str]) -> int | None:
        return next((found for name in names if (found := tokenizer.token_to_id(name)) is not None), None)

    # Ids may have holes: the largest counts, not their number.
    size = 1 + max(tokenizer.get_vocab(with_added_tokens=True).values(), default=-1)
    return encode, size, tokenizer.token_to_id, (first(_BOS), first(_EOS))


def _sentencepiece(path: str, data: bytes) -> _Parts:
    sentencepiece = library("sentencepiece", f"read {path}")
    try:
        pieces = sentencepiece.SentencePieceProcessor(model_proto=data)
    except RuntimeError as error:
        raise RecipeError(f"tokenizer: {path}: neither a SentencePiece model nor a tokenizers JSON: {error}") from error
    # Versions before 0.2.2 have no arrays.
    kind: dict[str, Any] = {"return_type": "numpy"} if hasattr(pieces, "encode_as_numpy") else {}

    def encode(texts: Sequence[str] | Sequence[bytes]) -> list[np.ndarray]:
        # Several processes run beside each other; threads of each would only get into each other's way.
        return [np.asarray(ids, np.int32) for ids in pieces.encode(texts, num_threads=1, **kind)]

    def find(piece: str) -> int | None:
        found = pieces.piece_to_id(piece)
        return found if pieces.id_to_piece(found) == piece else None

    marked = tuple(found if found >= 0 else None for found in (pieces.bos_id(), pieces.eos_id()))
    return encode, pieces.get_piece_size(), find, (marked[0], marked[1])


@lru_cache(maxsize=2)
def counter(path: str | None) -> Callable[[pa.LargeStringArray], np.ndarray]:
    """A function from texts to int64 counts. path: a SentencePiece model or a `tokenizers` JSON file; None estimates
    one token for each 4 bytes begun. Special tokens are not counted. Raises RecipeError for a file that is neither."""
    if path is None:
        return lambda texts: -(-_n_bytes(texts) // BYTES_A_TOKEN)
    encode = read_tokenizer(path).encode
    return lambda texts: np.array([len(ids) for ids in encode(texts.to_pylist())], np.int64)


def _n_bytes(texts: pa.LargeStringArray) -> np.ndarray:
    import pyarrow.compute as pc

    return pc.binary_length(texts).to_numpy(zero_copy_only=False).astype(np.int64)
