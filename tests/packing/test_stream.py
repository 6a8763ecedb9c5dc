"""Sequences on the fly: an epoch, the weights, ranks, and going on at any point with any number of ranks."""

from __future__ import annotations

import json
import math
import os
import random
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sentencepiece import SentencePieceProcessor

import massivetext
from massivetext.errors import LimitError, OutputError, RecipeError
from massivetext.packing import Sequences, sequences
from massivetext.packing.documents import Mixture, SubsetReader, open_mixture
from tests.packing.conftest import Write, words

LENGTH = 16  # C = 240 bytes, C/4 = 60


def _take(stream: Sequences, n: int) -> list[bytes]:
    return [sequence.tobytes() for _, sequence in zip(range(n), stream)]


def _state(stream: Sequences) -> dict:
    return json.loads(json.dumps(stream.state_dict()))


def test_a_mixture_of_whole_documents_by_an_oracle(model: str, write_mixture: Write) -> None:
    """Documents of at most C/4 bytes are whole: every sequence is a run of BOS text EOS of ten documents."""
    texts = [words(5, i) for i in range(237)]
    folder = write_mixture({"books": texts}, {"books": 1.0})
    pieces = SentencePieceProcessor(model_file=model)
    whole = {(1, *pieces.encode(text), 2): i for i, text in enumerate(texts)}

    found = list(sequences(folder, tokenizer=model, length=LENGTH, epochs=1))

    assert {np.dtype(np.uint16)} == {sequence.dtype for sequence in found}
    assert {(LENGTH,)} == {sequence.shape for sequence in found}
    seen: Counter[int] = Counter()
    for sequence in found:
        ids = sequence.tolist()
        starts = [i for i, token in enumerate(ids) if token == 1]
        for first in starts:
            if 2 in ids[first:]:
                seen[whole[tuple(ids[first : ids.index(2, first) + 1])]] += 1
    assert max(seen.values()) == 1
    # Of ten documents less than a sequence is dropped; the others differ only in where they are cut.
    tokens = sum(map(len, whole))
    assert tokens - 24 * (LENGTH - 1) <= sum(map(len, found)) <= tokens


def test_counts_are_those_of_the_sequences(model: str, write_mixture: Write) -> None:
    folder = write_mixture({"books": [words(40, i) for i in range(95)]}, {"books": 1.0})
    stream = sequences(folder, tokenizer=model, length=LENGTH, epochs=2)

    n = sum(map(len, stream))

    counts = stream.counts()["books"]
    assert counts["crops"] == 190
    assert counts["tokens"] == n + counts["dropped"]
    assert counts["crop_epochs"] == 2


def test_an_epoch_has_each_document_once_and_the_next_another_order(write_mixture: Write) -> None:
    texts = {"books": [words(5, i) for i in range(100)], "code": [words(5, i + 1000) for i in range(70)]}
    reader = SubsetReader(open_mixture(write_mixture(texts, {"books": 0.5, "code": 0.5})), "code", seed=5)

    first, second = reader.texts(0, 70).to_pylist(), reader.texts(70, 140).to_pylist()

    assert sorted(texts["code"]) == sorted(first) == sorted(second)
    assert first != second
    assert (first + second)[60:80] == reader.texts(60, 80).to_pylist()


def test_a_longer_run_begins_as_the_shorter(model: str, write_mixture: Write) -> None:
    folder = write_mixture({"books": [words(30, i) for i in range(100)]}, {"books": 1.0})

    one, two = (list(sequences(folder, tokenizer=model, length=LENGTH, epochs=n)) for n in (1, 2))

    assert np.array_equal(one, two[: len(one)])
    assert len(two) > 1.9 * len(one)


def test_subsets_are_drawn_by_weight(model: str, write_mixture: Write) -> None:
    """`books` has no digit but its number; `code` is digits alone, so a sequence shows whose it is."""
    texts = {"books": [words(30, i) for i in range(50)], "code": [f"{i % 10} " * 60 for i in range(90)]}
    folder = write_mixture(texts, {"books": 0.3, "code": 0.7})
    pieces = SentencePieceProcessor(model_file=model)

    drawn = [next(stream) for stream in [sequences(folder, tokenizer=model, length=LENGTH, epochs=None)] * 3000]

    is_code = [sum(c.isdigit() for c in pieces.decode(s.tolist())) > LENGTH / 3 for s in drawn]
    assert abs(np.mean(is_code) - 0.7) < 4 * math.sqrt(0.21 / 3000)
    reversed_ = sequences(folder, tokenizer=model, length=LENGTH, epochs=None, weights={"books": 1.0})
    assert not any("0 0 0" in pieces.decode(next(reversed_).tolist()) for _ in range(100))


