"""Tokenizers that a user names by file: a SentencePiece model, or the JSON file of the `tokenizers` library."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import os
import re
import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa

from massivetext import storage
from massivetext.errors import DependencyError, RecipeError

__all__ = [
    "BYTES_A_TOKEN",
    "TOKENS_VERSION",
    "Tokenizer",
    "counter",
    "library",
    "read_tokenizer",
    "tokenizer_file",
    "tokens_mark",
]

BYTES_A_TOKEN = 4
"""For estimates. The paper's table 2 has 3.75 to 4.12 for prose."""

TOKENS_VERSION = 2
"""Of what a `tokenizers` JSON file gives. 2: truncation and padding are switched off, and special strings within a text
are text. What a SentencePiece model gives has not changed."""

_BOS = ("<s>", "<bos>", "<|begin_of_text|>", "<|startoftext|>", "<|bos|>", "[BOS]")
_EOS = ("</s>", "<eos>", "<|end_of_text|>", "<|endoftext|>", "<|eos|>", "[EOS]")
"""Names by which a `tokenizers` file, which does not mark them, usually has its first and last token."""

_FILES = ("tokenizer.json", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "qwen.tiktoken")
"""What a tokenizer's folder, as Hugging Face has them, is looked through for, in this order."""


@dataclass(frozen=True)
class Tokenizer:
    """A tokenizer that was read from a file.

    path: the file; digest: BLAKE2b-128 (hex) of its bytes; vocabulary: ids are below it; bos, eos: ids, or None where
    there is no such token, or several could be it; encode: ids of each text, which is str or UTF-8, without special
    tokens; kind: "sentencepiece", "tokenizers" or "tiktoken"; notes: what a user should know of how the file is read;
    candidates: of `bos` and `eos`, pieces that could be it where several could.
    """

    path: str
    digest: str
    vocabulary: int
    bos: int | None
    eos: int | None
    encode: Callable[[Sequence[str] | Sequence[bytes]], list[np.ndarray]]
    kind: str = "sentencepiece"
    notes: tuple[str, ...] = ()
    candidates: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def dtype(self) -> np.dtype:
        """The smallest type of ids that every format here has: uint16 up to 65,536 pieces, else int32."""
        return np.dtype(np.uint16 if self.vocabulary <= 1 << 16 else np.int32)


def tokenizer_file(path: str | os.PathLike[str]) -> str:
    """The file of a tokenizer that is named by itself or by its folder.

    Raises RecipeError where there is none: a name such as `gpt2` is not looked up anywhere.
    """
    path = os.fspath(path)
    if not storage.is_remote(path) and os.path.isfile(path):
        return path
    names = [name for name in _FILES if storage.exists(storage.join(path, name))]
    if names:
        return storage.join(path, names[0])
    if storage.exists(path) and (storage.is_remote(path) or not os.path.isdir(path)):
        return path
    if os.path.isdir(path):
        raise RecipeError(f"tokenizer: {path}: is a folder without any of {', '.join(_FILES)}")
    raise RecipeError(
        f"tokenizer: {path}: there is no such file. Nothing is downloaded: give the path of a tokenizer.json (Hugging "
        "Face), a SentencePiece model, a .tiktoken file, or a folder with one of them; `massivetext tokenizer train` "
        "trains one"
    )


def tokens_mark(path: str | os.PathLike[str]) -> str:
    """What counts of tokens by a tokenizer are a function of: the digest of its file, BLAKE2b-128 (hex), and of a
    `tokenizers` JSON file TOKENS_VERSION."""
    file = tokenizer_file(path)
    return _mark(file, storage.modified(file), storage.size(file))


@lru_cache(maxsize=64)
def _mark(file: str, modified: int, size: int) -> str:
    data = storage.read_bytes(file)
    digest = hashlib.blake2b(data, digest_size=16).hexdigest()
    return f"{digest} tokens-{TOKENS_VERSION}" if data.lstrip()[:1] == b"{" else digest


