"""Shards of documents as tokens: whole documents in the mixture's order, EOS behind each.

megatron  <name>.bin and <name>.idx, each document a sequence and a document (layout: `massivetext.packing.files`)
numpy     <name>.npy: the tokens alone, little-endian, without a header, as OLMo-core's NumpyFSLDataset maps them
nanogpt   train.bin: the same of all shards in one file, as nanoGPT maps it
litdata   <name>.bin, a chunk, and index.json, as litgpt maps them by LitData's TokensLoader: u32 items, here 1; u32
          where each begins, and the end; the tokens of the shard, int32, which torch takes in every release
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from massivetext.errors import LimitError, RecipeError
from massivetext.export.rows import digested, row_groups, summary, texts_of
from massivetext.packing.files import TYPE_CODES
from massivetext.tokenizers import Tokenizer, read_tokenizer

__all__ = [
    "TOKEN_FORMATS",
    "document_tokenizer",
    "litdata_index",
    "token_type",
]

_TEXTS_AT_ONCE = 64


@lru_cache(maxsize=2)
def document_tokenizer(path: str, eos: str | None) -> Tokenizer:
    """The tokenizer. Raises RecipeError for one that marks no EOS."""
    tokenizer = read_tokenizer(path, eos=eos)
    if tokenizer.eos is None:
        several = tokenizer.candidates.get("eos")
        which = f"several pieces could be it: {', '.join(several)}" if several else "it marks none"
        raise RecipeError(
            f"tokenizer: {tokenizer.path}: EOS stands behind each document, and {which}; name it (eos=...)"
        )
    return tokenizer


def token_type(tokenizer: Tokenizer, format_: str) -> np.dtype:
    """uint16 where it holds all ids; else int32 for Megatron, which has no uint32, and uint32 for the others. LitData's
    are int32 at any size of the vocabulary."""
    if format_ == "litdata":
        return np.dtype("<i4")
    if tokenizer.vocabulary <= 1 << 16:
        return np.dtype("<u2")
    return np.dtype("<i4") if format_ == "megatron" else np.dtype("<u4")


def _documents(path: str, tokenizer: Tokenizer, dtype: np.dtype) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(tokens of some documents, one after the other, each with EOS; tokens of each)."""
    end = np.array([tokenizer.eos], np.int32)
    for table in row_groups(path, ["text"]):
        texts = texts_of(table)
        for first in range(0, len(texts), _TEXTS_AT_ONCE):
            ids = tokenizer.encode(texts[first : first + _TEXTS_AT_ONCE].to_pylist())
            lengths = np.array([len(one) + 1 for one in ids], np.int64)
            yield np.concatenate([piece for one in ids for piece in (one, end)]).astype(dtype), lengths


def write_tokens(path: str, base: str, name: str, tokenizer: Tokenizer) -> dict[str, dict[str, Any]]:
    """One shard as <name>.npy."""
    rows = n = 0
    with digested(f"{base}/{name}.npy") as stream:
        for tokens, lengths in _documents(path, tokenizer, token_type(tokenizer, "numpy")):
            stream.write(tokens.data)
            rows, n = rows + len(lengths), n + len(tokens)
    return {f"{name}.npy": {**summary(stream, rows), "tokens": n}}


def write_megatron_documents(path: str, base: str, name: str, tokenizer: Tokenizer) -> dict[str, dict[str, Any]]:
    """One shard as <name>.bin and <name>.idx."""
    dtype = token_type(tokenizer, "megatron")
    every = [np.zeros(0, np.int64)]
    with digested(f"{base}/{name}.bin") as data:
        for tokens, lengths in _documents(path, tokenizer, dtype):
            data.write(tokens.data)
            every.append(lengths)
    lengths = np.concatenate(every)
    n = len(lengths)
    with digested(f"{base}/{name}.idx") as index:
        index.write(struct.pack("<9sQBQQ", b"MMIDIDX", 1, TYPE_CODES[dtype.name], n, n + 1))
        index.write(lengths.astype("<i4").tobytes())
        index.write(((np.cumsum(lengths) - lengths) * dtype.itemsize).astype("<i8").tobytes())
        index.write(np.arange(n + 1, dtype="<i8").tobytes())
    tokens_of = int(lengths.sum())
    return {
        f"{name}.bin": {**summary(data, n), "tokens": tokens_of},
        f"{name}.idx": {**summary(index, n), "tokens": tokens_of},
    }


_INT32_TENSOR = "no_header_tensor:16"
"""LitData's name for tokens that are torch.int32."""


def write_litdata(path: str, base: str, name: str, tokenizer: Tokenizer) -> dict[str, dict[str, Any]]:
    """One shard as <name>.bin. Memory: the shard's tokens."""
    pieces: list[np.ndarray] = []
    rows = 0
    for tokens, lengths in _documents(path, tokenizer, token_type(tokenizer, "litdata")):
        pieces.append(tokens)
        rows += len(lengths)
    n = sum(map(len, pieces))
    head = struct.pack("<II", 1, 12)
    end = len(head) + 4 + 4 * n
    if end >= 1 << 32:
        raise LimitError(f"{path}: has {end:,} bytes as LitData, which holds 4 GB a chunk; mix smaller shards")
    with digested(f"{base}/{name}.bin") as stream:
        stream.write(head + struct.pack("<I", end))
        for tokens in pieces:
            stream.write(tokens.data)
    return {f"{name}.bin": {**summary(stream, rows), "tokens": n}}


TOKEN_FORMATS: dict[str, Callable[[str, str, str, Tokenizer], dict[str, dict[str, Any]]]] = {
    "megatron": write_megatron_documents,
    "numpy": write_tokens,
    "nanogpt": write_tokens,
    "litdata": write_litdata,
}


def litdata_index(files: Mapping[str, Mapping[str, Any]]) -> bytes:
    """index.json of a folder of LitData chunks."""
    chunks = [
        {"chunk_bytes": one["bytes"], "chunk_size": 1, "dim": one["tokens"], "filename": name}
        for name, one in sorted(files.items())
    ]
    config = {
        "chunk_bytes": max(chunk["chunk_bytes"] for chunk in chunks),
        "chunk_size": None,
        "compression": None,
        "data_format": [_INT32_TENSOR],
        "data_spec": json.dumps([1, {"type": None, "context": None, "children_spec": []}]),
        "encryption": None,
        "item_loader": "TokensLoader",
    }
    return json.dumps({"chunks": chunks, "config": config}, sort_keys=True).encode()