def test_the_same_seed_gives_the_same_and_another_another(model: str, write_mixture: Write) -> None:
    folder = write_mixture({"books": [words(30, i) for i in range(100)]}, {"books": 1.0})
    first, second, other = (list(sequences(folder, tokenizer=model, length=LENGTH, seed=s)) for s in (3, 3, 4))

    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_batches_are_the_same_sequences(model: str, write_mixture: Write) -> None:
    folder = write_mixture({"books": [words(30, i) for i in range(100)]}, {"books": 1.0})
    single = list(sequences(folder, tokenizer=model, length=LENGTH))

    batches = list(sequences(folder, tokenizer=model, length=LENGTH, batch_size=7))

    assert {7} == {len(batch) for batch in batches[:-1]}
    assert np.array_equal(single, np.concatenate(batches))


@pytest.mark.parametrize("trial", range(50))
def test_going_on_with_other_numbers_of_ranks_is_exact(model: str, write_mixture: Write, trial: int) -> None:
    """World sizes 1, 4, 3, 2: what all ranks give together is one epoch of blocks, each sequence once."""
    folder = write_mixture({"books": [words(30, i) for i in range(170)]}, {"books": 1.0})
    expected = Counter(_take(sequences(folder, tokenizer=model, length=LENGTH, epochs=1), 10_000))
    chosen = random.Random(trial)
    given: Counter[bytes] = Counter()
    states: list[dict] = []
    for size in (1, 4, 3, 2):
        options = {"tokenizer": model, "length": LENGTH, "epochs": 1, "world_size": size}
        ranks = [sequences(folder, rank=rank, **options) for rank in range(size)]
        for rank in ranks:
            if states:
                rank.load_state_dict(chosen.sample(states, len(states)))
            given.update(_take(rank, chosen.choice([0, 3, 50, 100]) if size != 2 else 10_000))
        states = [_state(rank) for rank in ranks]
        if all(one["ended"] for one in states):
            break  # what comes next is another pass

    assert expected == given


def test_going_on_with_several_subsets_repeats_nothing(model: str, write_mixture: Write) -> None:
    texts = {"books": [words(30, i) for i in range(300)], "code": [words(20, i + 1000) for i in range(300)]}
    folder = write_mixture(texts, {"books": 0.5, "code": 0.5})

    def ranks(size: int) -> list[Sequences]:
        return [sequences(folder, tokenizer=model, length=LENGTH, rank=r, world_size=size) for r in range(size)]

    every = _every(ranks(1)[0])
    given: list[bytes] = []
    states: list[dict] = []
    for size in (2, 3, 1):
        now = ranks(size)
        for rank in now:
            if states:
                rank.load_state_dict(states)
            given += _take(rank, 60)
        states = [_state(rank) for rank in now]

    assert len(given) == 360
    assert max((Counter(given) - every).values(), default=0) == 0