def read_tokenizer(path: str | os.PathLike[str], *, bos: str | None = None, eos: str | None = None) -> Tokenizer:
    """Read a tokenizer.

    Args:
        path: A SentencePiece model, a `tokenizers` JSON file, a tiktoken file, or a folder with one of them.
        bos: The piece that begins a document. By default the one that the model marks, or tokenizer_config.json beside
            the file names, or the only one there is of the usual names.
        eos: The piece that ends a document, likewise.

    Raises:
        RecipeError: For a file that is none of these, and for a piece that it does not have.
    """
    path = tokenizer_file(path)
    data = storage.read_bytes(path)
    beside = _config_beside(path)
    named = {"bos": bos or beside.get("bos_token"), "eos": eos or beside.get("eos_token")}
    if data.lstrip()[:1] == b"{":
        parts = _tokenizers(path, data, named)
    elif _is_tiktoken(data):
        parts = _tiktoken(path, data, beside)
    else:
        parts = _sentencepiece(path, data)
    ids = dict(zip(("bos", "eos"), parts.marked))
    candidates = {}
    for name, asked in (("bos", bos), ("eos", eos)):
        piece = named[name]
        if asked is not None and parts.find(asked) is None:
            raise RecipeError(f"tokenizer: {path}: {name} is to be {asked!r}, which is none of its pieces")
        if piece is not None and parts.find(piece) is not None and (asked is not None or ids[name] is None):
            ids[name] = parts.find(piece)
        elif ids[name] is None and f"{name}_token" not in beside:
            usual = tuple(one for one in (_BOS if name == "bos" else _EOS) if parts.find(one) is not None)
            if len(usual) == 1:
                ids[name] = parts.find(usual[0])
            elif usual:
                candidates[name] = usual
    digest = hashlib.blake2b(data, digest_size=16).hexdigest()
    return Tokenizer(
        path,
        digest,
        parts.vocabulary,
        ids["bos"],
        ids["eos"],
        parts.encode,
        parts.kind,
        tuple(parts.notes),
        candidates,
    )


def _config_beside(path: str) -> dict[str, Any]:
    """bos_token and eos_token, None where the file says that there is none, and added_tokens_decoder, of the
    tokenizer_config.json beside the file; nothing where there is no such file.

    Raises RecipeError for a file that is no JSON object, and for a bos_token or eos_token that is no piece.
    """
    place = _config_place(path)
    if not storage.exists(place):
        return {}
    data = _json_object(place, storage.read_bytes(place), "is no JSON object")
    beside: dict[str, Any] = {"added_tokens_decoder": data.get("added_tokens_decoder")}
    for key in ("bos_token", "eos_token"):
        if key in data:
            value = data[key]
            beside[key] = value.get("content") if isinstance(value, dict) else value
            if not _is_piece(beside[key]) and value is not None:
                raise _misfit(place, key, value, "a string, an object whose content is a string, or null")
    return beside


def _config_place(path: str) -> str:
    folder = path.rpartition("/")[0] if storage.is_remote(path) else os.path.dirname(path) or "."
    return storage.join(folder, "tokenizer_config.json")


