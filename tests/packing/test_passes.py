"""Passes of sequences: as many tokens as the mixture has, each pass other crops, ranks, and going on after `remove`."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import massivetext
from massivetext import storage
from massivetext.errors import LimitError, RecipeError
from massivetext.packing import Sequences
from massivetext.packing.pack import pack
from massivetext.removed import Removed, rewrite
from tests.packing.conftest import Write, words

LENGTH = 16


@pytest.fixture
def folder(write_mixture: Write) -> str:
    """As the README's mixture: one subset has two documents, long ones."""
    texts = {"books": [words(900, i) for i in range(2)], "code": [words(40, i + 10) for i in range(200)]}
    return write_mixture(texts, {"books": 0.2, "code": 0.8})


def taken(stream: Sequences, n: int = 1 << 60) -> list[bytes]:
    return [sequence.tobytes() for _, sequence in zip(range(n), stream)]


def test_a_pass_has_the_tokens_of_the_mixture_as_pack_writes_them(folder: str, model: str, tmp_path: Path) -> None:
    stream = massivetext.sequences(Path(folder), tokenizer=Path(model), length=LENGTH)
    manifest = pack(folder, tokenizer=model, output=tmp_path / "o", length=LENGTH)

    passes = [taken(stream) for _ in range(3)]

    n = sum(found["sequences"] for found in manifest["counts"].values())
    assert [n] * 3 == list(map(len, passes))
    assert n == len(stream) == stream.total
    assert len({*map(tuple, passes)}) == 3
    assert "sequences of the pass were given" in str(stream.ended)
    again = massivetext.sequences(folder, tokenizer=model, length=LENGTH)
    again.set_epoch(2)
    assert passes[2] == taken(again)
    assert 500 // LENGTH == len(taken(massivetext.sequences(folder, tokenizer=model, length=LENGTH, tokens=500)))


def test_a_pass_that_ends_with_a_small_subset_says_so(folder: str, model: str) -> None:
    stream = massivetext.sequences(folder, tokenizer=model, length=LENGTH, epochs=1)

    with pytest.warns(UserWarning, match=r"books has given 1 crops of each of its 2 documents.*epochs=\"mixture\""):
        n = len(taken(stream))

    assert n < stream.mixture.tokens["code"] / LENGTH / 2


@pytest.mark.parametrize("size", [1, 3, 7])
def test_ranks_share_a_pass(folder: str, model: str, size: int) -> None:
    def ranks(uneven: str) -> list[Sequences]:
        options = {"tokenizer": model, "length": LENGTH, "world_size": size, "uneven": uneven, "tokens": LENGTH * 101}
        return [massivetext.sequences(folder, rank=rank, **options) for rank in range(size)]

    kept, dropped, padded = ([len(taken(rank)) for rank in ranks(uneven)] for uneven in ("keep", "drop", "pad"))

    assert 101 == sum(kept)
    assert max(kept) - min(kept) <= 1
    assert [101 // size] * size == dropped
    assert [-(-101 // size)] * size == padded
    if 101 % size:
        with pytest.raises(LimitError, match="are no multiple of"):
            ranks("error")


def test_a_rank_without_any_is_said(folder: str, model: str) -> None:
    with pytest.warns(UserWarning, match="rank 2 of 3 gets no sequence: there are 2"):
        massivetext.sequences(folder, tokenizer=model, length=LENGTH, tokens=2 * LENGTH, rank=2, world_size=3)
    with pytest.raises(LimitError, match="'drop' leaves nothing: there are 2 sequences for 3 ranks"):
        massivetext.sequences(
            folder, tokenizer=model, length=LENGTH, tokens=2 * LENGTH, rank=0, world_size=3, uneven="drop"
        )
    with pytest.raises(LimitError, match=r"length: 1,000,000; the mixture's [\d,]+ tokens fill no sequence"):
        massivetext.sequences(folder, tokenizer=model, length=1_000_000)
    with pytest.raises(RecipeError, match="does not go with tokens"):
        massivetext.sequences(folder, tokenizer=model, epochs=None, tokens=5000)
    with pytest.raises(LimitError, match="the largest budget under the cap is"):
        massivetext.sequences(folder, tokenizer=model, length=LENGTH, weights={"books": 0.9, "code": 0.1})


def test_other_numbers_of_ranks_end_a_pass_together(folder: str, model: str) -> None:
    def ranks(size: int) -> list[Sequences]:
        return [
            massivetext.sequences(folder, tokenizer=model, length=LENGTH, rank=r, world_size=size) for r in range(size)
        ]

    given, states = [], []
    for size, n in ((2, 50), (3, 40), (1, 1 << 60)):
        now = ranks(size)
        for rank in now:
            if states:
                rank.load_state_dict(states)
            given += taken(rank, n)
        states = [json.loads(json.dumps(rank.state_dict())) for rank in now]

    assert now[0].total == len(given)
    assert max(Counter(given).values()) <= 2  # a book's crops of two epochs may be the same
    assert states[0]["ended"]


def test_ids_of_32_bits_where_asked(folder: str, model: str) -> None:
    assert np.int32 == next(massivetext.sequences(folder, tokenizer=model, length=LENGTH, dtype="int32")).dtype
    with pytest.raises(RecipeError, match="dtype: uint8 does not hold"):
        massivetext.sequences(folder, tokenizer=model, length=LENGTH, dtype="uint8")


@pytest.mark.parametrize("scratch", [False, True])
def test_a_training_goes_on_after_a_removal(folder: str, model: str, tmp_path: Path, scratch: bool) -> None:
    """Blocks of documents that all stand are as they were; no sequence has a piece of what is gone."""
    options = {"tokenizer": model, "length": LENGTH, "epochs": 1, "weights": {"code": 1.0}}
    if scratch:
        options["scratch"] = tmp_path / "scratch"
    before = massivetext.sequences(folder, **options)
    first, state = taken(before, 100), before.state_dict()
    every = taken(massivetext.sequences(folder, **options))
    place = f"{folder}/mixture/main/manifest.json"
    data = json.loads(storage.read_bytes(place))
    for file in data["files"]:
        summary = rewrite(f"{folder}/mixture/main/{file}", Removed(ids=("7", "31")))
        data["files"][file] = {key: summary[key] for key in ("rows", "bytes", "blake2b")}
    storage.write_bytes(place, json.dumps(data).encode())
    if scratch:
        options["scratch"] = tmp_path / "other"

    after = massivetext.sequences(folder, **options)
    after.load_state_dict(state)
    rest = taken(after)

    assert every[:100] == first
    assert sum(len(one) for one in (first, rest)) < len(every)
    # Groups of ten documents without one of those that went give the same sequences.
    assert len(Counter(rest) & Counter(every)) > 0.5 * len(rest)
    assert taken(massivetext.sequences(folder, **options)) != every


def test_numbers_of_numpy_are_numbers(folder: str, model: str) -> None:
    kind = np.int64
    options = {"rank": kind(0), "world_size": kind(2), "seed": kind(5), "length": kind(16), "tokens": kind(800)}
    stream = massivetext.sequences(folder, tokenizer=model, batch_size=kind(4), **options)
    stream.set_epoch(kind(1))
    plain = {name: int(value) for name, value in options.items()}
    other = massivetext.sequences(folder, tokenizer=model, batch_size=4, **plain)
    other.set_epoch(1)

    assert taken(stream, 3) == taken(other, 3)
    assert json.loads(json.dumps(stream.state_dict())) == other.state_dict()
