"""Documents for a trainer: an epoch, its order, the weights, ranks, and what a wrong argument says."""

from __future__ import annotations

import json
import os
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import massivetext
from massivetext import storage
from massivetext.errors import LimitError, OutputError, RecipeError
from massivetext.loader import Loader
from massivetext.parquet import ParquetOutput
from tests.loader.conftest import LEDGER, document, manifest, write, write_mixture

WEIGHTS = {"books": 0.5, "c4": 0.3, "wikipedia": 0.2}


def names(loader: Loader, n: int | None = None) -> list[str]:
    return [row["id"] for row, _ in zip(loader, range(n or 1 << 60))]


def test_an_epoch_has_every_document_once(out: str, ids: list[str]) -> None:
    assert ids == sorted(names(massivetext.load(out)))
    assert ids == sorted(names(massivetext.load(f"{out}/mixture/main", seed=7, shuffle=1)))


def test_a_document_is_as_it_stands_in_the_shard(out: str) -> None:
    document = next(massivetext.load(out, shuffle=0))

    first = pq.read_table(f"{out}/mixture/main/shard-00000-of-00004.parquet").slice(0, 1).to_pylist()[0]
    assert {**first, "metadata": {pair["key"]: pair["value"] for pair in first["metadata"]}} == document


def test_without_shuffling_the_order_is_that_of_the_shards(out: str) -> None:
    shards = [pq.read_table(f"{out}/mixture/main/shard-{i:05d}-of-00004.parquet") for i in range(4)]

    expected = pa.concat_tables(shards).column("id").to_pylist()

    assert expected == names(massivetext.load(out, shuffle=0))
    assert expected * 2 == names(massivetext.load(out, shuffle=0, epochs=2))


def test_the_order_is_a_function_of_seed_and_epoch(out: str, ids: list[str]) -> None:
    two = names(massivetext.load(out, epochs=2))
    first, second = two[: len(ids)], two[len(ids) :]

    assert first == names(massivetext.load(out, read_ahead=0))
    assert first != second
    assert ids == sorted(second)
    assert first != names(massivetext.load(out, seed=1))
    assert two + names(massivetext.load(out, epochs=3))[len(two) :] == names(
        massivetext.load(out, epochs=None), 3 * len(ids)
    )