def _json_object(path: str, data: bytes, fault: str) -> dict[str, Any]:
    """Return the object of a JSON file. Raises RecipeError, with `fault`, for anything else."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise RecipeError(f"tokenizer: {path}: {fault}: {error}") from error
    if not isinstance(content, dict):
        raise RecipeError(f"tokenizer: {path}: {fault}: {reprlib.repr(content)}")
    return content


def _misfit(path: str, key: str, value: object, expected: str) -> RecipeError:
    return RecipeError(
        f"tokenizer: {path}: {key}: {reprlib.repr(value)}; expected {expected}. Correct it, or take the file that came "
        "with the model"
    )


def _is_piece(value: object) -> bool:
    """Whether it is a string that UTF-8 can hold: JSON can have half a surrogate pair."""
    return isinstance(value, str) and re.search("[\ud800-\udfff]", value) is None


def _is_id(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 32


def library(name: str, purpose: str) -> ModuleType:
    """The module of that name. Raises DependencyError where it is not installed: a trainer may have the base alone."""
    try:
        return import_module(name)
    except ImportError as error:
        raise DependencyError(
            f"{name} is not installed, which it takes to {purpose}: pip install {name}, "
            "or 'massivetext[pipeline]' for all that makes mixtures"
        ) from error


@dataclass
class _Parts:
    """What each kind of file gives: how it encodes, its number of ids, the id of a piece, and BOS and EOS as marked."""

    kind: str
    encode: Callable[[Sequence[str] | Sequence[bytes]], list[np.ndarray]]
    vocabulary: int
    find: Callable[[str], int | None]
    marked: tuple[int | None, int | None] = (None, None)
    notes: list[str] = field(default_factory=list)


def _strings(texts: Sequence[str] | Sequence[bytes]) -> list[str]:
    return [text.decode("utf-8") if isinstance(text, bytes) else text for text in texts]


def _tokenizers(path: str, data: bytes, named: Mapping[str, str | None]) -> _Parts:
    tokenizers = library("tokenizers", f"read {path}")
    content = _json_object(path, data, "not a tokenizers JSON file")
    added = content.get("added_tokens") or []
    if not isinstance(added, list):
        raise _misfit(path, "added_tokens", added, "a list of objects")
    special = {*_BOS, *_EOS, *named.values()}
    for number, token in enumerate(added):
        if not (isinstance(token, dict) and _is_piece(token.get("content")) and _is_id(token.get("id"))):
            expected = "an object whose id is a whole number of at least 0, and whose content is a string"
            raise _misfit(path, f"added_tokens[{number}]", token, expected)
        # A token that ends documents is special, whether the file says so or not.
        token["special"] = bool(token.get("special")) or token["content"] in special
    try:
        tokenizer = tokenizers.Tokenizer.from_str(json.dumps(content))
    except Exception as error:  # the library raises plain Exception for a file that it cannot read
        raise RecipeError(f"tokenizer: {path}: not a tokenizers JSON file: {error}") from error
    notes = []
    for name in ("truncation", "padding"):
        if getattr(tokenizer, name) is not None:
            setting = "max_length" if name == "truncation" else "length"
            value = getattr(tokenizer, name).get(setting)
            extent = "to the longest text" if value is None else f"{setting} {value}"
            notes.append(f"{path}: was saved with {name} ({extent}), which is switched off here")
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    unknown = getattr(tokenizer.model, "unk_token", None)
    forbidden = {token["id"]: token["content"] for token in added if token["special"] and token["content"] != unknown}
    for piece in special:
        if piece is not None and (number := tokenizer.token_to_id(piece)) is not None:
            forbidden[number] = piece
    numbers = np.array(sorted(forbidden), np.int32)

    def encode(texts: Sequence[str] | Sequence[bytes]) -> list[np.ndarray]:
        strings = _strings(texts)
        every = tokenizer.encode_batch_fast(strings, add_special_tokens=False)
        ids = [np.array(encoding.ids, np.int32) for encoding in every]
        for at, one in enumerate(ids):
            # A vocabulary of whole words, or Unigram's, has the special string as a piece of the text as well.
            if len(numbers) and np.isin(one, numbers).any():
                ids[at] = _without(strings[at], [forbidden[number] for number in numbers.tolist()], tokenizer, numbers)
        return ids

    # Ids may have holes: the largest counts, not their number.
    size = 1 + max(tokenizer.get_vocab(with_added_tokens=True).values(), default=-1)
    return _Parts("tokenizers", encode, size, tokenizer.token_to_id, notes=notes)


def _without(text: str, pieces: Sequence[str], tokenizer: Any, numbers: np.ndarray) -> np.ndarray:
    """Ids of a text, each special string of which is cut within, so that none of its ids is that string's."""
    cuts = {0, len(text)}
    for piece in pieces:
        at = text.find(piece)
        while at >= 0:
            cuts.add(at + max(1, len(piece) // 2))
            at = text.find(piece, at + 1)
    edges = sorted(cuts)
    parts = [text[first:last] for first, last in itertools.pairwise(edges)]
    every = tokenizer.encode_batch_fast(parts, add_special_tokens=False)
    ids = np.concatenate([np.array(encoding.ids, np.int32) for encoding in every])
    return ids[~np.isin(ids, numbers)]


def _is_tiktoken(data: bytes) -> bool:
    """Whether the first line is base64, a space and a number."""
    return re.match(rb"[A-Za-z0-9+/]+={0,2} \d+\r?\n", data[:4096]) is not None


_ENDOFTEXT = "<|endoftext|>"
_TIKTOKEN = {
    "gpt2": ("gpt2", 50256),
    "r50k_base": ("r50k_base", 50256),
    "p50k_base": ("p50k_base", 50256),
    "cl100k_base": ("cl100k_base", 100257),
    "o200k_base": ("o200k_base", 199999),
}
"""Of the files that tiktoken itself loads, by their names: the encoding, and the id of <|endoftext|>."""

_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How a text is cut before merging, which a tiktoken file does not say: the way of cl100k_base, Llama 3 and Qwen
(which cuts numbers into single digits)."""

_SHORT = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def _tiktoken(path: str, data: bytes, beside: Mapping[str, Any]) -> _Parts:
    special = _added_pieces(path, beside)
    tiktoken = library("tiktoken", f"read {path}")
    try:
        lines = [line.split() for line in data.splitlines() if line]
        ranks = {base64.b64decode(token): int(rank) for token, rank in lines}
        if not all(map(_is_id, ranks.values())) or len(set(ranks.values())) < len(ranks):
            raise ValueError("ranks are below 0, or several pieces have one")
    except ValueError as error:
        raise RecipeError(f"tokenizer: {path}: not a tiktoken file: {error}") from error
    stem = os.path.basename(path).partition(".")[0]
    notes = []
    pattern = _PATTERN
    if stem in _TIKTOKEN:
        special.setdefault(_ENDOFTEXT, _TIKTOKEN[stem][1])
        pattern = _SHORT if len(ranks) < 60_000 else _PATTERN
    if stem == "o200k_base":
        raise RecipeError(f"tokenizer: {path}: how o200k_base cuts texts is not known here; give its tokenizer.json")
    if "qwen" in stem:
        pattern = _PATTERN.replace(r"\p{N}{1,3}", r"\p{N}")
        special.setdefault(_ENDOFTEXT, len(ranks))
    elif stem not in _TIKTOKEN:
        notes.append(f"{path}: does not say how texts are cut; they are cut as by cl100k_base and Llama 3")
    encoding = tiktoken.Encoding(stem, pat_str=pattern, mergeable_ranks=ranks, special_tokens=special)

    def encode(texts: Sequence[str] | Sequence[bytes]) -> list[np.ndarray]:
        every = encoding.encode_ordinary_batch(_strings(texts), num_threads=1)
        return [np.array(ids, np.int32) for ids in every]

    end = special.get(_ENDOFTEXT)
    marked = (end, end) if "qwen" in stem or stem in _TIKTOKEN else (None, None)
    return _Parts("tiktoken", encode, encoding.n_vocab, special.get, marked, notes)


def _added_pieces(path: str, beside: Mapping[str, Any]) -> dict[str, int]:
    """The id of each piece of added_tokens_decoder. Raises RecipeError for one without content or number."""
    added = beside.get("added_tokens_decoder") or {}
    if not isinstance(added, dict):
        raise _misfit(_config_place(path), "added_tokens_decoder", added, "an object of ids")
    for number, token in added.items():
        is_number = number.isdecimal() and len(number) <= 10 and _is_id(int(number))
        if not (is_number and isinstance(token, dict) and _is_piece(token.get("content"))):
            expected = "an id, and an object whose content is a string"
            raise _misfit(_config_place(path), f"added_tokens_decoder.{number}", token, expected)
    return {token["content"]: int(number) for number, token in added.items()}


def _sentencepiece(path: str, data: bytes) -> _Parts:
    sentencepiece = library("sentencepiece", f"read {path}")
    if not data:
        raise RecipeError(f"tokenizer: {path}: is an empty file")
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
    return _Parts("sentencepiece", encode, pieces.get_piece_size(), find, (marked[0], marked[1]))


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