def _every(stream: Sequences) -> Counter[bytes]:
    """All sequences of an epoch of all subsets, whatever the weights."""
    found: Counter[bytes] = Counter()
    for blocks in stream.blocks.values():
        n = blocks.reader.n_documents
        for number in range(-(-n // blocks.positions)):
            found.update(s.tobytes() for s in blocks.block(number, limit=n).sequences)
    return found


def test_one_rank_goes_on_with_the_same_sequences(model: str, write_mixture: Write) -> None:
    texts = {"books": [words(30, i) for i in range(120)], "code": [words(20, i + 1000) for i in range(120)]}
    folder = write_mixture(texts, {"books": 0.4, "code": 0.6})
    whole = _take(sequences(folder, tokenizer=model, length=LENGTH, epochs=None), 1500)
    chosen = random.Random(2)
    for _ in range(10):
        at = chosen.randrange(1400)
        before = sequences(folder, tokenizer=model, length=LENGTH, epochs=None)
        first = _take(before, at)
        after = sequences(folder, tokenizer=model, length=LENGTH, epochs=None)
        after.load_state_dict(_state(before))

        assert whole[: at + 100] == first + _take(after, 100)


def test_states_of_something_else_are_refused(model: str, write_mixture: Write) -> None:
    folder = write_mixture({"books": [words(30, i) for i in range(100)]}, {"books": 1.0})
    state = sequences(folder, tokenizer=model, length=LENGTH).state_dict()

    with pytest.raises(OutputError, match="another length: 16, here it is 8"):
        sequences(folder, tokenizer=model, length=8).load_state_dict(state)
    with pytest.raises(OutputError, match="another seed"):
        sequences(folder, tokenizer=model, length=LENGTH, seed=1).load_state_dict(state)
    two = [sequences(folder, tokenizer=model, length=LENGTH, rank=r, world_size=2).state_dict() for r in range(2)]
    with pytest.raises(OutputError, match="states of all ranks"):
        sequences(folder, tokenizer=model, length=LENGTH).load_state_dict(two[:1])


def test_wrong_input_is_named(model: str, model_without_bos: str, write_mixture: Write) -> None:
    folder = write_mixture({"books": [words(30, i) for i in range(30)]}, {"books": 1.0})

    with pytest.raises(RecipeError, match=r"bare\.model: has no BOS token"):
        sequences(folder, tokenizer=model_without_bos)
    with pytest.raises(RecipeError, match="'<none>', which is none of its pieces"):
        sequences(folder, tokenizer=model, bos="<none>")
    with pytest.raises(RecipeError, match=r"sum to 0\.9"):
        sequences(folder, tokenizer=model, weights={"books": 0.9})
    with pytest.raises(RecipeError, match="no documents of code, only of books"):
        sequences(folder, tokenizer=model, weights={"books": 0.5, "code": 0.5})
    with pytest.raises(LimitError, match="its documents are too short"):
        next(sequences(folder, tokenizer=model, length=20_000, epochs=None))
    with pytest.raises(RecipeError, match="scratch: s3://bucket/x is on an object store"):
        sequences(folder, tokenizer=model, scratch="s3://bucket/x")
    with pytest.raises(OutputError, match="no shards there"):
        sequences(folder + "/nothing", tokenizer=model)


def test_what_is_no_state_is_refused(model: str, write_mixture: Write) -> None:
    folder = write_mixture({"books": [words(40, i) for i in range(30)]}, {"books": 1.0})
    stream = sequences(folder, tokenizer=model, length=LENGTH)
    state = _state(stream)
    place = state["subsets"]["books"]

    for wrong in (
        *(None, "x", 5, {}, [None], ["x"]),
        *({**state, key: value} for key in ("rank", "world_size", "base", "drawn") for value in (None, "x", [1], -1)),
        *({**state, key: value} for key in ("of", "ended", "epoch", "subsets") for value in ("x", [1], 0.5)),
        *({**state, "subsets": {"books": value}} for value in (None, [], {}, {"pending": []}, {**place, "next": "x"})),
        *({**state, "subsets": {"books": {**place, "pending": value}}} for value in (5, [5], [[1]], [["x", 0]])),
        {**state, "subsets": {"other": place}},
    ):
        with pytest.raises(OutputError, match=r"^state.*; expected .*\. Take what state_dict returned"):
            stream.load_state_dict(wrong)
    assert state == _state(stream)


def test_a_shard_removed_or_cut_after_the_manifest_is_named(model: str, write_mixture: Write) -> None:
    folder = write_mixture({"books": [words(30, i) for i in range(30)]}, {"books": 1.0})
    shard = f"{folder}/mixture/main/shard-00001-of-00003.parquet"
    os.truncate(shard, os.path.getsize(shard) - 7)

    with pytest.raises(OutputError, match=r"shard-00001-of-00003\.parquet: has .* bytes, its manifest says"):
        sequences(folder, tokenizer=model)
    os.remove(shard)
    with pytest.raises(OutputError, match="is in the manifest, but not there"):
        sequences(folder, tokenizer=model)


def test_plain_parquet_with_text_alone(model: str, tmp_path: os.PathLike) -> None:
    path = f"{tmp_path}/texts.parquet"
    pq.write_table(pa.table({"text": [words(30, i) for i in range(40)] + [None, ""]}), path)

    found: Sequence[np.ndarray] = list(massivetext.sequences(path, tokenizer=model, length=LENGTH, epochs=1))

    assert len(found) > 40


def test_a_scratch_folder_changes_nothing_but_what_is_read(
    model: str, write_mixture: Write, tmp_path: os.PathLike, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = {"books": [words(30, i) for i in range(120)], "code": [words(20, i + 1000) for i in range(200)] + [""]}
    folder = write_mixture(texts, {"books": 0.5, "code": 0.5}, rows=20)
    plain = _take(sequences(folder, tokenizer=model, length=LENGTH, epochs=None), 400)
    scratch = f"{tmp_path}/scratch"
    reads: list[int] = []
    read = Mixture._read
    monkeypatch.setattr(Mixture, "_read", lambda self, unit: reads.append(unit) or read(self, unit))

    for _ in range(2):
        found = sequences(folder, tokenizer=model, length=LENGTH, epochs=None, scratch=scratch)
        assert plain == _take(found, 400)

    # Each row group is decoded once, though there are two subsets, several epochs and two readers.
    assert len(reads) == len(set(reads)) == len(found.mixture.path)