def test_batches_have_the_same_documents_in_the_same_order(out: str, ids: list[str]) -> None:
    batches = list(massivetext.load(out, batch_size=100))

    assert [100] * (len(ids) // 100) + [len(ids) % 100] == [batch.num_rows for batch in batches]
    assert names(massivetext.load(out)) == [name for batch in batches for name in batch.column("id").to_pylist()]
    assert pq.read_schema(f"{out}/mixture/main/shard-00000-of-00004.parquet") == batches[0].schema


def test_columns_are_those_asked_for(out: str) -> None:
    assert ["text", "n_bytes"] == list(next(massivetext.load(out, columns=["text", "n_bytes"])))
    weighed = next(massivetext.load(out, weights=WEIGHTS, columns=["text"], batch_size=5))
    assert ["text"] == weighed.schema.names


@pytest.mark.parametrize("size", [2, 3, 7])
def test_ranks_share_the_documents(out: str, ids: list[str], size: int) -> None:
    shares = [names(massivetext.load(out, rank=rank, world_size=size)) for rank in range(size)]

    assert ids == sorted(name for share in shares for name in share)
    # At least 256 blocks an epoch where there are documents: no rank is short of some.
    assert max(map(len, shares)) - min(map(len, shares)) <= 8


def test_curated_documents_are_those_that_the_ledger_keeps(out: str, ids: list[str]) -> None:
    every = massivetext.load(out, subsets=["books", "c4", "wikipedia"], batch_size=64)

    assert ids == sorted(name for batch in every for name in batch.column("id").to_pylist())
    books = sorted(names(massivetext.load(out, subsets=["books"])))
    assert [name for name in ids if name.startswith("books")] == books
    assert "books-0#0" in books


@pytest.mark.parametrize("batch_size", [None, 17])
def test_weights_are_shares_of_tokens_at_any_point(kept: tuple[str, list], batch_size: int | None) -> None:
    out, rows = kept
    given: dict[str, int] = dict.fromkeys(WEIGHTS, 0)
    largest = max(row["n_tokens"] for row in rows)
    loader = massivetext.load(out, weights=WEIGHTS, epochs=None, batch_size=batch_size)
    documents = loader if batch_size is None else (row for batch in loader for row in batch.to_pylist())
    for row, _ in zip(documents, range(1000)):
        given[row["subset"]] += row["n_tokens"]
        total = sum(given.values())

        assert max(abs(n - WEIGHTS[name] * total) for name, n in given.items()) <= largest
    # By documents the shares are quite others.
    assert loader.counts()["c4"]["documents"] > 3 * loader.counts()["books"]["documents"]


def test_a_state_has_the_tokens_given_of_each_subset(out: str) -> None:
    loader = massivetext.load(out, weights=WEIGHTS)
    tokens = dict.fromkeys(WEIGHTS, 0)
    for n in (0, 1, 200):
        for _, row in zip(range(n), loader):
            tokens[row["subset"]] += row["n_tokens"]

        assert tokens == {name: place["tokens"] for name, place in loader.state_dict()["subsets"].items()}


def test_a_subset_that_is_drawn_often_comes_in_whole_epochs(out: str, ids: list[str]) -> None:
    books = [name for name in ids if name.startswith("books")]

    given = [name for name in names(massivetext.load(out, weights=WEIGHTS, epochs=None), 1200) if "books" in name]

    assert len(given) > 3 * len(books)
    for at in range(0, len(given) - len(books), len(books)):
        assert books == sorted(given[at : at + len(books)])


def test_the_stream_ends_when_a_subset_has_given_its_epochs(out: str, ids: list[str]) -> None:
    given = Counter(names(massivetext.load(out, weights=WEIGHTS, epochs=2)))

    assert max(given.values()) == 2
    whole = {name.split("-")[0] for name in ids} - {name.split("-")[0] for name in ids if given[name] < 2}
    assert 1 == len(whole)


def test_ranks_hold_to_the_weights_and_share_nothing(out: str) -> None:
    ranks = [massivetext.load(out, weights=WEIGHTS, rank=rank, world_size=3) for rank in range(3)]

    given = [list(rank) for rank in ranks]

    assert max(Counter(row["id"] for rows in given for row in rows).values()) == 1
    for rows in given:
        tokens = {name: sum(row["n_tokens"] for row in rows if row["subset"] == name) for name in WEIGHTS}
        shares = np.array([tokens[name] / sum(tokens.values()) for name in WEIGHTS])
        assert np.abs(shares - list(WEIGHTS.values())).max() < 0.03


def test_plain_parquet_of_any_columns(tmp_path: os.PathLike) -> None:
    pq.write_table(pa.table({"body": ["a", None, "c"], "n": [1, None, 3]}), f"{tmp_path}/x.parquet", row_group_size=1)

    found = list(massivetext.load(str(tmp_path)))

    assert [{"body": "a", "n": 1}, {"body": "c", "n": 3}, {"body": None, "n": None}] == sorted(
        found, key=lambda row: str(row["n"])
    )
    assert 3 == len(list(massivetext.load(f"{tmp_path}/x.parquet")))


def test_more_ranks_than_documents(tmp_path: os.PathLike) -> None:
    pq.write_table(pa.table({"text": ["a", "b", "c"]}), f"{tmp_path}/x.parquet")
    with pytest.warns(UserWarning, match=r"rank \d of 5 gets no document: there are 3") as warned:
        ranks = [list(massivetext.load(str(tmp_path), rank=rank, world_size=5)) for rank in range(5)]

    assert 2 == len(warned)
    assert [0, 0, 1, 1, 1] == sorted(map(len, ranks))
    # Three blocks an epoch are dealt on, so that with no end each rank has its turn.
    assert {"a", "b", "c"} == {
        row["text"] for row, _ in zip(massivetext.load(str(tmp_path), rank=4, world_size=5, epochs=None), range(40))
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rank": 2, "world_size": 2}, "rank: 2; expected 0 to 1"),
        ({"rank": -1}, "rank: -1; expected 0 to 0"),
        ({"batch_size": 0}, "batch_size: 0; expected a whole number of at least 1"),
        ({"epochs": 1.5}, r"epochs: 1\.5; expected a whole number"),
        ({"shuffle": -1}, "shuffle: -1"),
        ({"columns": ["text", "size"]}, "columns: size; expected some of id, text"),
        ({"columns": []}, "columns: none"),
        ({"weights": {"books": 0.5, "c4": 0.4}}, r"sum to 0\.9"),
        ({"weights": {"books": 1.5, "c4": -0.5}}, "shares of tokens"),
        ({"weights": {}}, "sum to 0"),
        ({"weights": {"books": 0.5, "news": 0.5}}, "keeps no document of news"),
        ({"subsets": ["code"]}, "there is no 'code' in .*, only books, c4, news, wikipedia"),
        ({"subsets": "books"}, "expected a list of names"),
        ({"subsets": ["books"], "weights": {"books": 1}}, "give one of the two"),
        ({"mixture": "main", "subsets": ["books"]}, "for curated documents"),
    ],
)
def test_a_wrong_argument_is_named(out: str, arguments: dict, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        massivetext.load(out, **arguments)


def test_a_folder_that_does_not_fit_is_named(out: str, tmp_path: os.PathLike) -> None:
    with pytest.raises(OutputError, match="no shards there"):
        massivetext.load(f"{tmp_path}/nothing")
    with pytest.raises(OutputError, match="no mixture 'other', only main"):
        massivetext.load(out, mixture="other")
    with pytest.raises(OutputError, match="of a finished run"):
        massivetext.load(f"{out}/mixture/main", subsets=["books"])
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), f"{tmp_path}/x.parquet")
    with pytest.raises(OutputError, match="hold no documents"):
        massivetext.load(str(tmp_path))
    pq.write_table(pa.table({"text": [1]}), f"{tmp_path}/y.parquet")
    with pytest.raises(
        OutputError, match=r"y\.parquet: has not the columns of .*x\.parquet: text int64, there text string"
    ):
        massivetext.load(str(tmp_path))


