"""Crops and sequences against spec section 10 in plain Python, and against its statistics."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from massivetext.packing.crops import crop, sequences_of_group


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
