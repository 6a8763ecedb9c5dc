"""The writing of a shard: its rows, row groups, counts and bytes; sources that have changed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from massivetext.documents import DOCUMENT_SCHEMA
from massivetext.errors import OutputError, SourceError
from massivetext.mixture import (
    MIXTURE_SCHEMA,
    Available,
    ShardRows,
    allot,
    front_matter,
    kept_documents,
    plan,
    verify_mixture,
    write_shard,
)
from massivetext.mixture.shards import _cuts
from massivetext.parquet import ParquetOutput


def _table(subset: str, texts: list[str]) -> pa.Table:
    data = {
        "id": [f"{subset}-{i}" for i in range(len(texts))],
        "text": texts,
        "subset": [subset] * len(texts),
        "source": ["test"] * len(texts),
        "n_bytes": [len(text.encode()) for text in texts],
        "n_tokens": [i + 1 for i in range(len(texts))],
        "metadata": [[("at", str(i))] for i in range(len(texts))],
    }
    columns = [data.get(field.name, [None] * len(texts)) for field in DOCUMENT_SCHEMA]
    return pa.table([pa.array(column, field.type) for column, field in zip(columns, DOCUMENT_SCHEMA)], DOCUMENT_SCHEMA)


@pytest.fixture
def sources(tmp_path: Path) -> tuple[str, str]:
    """Two files of 40 documents, ten a row group: texts of 0 to 390 bytes."""
    paths = []
    for subset, letter in (("books", "b"), ("news", "é")):
        path = str(tmp_path / f"{subset}.parquet")
        with ParquetOutput(path, DOCUMENT_SCHEMA, row_group_rows=10) as output:
            for at in range(0, 40, 10):
                output.write(_table(subset, [letter * 10 * i for i in range(40)]).slice(at, 10))
        paths.append(path)
    return paths[0], paths[1]


def _rows(sources: tuple[str, str], seed: int = 0) -> tuple[ShardRows, list[str]]:
    """All documents twice, in a random order, and the ids that are to come of it."""
    order = np.random.default_rng(seed).permutation(160) % 80
    path, row = order // 40, order % 40
    rows = ShardRows(sources, path.astype(np.int32), (row // 10).astype(np.int32), (row % 10).astype(np.int32))
    return rows, [f"{('books', 'news')[p]}-{r}" for p, r in zip(path, row)]


def test_rows_stand_in_the_order_given(sources: tuple[str, str], tmp_path: Path) -> None:
    rows, expected = _rows(sources)
    path = tmp_path / "shard.parquet"

    summary = write_shard(str(path), rows)

    table = pq.read_table(path)
    assert expected == table.column("id").to_pylist()
    assert table.schema.equals(MIXTURE_SCHEMA)
    assert b"mixture-1" == table.schema.metadata[b"massivetext.schema"]
    texts = {f"{name}-{i}": letter * 10 * i for name, letter in (("books", "b"), ("news", "é")) for i in range(40)}
    assert [texts[name] for name in expected] == table.column("text").to_pylist()
    numbers = [name.partition("-")[2] for name in expected]
    assert [[{"key": "at", "value": number}] for number in numbers] == table.column("metadata").to_pylist()
    assert {"books": 2 * 820, "news": 2 * 820} == summary["tokens"]
    assert (160, path.stat().st_size) == (summary["rows"], summary["bytes"])
    assert hashlib.blake2b(path.read_bytes(), digest_size=32).hexdigest() == summary["blake2b"]


def test_row_groups_are_bounded_by_bytes(sources: tuple[str, str], tmp_path: Path) -> None:
    rows, expected = _rows(sources)
    path = tmp_path / "shard.parquet"

    write_shard(str(path), rows, row_group_bytes=700)

    file = pq.ParquetFile(path)
    groups = [file.read_row_group(i) for i in range(file.num_row_groups)]
    sizes = [sum(group.column("n_bytes").to_pylist()) for group in groups]
    assert expected == [name for group in groups for name in group.column("id").to_pylist()]
    # More than the bound only where one document alone is: the longest has 780 bytes.
    assert all(size <= 700 or group.num_rows == 1 for size, group in zip(sizes, groups))
    assert all(a + b.column("n_bytes")[0].as_py() > 700 for a, b in zip(sizes, groups[1:]))


@given(st.lists(st.integers(0, 9), max_size=30), st.integers(1, 12))
def test_cuts_are_the_longest_that_fit(sizes: list[int], most: int) -> None:
    cuts = _cuts(np.array(sizes, np.int64), most)

    expected, held = [], 0
    for i, size in enumerate(sizes):
        if i and expected[-1:] != [i] and held + size > most:
            expected.append(i)
            held = 0
        held = held + size
    assert [*expected, len(sizes)][: len(cuts)] == cuts if sizes else cuts == []
    assert sizes == [size for a, b in zip([0, *cuts], cuts) for size in sizes[a:b]]


def test_a_shard_without_rows_is_a_file_of_none(tmp_path: Path) -> None:
    none = np.zeros(0, np.int32)

    summary = write_shard(str(tmp_path / "shard.parquet"), ShardRows((), none, none, none))

    assert (0, {}) == (summary["rows"], summary["tokens"])
    assert pq.read_table(tmp_path / "shard.parquet").schema.equals(MIXTURE_SCHEMA)


def test_sources_that_went_or_changed_are_named(sources: tuple[str, str], tmp_path: Path) -> None:
    rows, _ = _rows(sources)
    with ParquetOutput(sources[1], DOCUMENT_SCHEMA) as output:
        output.write(_table("news", ["short"] * 5))
    with pytest.raises(OutputError, match=r"news\.parquet: row group 0 is not as the mixture was planned from it"):
        write_shard(str(tmp_path / "shard.parquet"), rows)
    Path(sources[1]).unlink()

    with pytest.raises(SourceError, match=r"news\.parquet: cannot be opened"):
        write_shard(str(tmp_path / "shard.parquet"), rows)
    assert not list(tmp_path.glob("shard*"))


def test_only_kept_documents_are_planned_from(sources: tuple[str, str], tmp_path: Path) -> None:
    outcomes = ["kept" if i % 3 == 0 else "duplicate" for i in range(40)]
    ledger = str(tmp_path / "ledger.parquet")
    order = np.random.default_rng(0).permutation(40)
    names = [f"books-{i}" for i in order] + ["books-rejected"]
    pq.write_table(pa.table({"id": names, "outcome": [outcomes[i] for i in order] + ["rejected"]}), ledger)

    found = kept_documents([(sources[0], ledger), (sources[1], None)])

    places = list(zip(found.part[found.unit].tolist(), found.row_group[found.unit].tolist(), found.row.tolist()))
    kept = [(0, i // 10, i % 10) for i in range(0, 40, 3)]
    assert kept + [(1, i // 10, i % 10) for i in range(40)] == places
    assert [i + 1 for i in range(0, 40, 3)] == found.tokens[:14].tolist()
    assert sum(10 * i for i in range(0, 40, 3)) + 2 * sum(10 * i for i in range(40)) == found.n_bytes
    pq.write_table(pa.table({"id": names[5:], "outcome": ["kept"] * 36}), ledger)
    with pytest.raises(OutputError, match=r"has [0-9]+ documents that .*ledger\.parquet does not know"):
        kept_documents([(sources[0], ledger)])


def test_shards_changed_after_the_manifest_are_found(sources: tuple[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "mixture"
    rows, _ = _rows(sources)
    names = [f"shard-{i}.parquet" for i in range(3)]
    files = {name: write_shard(str(folder / name), rows) for name in names}
    (folder / "manifest.json").write_text(json.dumps({"files": files}))
    assert [] == verify_mixture(str(folder))

    (folder / names[0]).unlink()
    data = (folder / names[1]).read_bytes()
    (folder / names[1]).write_bytes(data[:-9])
    (folder / "shard-9.parquet").write_bytes(data)

    assert [
        f"{folder}/shard-9.parquet: is not in the manifest",
        f"{folder}/shard-0.parquet: is in the manifest, but not there",
        f"{folder}/shard-1.parquet: has another digest than the manifest says",
    ] == verify_mixture(str(folder))


def test_a_row_says_which_copy_it_is(sources: tuple[str, str], tmp_path: Path) -> None:
    held = {"books": kept_documents([(sources[0], None)])}
    available = {"books": Available(40, held["books"].n_tokens, held["books"].n_bytes)}
    made = plan(available, {"books": 1.0}, tokens=int(2.5 * held["books"].n_tokens))
    allotment = allot(made, held, seed=0, n_shards=3)
    rows = []
    for number in range(3):
        write_shard(str(tmp_path / f"{number}.parquet"), allotment.rows(number))
        rows += pq.read_table(tmp_path / f"{number}.parquet", columns=["id", "epoch"]).to_pylist()

    copies = [(row["id"], row["epoch"]) for row in rows]

    assert len(copies) == len({*copies})
    every = {f"books-{i}" for i in range(40)}
    assert every == {name for name, epoch in copies if epoch == 0} == {name for name, epoch in copies if epoch == 1}
    assert {name for name, epoch in copies if epoch == 2} < every
    # The first shards hold the first epoch.
    assert {0} == {row["epoch"] for row in pq.read_table(tmp_path / "0.parquet", columns=["epoch"]).to_pylist()}


def test_front_matter_is_yaml_that_names_the_shards() -> None:
    text = front_matter('a "name"', {"counts": {"rows": 1000}})

    _, block, rest = text.split("---\n")
    data = yaml.safe_load(block)
    assert ('a "name"', ["1K<n<10K"], "") == (data["pretty_name"], data["size_categories"], rest)
    files = [{"split": "train", "path": "shard-*.parquet"}]
    assert [{"config_name": "default", "data_files": files}] == data["configs"]
