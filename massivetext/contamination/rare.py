"""Ignore test-item shingles that occur in more than N training documents (GPT-3, appendix C).

Three steps over files. `evidence` writes, per part of the corpus, which shingles of items stand in which document;
`frequent` adds up over all parts, in how many documents each stands, in memory bounded by the shingles that are hit at
all; `containment_rare` measures each part's documents again from its evidence, without reading a text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import repeat
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from massivetext import storage
from massivetext.contamination.items import TestSet, read_items
from massivetext.contamination.match import hits_of
from massivetext.contamination.testsets import TestSets
from massivetext.contamination.words import Words, located_words
from massivetext.contamination.words import words as words_of
from massivetext.dedup.shingles import SHINGLE_WORDS, hash_shingles
from massivetext.errors import SourceError
from massivetext.parquet import open_parquet
from massivetext.text import Texts
from massivetext.text.hashing import HASH_VERSION

__all__ = [
    "EVIDENCE_SCHEMA",
    "containment_rare",
    "described",
    "evidence",
    "frequent",
    "whole_documents",
    "write_evidence",
]

EVIDENCE_SCHEMA = pa.schema(
    [pa.field("row", pa.int64(), nullable=False), pa.field("shingle", pa.uint64(), nullable=False)],
    metadata={"massivetext.schema": f"contamination-evidence-1, hashes {HASH_VERSION}"},
)
"""One row for each shingle of an item in a document: `row` is the document's number within its part, from 0."""

_FREQUENT_SCHEMA = pa.schema(
    [pa.field("shingle", pa.uint64(), nullable=False), pa.field("documents", pa.int64(), nullable=False)]
)
_ROWS = 1 << 20


def evidence(testsets: TestSets, texts: Texts, *, first_row: int = 0, words: Words | None = None) -> pa.RecordBatch:
    """Evidence of some texts of a part, numbered from first_row; by row, then shingle."""
    found = words_of(texts) if words is None else words
    rows, shingles = hits_of(found.hashes, found.bounds, testsets.arrays)
    return pa.record_batch([pa.array(rows + first_row), pa.array(shingles)], schema=EVIDENCE_SCHEMA)


def write_evidence(path: str, batches: Iterable[pa.RecordBatch]) -> int:
    """Write a part's evidence as Parquet, whole or not at all; returns its rows."""
    return _write(path, EVIDENCE_SCHEMA, batches)


def frequent(paths: Iterable[str], *, max_documents: int, left_out: Iterable[np.ndarray] | None = None) -> pa.Table:
    """shingle: uint64, documents: int64; the shingles that stand in more than max_documents documents of all parts,
    ascending. left_out: for each path the rows that are no training documents, such as duplicates.

    Memory: 16 bytes for each different shingle that is hit, and a batch."""
    if max_documents < 1:
        raise ValueError(f"max_documents: {max_documents}; expected at least 1")
    shingles, documents = np.zeros(0, np.uint64), np.zeros(0, np.int64)
    for path, without in zip(paths, repeat(np.zeros(0, np.int64)) if left_out is None else left_out):
        for batch in _read(path):
            listed = batch.column("shingle").to_numpy()
            if len(without):
                listed = listed[~np.isin(batch.column("row").to_numpy(), without)]
            # A shingle is listed once for each document, so rows are documents.
            new, n = np.unique(listed, return_counts=True)
            at = np.searchsorted(shingles, new)
            known = at < len(shingles)
            known[known] = shingles[at[known]] == new[known]
            documents[at[known]] += n[known]
            merged = np.concatenate([shingles, new[~known]])
            order = np.argsort(merged, kind="stable")
            shingles, documents = merged[order], np.concatenate([documents, n[~known]])[order]
    often = documents > max_documents
    return pa.table([shingles[often], documents[often]], schema=_FREQUENT_SCHEMA)


def described(
    testsets: TestSets, sets: Iterable[TestSet | Mapping[str, Any]], table: pa.Table, *, most: int = 50
) -> list[dict[str, Any]]:
    """For a report: of the most frequent shingles of `frequent`, the documents, the first test set and item that have
    it, its text there, and how many items have it. sets: the entries that the index was made from."""
    shingles, documents = table.column("shingle").to_numpy(), table.column("documents").to_numpy()
    order = np.lexsort((shingles, -documents))[:most]
    wanted: dict[int, list[dict[str, Any]]] = {}
    rows = []
    for at in order:
        readings, _ = testsets.items_of(shingles[at : at + 1])
        items = np.unique(testsets.arrays.of_item[readings])
        row: dict[str, Any] = {"shingle": int(shingles[at]), "documents": int(documents[at]), "items": len(items)}
        wanted.setdefault(int(items[0]), []).append(row)
        rows.append(row)
    number = 0
    for testset in map(TestSet.of, sets):
        for of_set, item in enumerate(read_items(testset)):
            for row in wanted.get(number, []):
                row |= {"test_set": testset.name, "test_item": of_set, "text": _text_of(item.readings, row["shingle"])}
            number += 1
    return rows


