"""Shingles of many documents are dropped, in steps over files."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from massivetext.contamination import TestSets
from massivetext.contamination.rare import (
    containment_rare,
    described,
    evidence,
    frequent,
    write_evidence,
)
from massivetext.errors import SourceError
from tests import oracle
from tests.contamination.test_testsets import index, numbers


def rare(folder: Path, testsets: TestSets, parts: list[list[str]], max_documents: int) -> tuple[pa.Table, list[dict]]:
    paths = []
    for number, documents in enumerate(parts):
        half = len(documents) // 2
        batches = [
            evidence(testsets, pa.array(documents[:half], pa.string())),
            evidence(testsets, pa.array(documents[half:], pa.string()), first_row=half),
        ]
        paths.append(str(folder / f"part-{number}.parquet"))
        write_evidence(paths[-1], batches)
    dropped = frequent(paths, max_documents=max_documents)
    shingles = dropped.column("shingle").to_numpy()
    rows = []
    for path, documents in zip(paths, parts):
        rows += containment_rare(testsets, path, len(documents), shingles).to_pylist()
    return dropped, rows


def test_boilerplate_does_not_convict(tmp_path: Path):
    # The item is 14 words of boilerplate and 12 of its own: 14 shingles, 2 of them boilerplate alone.
    testsets = index(tmp_path, [f"{numbers(0, 14)} {numbers(100, 12)}", numbers(0, 13)])
    parts = [[numbers(0, 14)] * 3, [f"{numbers(0, 14)} {numbers(100, 12)}", "x", numbers(0, 14)]]
    dropped, rows = rare(tmp_path, testsets, parts, 4)

    assert dropped.column("documents").to_pylist() == [5, 5]
    assert [row["contamination_containment_rare"] for row in rows] == [0.0, 0.0, 0.0, 1.0, 0.0, 0.0]
    assert [row["contamination_containment_rare_item"] for row in rows] == [None] * 3 + [0, None, None]
    dropped, rows = rare(tmp_path, testsets, parts, 5)
    assert dropped.num_rows == 0
    assert rows[0]["contamination_containment_rare_item"] == 1


def test_dropped_shingles_are_listed_with_their_words(tmp_path: Path):
    items = [f"Own, {numbers(0, 14)}", f"{numbers(0, 14)} – {numbers(100, 12)}", numbers(50, 9)]
    testsets = index(tmp_path, ["none of this is of any length"], items)
    dropped, _ = rare(tmp_path, testsets, [[numbers(0, 13), f"{numbers(0, 14)} {numbers(50, 9)}", numbers(50, 9)]], 1)
    sets = [{"name": f"set{k}", "path": str(tmp_path / f"{k}.jsonl"), "text": "{text}"} for k in range(2)]
    found = sorted(described(testsets, sets, dropped), key=lambda row: row["text"])

    assert [{k: row[k] for k in row if k != "shingle"} for row in found] == [
        {"documents": 2, "items": 2, "test_set": "set1", "test_item": 0, "text": numbers(0, 13)},
        {"documents": 2, "items": 1, "test_set": "set1", "test_item": 2, "text": numbers(50, 9)},
    ]


def test_without_drops_it_is_the_containment(tmp_path: Path):
    testsets = index(tmp_path, [numbers(10 * i, 9 + i) for i in range(12)])
    documents = [numbers(7 * i, 25) for i in range(15)]
    _, rows = rare(tmp_path, testsets, [documents[:4], documents[4:]], 1000)
    found = testsets.measure(pa.array(documents))

    assert [row["contamination_containment_rare"] for row in rows] == found["contamination_containment"].to_pylist()
    assert [row["contamination_containment_rare_item"] for row in rows] == found["test_item"].to_pylist()


@settings(max_examples=40)
@given(
    st.lists(
        st.lists(st.sampled_from(["aa", "bb", "cc"]), min_size=13, max_size=17).map(" ".join), min_size=1, max_size=4
    ),
    st.lists(st.lists(st.sampled_from(["aa", "bb", "cc"]), max_size=40).map(" ".join), min_size=1, max_size=8),
    st.integers(1, 4),
)
def test_same_as_plain_python(tmp_path_factory, items, documents, max_documents):
    folder = tmp_path_factory.mktemp("rare")
    wanted = [oracle.shingles(item) for item in items]
    held = [oracle.shingles(document) for document in documents]
    often = {s for s in set().union(*wanted) if sum(s in one for one in held) > max_documents}
    _, rows = rare(folder, index(folder, items), [documents], max_documents)
    expected = [
        max((len((item - often) & one) / len(item - often) for item in wanted if item - often), default=0.0)
        for one in held
    ]

    assert [row["contamination_containment_rare"] for row in rows] == expected


def test_same_bytes_in_any_batches(tmp_path: Path):
    testsets = index(tmp_path, [numbers(0, 40)])
    documents = pa.array([numbers(i, 20) for i in range(9)])
    for name, size in (("a", 9), ("b", 2)):
        batches = [evidence(testsets, documents.slice(i, size), first_row=i) for i in range(0, 9, size)]
        write_evidence(str(tmp_path / name), [pa.Table.from_batches(batches).combine_chunks().to_batches()[0]])

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_no_evidence(tmp_path: Path):
    (tmp_path / "part").write_bytes(b"not Parquet at all")
    with pytest.raises(SourceError, match="not evidence"):
        frequent([str(tmp_path / "part")], max_documents=1)
    with pytest.raises(ValueError, match="at least 1"):
        frequent([], max_documents=0)