def test_a_rank_without_any_document_says_so(tmp_path: os.PathLike) -> None:
    """Two row groups, of the second of which the ledger keeps nothing: in this order rank 1 never gets another."""
    rows, name = [document("c4", i, 3) for i in range(2)], "c4/part-0000000000000000-00000.parquet"
    files = {name: write(f"{tmp_path}/curated/{name}", rows, 1)}
    manifest(f"{tmp_path}/curated", "curated", files, {})
    with ParquetOutput(f"{tmp_path}/ledger/{name}", LEDGER) as output:
        output.write(pa.table([["c4-0", "c4-1"], ["kept", "duplicate"]], LEDGER))
    manifest(f"{tmp_path}/ledger", "ledger", {name: output.summary}, {"c4": {"kept": [1, 0, 0]}})

    assert ["c4-0"] == names(massivetext.load(str(tmp_path), subsets=["c4"]))
    with pytest.raises(LimitError, match="1 documents are too few for 2 ranks"):
        next(massivetext.load(str(tmp_path), subsets=["c4"], shuffle=0, epochs=None, rank=1, world_size=2))


def test_a_document_that_the_ledger_does_not_know_is_named(own: str) -> None:
    name = "books/part-0000000000000001-00000.parquet"
    known = pq.read_table(f"{own}/ledger/{name}").slice(3)
    with ParquetOutput(f"{own}/ledger/{name}", LEDGER) as output:
        output.write(known)
    listed = json.loads(storage.read_bytes(f"{own}/ledger/manifest.json"))
    listed["files"][name] = output.summary
    storage.write_bytes(f"{own}/ledger/manifest.json", json.dumps(listed).encode())

    with pytest.raises(OutputError, match=r"its document books-\d+ is not in .*ledger/books"):
        list(massivetext.load(own, subsets=["books"]))


def test_what_changed_after_the_manifest_is_named(own: str) -> None:
    shard = f"{own}/mixture/main/shard-00001-of-00004.parquet"
    os.truncate(shard, os.path.getsize(shard) - 7)
    with pytest.raises(OutputError, match=r"shard-00001-of-00004\.parquet: has .* bytes, its manifest says"):
        massivetext.load(own)
    os.remove(shard)
    with pytest.raises(OutputError, match="is in the manifest, but not there"):
        massivetext.load(own)
    part = f"{own}/curated/c4/part-0000000000000001-00000.parquet"
    os.remove(part)
    with pytest.raises(OutputError, match=r"curated/c4/part-0000000000000001-00000\.parquet: is in the manifest"):
        massivetext.load(own, subsets=["c4"])
    os.remove(f"{own}/ledger/manifest.json")
    with pytest.raises(OutputError, match="of a finished run"):
        massivetext.load(own, subsets=["books"])


def test_a_file_that_is_no_whole_parquet_is_named(tmp_path: os.PathLike) -> None:
    pq.write_table(pa.table({"text": ["a" * 1000]}), f"{tmp_path}/x.parquet")
    os.truncate(f"{tmp_path}/x.parquet", 100)

    with pytest.raises(OutputError, match=r"x\.parquet: is no whole Parquet file"):
        massivetext.load(str(tmp_path))


def test_a_mixture_of_one_tiny_shard(tmp_path: os.PathLike, kept: tuple[str, list]) -> None:
    write_mixture(f"{tmp_path}/mixture/tiny", kept[1][:3], shards=1)

    assert [2, 1] == [batch.num_rows for batch in massivetext.load(str(tmp_path), batch_size=2, shuffle=5)]