def _text_of(readings: Iterable[str], shingle: int) -> str | None:
    """Return the words of an item that a shingle is the hash of, from the first reading that has it."""
    for text in readings:
        hashes, _, starts, ends, _ = located_words(text)
        shingles = np.empty(max(1, len(hashes)), np.uint64)
        n = hash_shingles(hashes, len(hashes), shingles)
        places = np.flatnonzero(shingles[:n] == np.uint64(shingle))
        if len(places):
            return text[int(starts[places[0]]) : int(ends[min(int(places[0]) + SHINGLE_WORDS, len(ends)) - 1])]
    return None


def containment_rare(testsets: TestSets, path: str, n_rows: int, dropped: np.ndarray) -> pa.RecordBatch:
    """Return the containment of each document of a part, without the shingles that are dropped, from its evidence.

    Args:
        testsets: the index that the evidence was made with.
        path: the part's evidence.
        n_rows: documents of the part.
        dropped: uint64, ascending: shingles that count neither for items nor for documents.

    Returns:
        One row a document. contamination_containment_rare: float64, the containment; an item without a shingle that
        counts has none. contamination_containment_rare_set, _item: the item of that value (ties: the first), null if
        it is 0.
    """
    dropped = np.asarray(dropped, np.uint64)
    n_counted = testsets.arrays.n_shingles.astype(np.int64)
    readings, _ = testsets.items_of(dropped)
    np.subtract.at(n_counted, readings, 1)
    best, which = np.zeros(n_rows), np.full(n_rows, -1, np.int64)
    for rows, shingles in whole_documents(path):
        _judge(testsets, rows, shingles, dropped, n_counted, best, which)
    name = "contamination_containment_rare"
    sets, numbers = testsets.name_items(which)
    return pa.RecordBatch.from_pydict({name: pa.array(best), f"{name}_set": sets, f"{name}_item": numbers})


def _judge(
    testsets: TestSets,
    rows: np.ndarray,
    shingles: np.ndarray,
    dropped: np.ndarray,
    n_counted: np.ndarray,
    best: np.ndarray,
    which: np.ndarray,
) -> None:
    """Set the best share of each row, and the reading that it is of. n_counted: int64[readings], their shingles that
    are not dropped."""
    if not len(rows):
        return
    kept = ~np.isin(shingles, dropped, assume_unique=False)
    rows, shingles = rows[kept], shingles[kept]
    row, item, counts = testsets.items_in(rows, shingles)
    if not len(row):
        return
    share = counts / n_counted[item]
    # By row, then the largest share, then the first item: the first of each row is its best.
    order = np.lexsort((item, -share, row))
    row, item, share = row[order], item[order], share[order]
    first = np.r_[True, row[1:] != row[:-1]]
    best[row[first]], which[row[first]] = share[first], item[first]


def whole_documents(path: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (row: int64[m], shingle: uint64[m]) of a part's evidence in pieces that divide no document.

    Raises:
        SourceError: the file is no evidence, or that of another version.
    """
    rows, shingles = np.zeros(0, np.int64), np.zeros(0, np.uint64)
    for batch in _read(path):
        rows = np.concatenate([rows, batch.column("row").to_numpy()])
        shingles = np.concatenate([shingles, batch.column("shingle").to_numpy()])
        # The last document of a batch may continue in the next one.
        end = int(np.searchsorted(rows, rows[-1])) if len(rows) else 0
        yield rows[:end], shingles[:end]
        rows, shingles = rows[end:], shingles[end:]
    yield rows, shingles


def _read(path: str) -> Iterable[pa.RecordBatch]:
    with storage.open_input(path) as stream:
        try:
            file = open_parquet(stream)
            schema = (file.schema_arrow.metadata or {}).get(b"massivetext.schema", b"").decode()
            expected = EVIDENCE_SCHEMA.metadata[b"massivetext.schema"].decode()
            if schema != expected:
                raise SourceError(
                    f"{path}: has evidence {schema!r}, this release compares {expected!r}; run the stage again"
                )
            yield from file.iter_batches(_ROWS)
        except (pa.ArrowInvalid, OSError) as error:
            raise SourceError(f"{path}: not evidence of contamination ({error}); run the stage again") from error


def _write(path: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
    n = 0
    with (
        storage.open_output(path) as stream,
        pq.ParquetWriter(stream, schema, compression="zstd", write_page_checksum=True) as writer,
    ):
        for batch in batches:
            writer.write_batch(batch)
            n += batch.num_rows
    return n
