"""Training a tokenizer on a seeded sample of a mixture, in which the subsets have their weights."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from massivetext import storage
from massivetext.errors import LimitError, RecipeError
from massivetext.mixture.allotment import generator
from massivetext.packing.crops import crop
from massivetext.packing.documents import Mixture, SubsetReader, open_mixture
from massivetext.tokenizers import BYTES_A_TOKEN, library

__all__ = ["sample", "train_tokenizer"]

_CROP_LENGTH = 2048
_DOCUMENTS_A_READ = 256
_SENTENCE_BYTES = 4096


def sample(mixture: Mixture, subset: str, n_bytes: int, *, seed: int) -> Iterator[bytes]:
    """Crops of a subset's documents (30,720 bytes at most, so that no long book outweighs the others), in a seeded
    order, again from the first when all had their turn, until they have n_bytes."""
    reader = SubsetReader(mixture, subset, seed=seed)
    first, barren = 0, 0
    while n_bytes > 0:
        uniform = generator("sample", seed, subset, first).random(_DOCUMENTS_A_READ)
        for text in crop(reader.texts(first, first + _DOCUMENTS_A_READ), uniform, length=_CROP_LENGTH).texts:
            barren = 0 if text else barren + 1
            if barren > reader.n_documents:
                raise LimitError(f"{subset}: none of its {reader.n_documents} documents has text")
            yield text
            n_bytes -= len(text)
            if n_bytes <= 0:
                return
        first += _DOCUMENTS_A_READ


def _sentences(texts: Iterator[bytes]) -> Iterator[str]:
    """Texts in pieces of at most 4,096 bytes, cut behind line breaks where there are some: the trainer leaves out what
    is longer. It takes U+0000 for an end, so that is a space here."""
    for data in texts:
        text = data.decode("utf-8").replace("\0", " ")
        held: list[str] = []
        size = 0
        for line in text.splitlines(keepends=True):
            for at in range(0, len(line), _SENTENCE_BYTES // 4):
                piece = line[at : at + _SENTENCE_BYTES // 4]
                n = len(piece.encode())
                if size + n > _SENTENCE_BYTES:
                    yield "".join(held)
                    held, size = [], 0
                held.append(piece)
                size += n
        if held:
            yield "".join(held)


def train_tokenizer(
    path: str | os.PathLike[str],
    *,
    output: str | os.PathLike[str],
    vocabulary: int = 32_000,
    sample_bytes: int = 100_000_000,
    seed: int = 0,
    weights: Mapping[str, float] | None = None,
    mixture: str | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Write a SentencePiece model to `output`: BPE, byte fallback, BOS 1, EOS 2, nothing normalized, so that decoding
    gives the text back, but a space for each U+2581, which stands for one.

    Returns {"pieces", "sample_bytes": of each subset, "bytes_a_token": of each subset}, the last over 1 MB of crops in
    another order, some of which the training may have seen. sample_bytes: of text to learn from, at most what the
    mixture has; a subset's share of it is its weight. The model is a function of the mixture, the seed and the numbers.

    Raises LimitError for a vocabulary that the sample cannot fill, RecipeError for one too small for bytes.
    """
    sentencepiece = library("sentencepiece", "train a tokenizer")

    if vocabulary < 300:
        raise RecipeError(f"vocabulary: {vocabulary}; expected at least 300, of which 256 are bytes")
    opened = open_mixture(path, mixture=mixture, weights=weights)
    total = min(sample_bytes, BYTES_A_TOKEN * sum(opened.tokens[name] for name in opened.weights))
    shares = {name: max(1, round(weight * total)) for name, weight in opened.weights.items()}
    for name, n in shares.items():
        say(f"{name:<12}{n:>16,} bytes to learn from")

    def texts() -> Iterator[bytes]:
        for name, n in shares.items():
            yield from sample(opened, name, n, seed=seed)

    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_sentences(texts()),
            model_writer=model,
            model_type="bpe",
            vocab_size=vocabulary,
            byte_fallback=True,
            character_coverage=0.9995,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            allow_whitespace_only_pieces=True,
            max_sentence_length=2 * _SENTENCE_BYTES,
            num_threads=1,  # the model has it written in
            minloglevel=2,
        )
    except (RuntimeError, OSError) as error:
        raise LimitError(
            f"vocabulary: {vocabulary} pieces cannot be learnt from {total:,} bytes of text: {error}; "
            "take fewer pieces or a larger sample"
        ) from error
    storage.write_bytes(os.fspath(output), model.getvalue())
    pieces = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    found: dict[str, Any] = {"pieces": pieces.get_piece_size(), "sample_bytes": shares, "bytes_a_token": {}}
    for name in shares:
        crops = list(sample(opened, name, 1_000_000, seed=seed + 1))
        n_tokens = sum(map(len, pieces.encode(crops, num_threads=1)))
        found["bytes_a_token"][name] = round(float(np.sum([len(text) for text in crops]) / max(1, n_tokens)), 3)
        say(f"{name:<12}{found['bytes_a_token'][name]:>16.2f} bytes a token")
    return found
