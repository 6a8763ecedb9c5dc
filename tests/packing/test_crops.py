"""Crops and sequences against spec section 10 in plain Python, and against its statistics."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentencepiece import SentencePieceProcessor

from massivetext.mixture.allotment import generator
from massivetext.packing.blocks import Blocks
from massivetext.packing.crops import crop, sequences_of_group
from massivetext.packing.documents import open_mixture
from massivetext.tokenizers import Tokenizer, read_tokenizer
from tests.packing.conftest import Write, words


def _oracle_crop(text: str, uniform: float, length: int) -> tuple[str, bool, bool]:
    """Character by character: those that lie wholly in [start, start + C)."""
    size = 15 * length
    data = text.encode()
    start = math.floor(uniform * len(data) - size / 4)
    found, at = "", 0
    for character in text:
        width = len(character.encode())
        if start <= at and at + width <= start + size:
            found += character
        at += width
    return found, start <= 0, start + size >= len(data)


def _oracle_sequences(crops: list[tuple[list[int], bool, bool]], length: int) -> tuple[list[list[int]], int]:
    stream: list[int] = []
    for ids, first, last in crops:
        stream += [-1] * first + ids + [-2] * last
    whole = len(stream) // length
    return [stream[i * length : (i + 1) * length] for i in range(whole)], len(stream) - whole * length


TEXTS = st.text(st.sampled_from("ab é漢😀\n"), max_size=120)


@given(st.lists(st.tuples(TEXTS, st.floats(0, 1, exclude_max=True)), max_size=8), st.integers(1, 5), st.integers(0, 3))
def test_crops_are_those_of_the_spec(drawn: list[tuple[str, float]], length: int, offset: int) -> None:
    texts = pa.array(["é"] * offset + [text for text, _ in drawn], pa.large_string())[offset:]

    found = crop(texts, np.array([u for _, u in drawn], np.float64), length=length)

    expected = [_oracle_crop(text, u, length) for text, u in drawn]
    assert expected == list(zip([text.decode() for text in found.texts], found.first.tolist(), found.last.tolist()))


@given(
    st.lists(st.tuples(st.lists(st.integers(0, 9), max_size=9), st.booleans(), st.booleans()), max_size=10),
    st.integers(1, 7),
)
def test_sequences_are_those_of_the_spec(crops: list[tuple[list[int], bool, bool]], length: int) -> None:
    found, dropped = sequences_of_group(
        [np.array(ids, np.int32) for ids, _, _ in crops],
        [first for _, first, _ in crops],
        [last for _, _, last in crops],
        bos=-1,
        eos=-2,
        length=length,
        dtype=np.dtype(np.int32),
    )

    assert _oracle_sequences(crops, length) == (found.tolist(), dropped)


def test_a_crop_by_hand() -> None:
    # length 4: C = 60 bytes, C/4 = 15. 100 bytes at 0.5: start 50 - 15 = 35, to 95.
    text = "".join(chr(33 + i % 90) for i in range(100))

    found = crop(pa.array([text], pa.large_string()), np.array([0.5]), length=4)

    assert ([text[35:95].encode()], [False], [False]) == (found.texts, found.first.tolist(), found.last.tolist())


def test_a_document_of_a_quarter_crop_is_always_whole() -> None:
    uniform = np.r_[0, np.linspace(0, 1, 1001)[:-1], np.nextafter(1, 0)]
    for n_bytes in (0, 1, 7678, 7679, 7680):
        found = crop(pa.array(["x" * n_bytes] * len(uniform), pa.large_string()), uniform, length=2048)

        assert {b"x" * n_bytes} == set(found.texts)
        assert found.first.all()
        assert found.last.all()


def test_a_document_just_longer_is_not_always_whole() -> None:
    # C/4 = 15, so C = 60; of 47 bytes the last start is 31, and 31 to 47 are left of it.
    found = crop(pa.array(["x" * 47], pa.large_string()), np.array([np.nextafter(1, 0)]), length=4)

    assert ([16], [False], [True]) == ([len(text) for text in found.texts], found.first.tolist(), found.last.tolist())


@pytest.mark.parametrize("n_bytes", [60, 150, 600, 6000])
def test_the_first_byte_is_covered_as_often_as_stated(n_bytes: int) -> None:
    """(C/4 + 1) / B for the first byte; the last byte is covered by starts of B - C and more, 3C/4 of the B."""
    n, size = 20_000, 60
    texts = pa.array(["x" * n_bytes] * n, pa.large_string())

    found = crop(texts, np.random.default_rng(7).random(n), length=4)

    for covered, expected in (
        (found.first.mean(), min(1, (size / 4 + 1) / n_bytes)),
        (found.last.mean(), min(1, 3 * size / 4 / n_bytes)),
    ):
        assert abs(covered - expected) <= 4 * math.sqrt(expected * (1 - expected) / n) + 1e-12


def test_starts_are_drawn_uniformly_from_a_quarter_crop_before_the_document() -> None:
    """U(-C/4, B - C/4) in twenty bins of equal width, the first of them before the document's start; chi-square with
    19 degrees of freedom, of which 0.999 lies below 43.8."""
    size, n_bytes, n = 400, 2000, 40_000
    text = "".join(f"{i:05d}" for i in range(n_bytes // 5))

    found = crop(pa.array([text] * n, pa.large_string()), np.random.default_rng(3).random(n), length=size // 15 + 1)

    size = 15 * (size // 15 + 1)  # 405
    pairs = zip(found.texts, found.first)
    starts = [len(piece) - size if first else text.find(piece.decode()) for piece, first in pairs]
    assert min(starts) == -math.ceil(size / 4)
    assert max(starts) == math.ceil(n_bytes - size / 4) - 1
    counts, _ = np.histogram(np.array(starts) + 0.5, 20, (-size / 4, n_bytes - size / 4))
    assert ((counts - n / 20) ** 2 / (n / 20)).sum() < 43.8


def test_a_block_is_ten_crops_a_group_of_fifteen_bytes_a_token(model: str, write_mixture: Write) -> None:
    """A whole block in plain Python: from its documents and its random numbers to its sequences."""
    texts = [words(n, i) + " é漢😀" * (i % 3) for i, n in enumerate([3, 40, 200, 700] * 25)]
    mixture = open_mixture(write_mixture({"books": texts}, {"books": 1.0}))
    tokenizer, pieces = read_tokenizer(model), SentencePieceProcessor(model_file=model)
    blocks = Blocks(mixture, "books", tokenizer, length=16, seed=9)
    assert blocks.positions == 10
    for number in (0, 3, 12):
        random = generator("block", 9, "books", number)
        documents = blocks.reader.texts(number * 10, number * 10 + 10).to_pylist()
        crops = [_oracle_crop(text, u, 16) for text, u in zip(documents, random.random(10).tolist())]
        stream: list[int] = []
        for text, first, last in crops:
            stream += [1] * first + pieces.encode(text) + [2] * last
        whole = len(stream) // 16
        expected = np.array(stream[: whole * 16]).reshape(whole, 16)[random.permutation(whole)]

        found = blocks.block(number)

        assert any(not first or not last for _, first, last in crops)
        assert expected.tolist() == found.sequences.tolist()
        assert (10, len(stream), len(stream) - whole * 16) == (found.crops, found.tokens, found.dropped)


@pytest.mark.parametrize(("vocabulary", "dtype"), [(2, "uint16"), (1 << 16, "uint16"), ((1 << 16) + 1, "int32")])
def test_ids_are_uint16_where_the_vocabulary_allows(vocabulary: int, dtype: str) -> None:
    tokenizer = Tokenizer("", "", vocabulary, 0, 1, lambda texts: [])

    assert dtype == tokenizer.dtype.name
    assert vocabulary - 1 <= np.iinfo(tokenizer.dtype).max
