"""Test sets after the pass over the text: shingles that occur everywhere, and documents cut to pieces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from massivetext import storage, tokenizers
from massivetext.contamination import TestSets, pieces
from massivetext.contamination.rare import containment_rare, frequent
from massivetext.documents import DOCUMENT_SCHEMA
from massivetext.parquet import ParquetOutput, open_parquet, read_parquet
from pipelines.recipe import Recipe
from pipelines.run_folder.folder import Folder
from pipelines.stages import testset_index
from pipelines.tasks import Marker

__all__ = ["RARE", "PartTests", "duplicates_of", "frequent_path", "write_frequent"]

RARE = "contamination_containment_rare"


def frequent_path(folder: Folder, max_documents: int) -> str:
    """Where the shingles of items lie that stand in more than max_documents training documents."""
    return folder.path("work", "frequent", f"{max_documents}.parquet")


def duplicates_of(folder: Folder, recipe: Recipe, subset: str, name: str) -> list[dict[str, Any]]:
    """Rows of work/duplicates of a part; none where its subset does not go through deduplication."""
    path = folder.part("work/duplicates", subset, name)
    if not recipe.goes_through(subset, "deduplication") or not storage.exists(path):
        return []
    with storage.open_input(path) as stream:
        found: list[dict[str, Any]] = read_parquet(stream).to_pylist()
    return found


def write_frequent(
    folder: Folder, recipe: Recipe, parts: Sequence[tuple[str, str]], fingerprint: str
) -> dict[int, dict[str, Any]]:
    """For each max_documents that the recipe names, the file at frequent_path and its summary.

    parts: (subset, name) of all. fingerprint: of the evidence and duplicates that they are made from. Training
    documents are those that the rules and deduplication keep, of all subsets that go through the stage. Memory: one
    part's evidence, and 16 bytes for each different shingle that is hit.
    """
    wanted = {recipe.block(name, "contamination").max_documents for name in recipe.filled if recipe.is_tested(name)}
    found: dict[int, dict[str, Any]] = {}
    for most in sorted(wanted - {None}):
        path, marker = frequent_path(folder, most), folder.marker("frequent", str(most))
        name = f"work/frequent/{most}.parquet"
        if not folder.is_done(marker, fingerprint):
            tested = [(subset, part) for subset, part in parts if recipe.is_tested(subset)]
            table = frequent(
                [folder.part("work/contamination", *part) for part in tested],
                max_documents=most,
                left_out=(_duplicate_rows(folder, recipe, *part) for part in tested),
            )
            with ParquetOutput(path, table.schema) as output:
                output.write(table)
            Marker(fingerprint, folder.outputs({name: output.summary})).write(marker)
        held = Marker.read(marker)
        assert held is not None
        found[most] = held.outputs[name]
    return found


def _duplicate_rows(folder: Folder, recipe: Recipe, subset: str, name: str) -> np.ndarray:
    """Rows of a part's ledger that are duplicates, ascending."""
    duplicates = [row["id"] for row in duplicates_of(folder, recipe, subset, name)]
    if not duplicates:
        return np.zeros(0, np.int64)
    with storage.open_input(folder.part("work/ledger", subset, name)) as stream:
        ids = read_parquet(stream, columns=["id"]).column("id").combine_chunks()
    return np.flatnonzero(pc.is_in(ids, value_set=pa.array(duplicates, pa.string())).to_numpy(zero_copy_only=False))


@dataclass
class PartTests:
    """The test sets' side of one part while its ledger is settled."""

    folder: Folder
    recipe: Recipe
    subset: str
    name: str
    n_rows: int

    def __post_init__(self) -> None:
        self.block = self.recipe.block(self.subset, "contamination")
        self.dropped: np.ndarray | None = None
        self._rare: pa.RecordBatch | None = None
        if self.block.max_documents is not None:
            with storage.open_input(frequent_path(self.folder, self.block.max_documents)) as stream:
                self.dropped = read_parquet(stream).column("shingle").to_numpy()
            evidence = self.folder.part("work/contamination", self.subset, self.name)
            self._rare = containment_rare(self.testsets, evidence, self.n_rows, self.dropped)

    @cached_property
    def testsets(self) -> TestSets:
        return TestSets.open(testset_index(self.folder.root))

    def with_rare(self, batch: pa.RecordBatch, first_row: int) -> pa.RecordBatch:
        """Rows of the ledger from first_row on with their contamination_containment_rare, _set and _item; null where
        the rules did not keep the document. Without max_documents as they are."""
        if self._rare is None:
            return batch
        tested = pc.is_in(batch.column("outcome"), value_set=pa.array(["kept", "duplicate", "outranked"]))
        for name in self._rare.schema.names:
            column = self._rare.column(name).slice(first_row, batch.num_rows)
            at = batch.schema.get_field_index(name)
            values = pc.if_else(tested, column, pa.scalar(None, column.type))
            batch = batch.set_column(at, batch.schema.field(at), values)
        return batch

    def of_frequent_items(self, batch: pa.RecordBatch, signal: str) -> np.ndarray:
        """Return bool[rows]: whether max_documents drops at least half of the shingles of the item of a row's signal,
        in any of its readings. No document is removed for such an item (a licence, say) by a signal that weighs every
        word.

        signal: `alignment`, `passage` or `reformatted`.
        """
        sets, items = (batch.column(f"contamination_{signal}_{of}").to_pylist() for of in ("set", "item"))
        firsts = {members.name: members.first for members in self.testsets.members}
        of_frequent = np.zeros(batch.num_rows, bool)
        for i, (name, item) in enumerate(zip(sets, items)):
            of_frequent[i] = name is not None and self._are_frequent[firsts[name] + item]
        return of_frequent

    @cached_property
    def _are_frequent(self) -> np.ndarray:
        arrays = self.testsets.arrays
        readings, _ = self.testsets.items_of(np.asarray(self.dropped, np.uint64))
        dropped = np.bincount(readings, minlength=len(arrays.n_shingles))
        frequent = np.zeros(self.testsets.n_items, bool)
        frequent[arrays.of_item[(dropped > 0) & (2 * dropped >= arrays.n_shingles)]] = True
        return frequent

    def matched(self, rows: Sequence[Mapping[str, Any]]) -> list[str | None]:
        """test_span of rows whose item is that of the rare containment: where its shingles stand in the document."""
        firsts = {members.name: members.first for members in self.testsets.members}
        texts = self._documents([row["id"] for row in rows])
        return [
            self.testsets.matched(texts[row["id"]]["text"], firsts[row[f"{RARE}_set"]] + row[f"{RARE}_item"]) or None
            for row in rows
        ]

    def cut(self, rows: Sequence[Mapping[str, Any]]) -> tuple[pa.Table, list[int]]:
        """Return what is left of contaminated documents, as documents `<id>#<k>`, and how many pieces each left.

        rows: of the final ledger. A page removed by its title leaves nothing.
        """
        texts = self._documents([row["id"] for row in rows])
        documents: list[dict[str, Any]] = []
        counts = []
        for row in rows:
            document = texts[row["id"]]
            spans = self._spans(document["text"], row)
            cut = pieces(document["text"], spans) if spans else []
            documents += [{**document, "id": f"{row['id']}#{k}", "text": text} for k, text in enumerate(cut)]
            counts.append(len(cut))
        table = pa.Table.from_pylist(documents, DOCUMENT_SCHEMA)
        if documents:
            column = table.column("text").combine_chunks()
            for name, values in (
                ("n_bytes", pc.binary_length(column).cast(pa.int64())),
                ("n_tokens", pa.array(self._count_tokens(column), pa.int64())),
            ):
                at = table.schema.get_field_index(name)
                table = table.set_column(at, table.schema.field(at), values)
        return table, counts

    @cached_property
    def _count_tokens(self) -> Any:
        return tokenizers.counter(self.recipe.tokenizer)

    def _spans(self, text: str, row: Mapping[str, Any]) -> list[tuple[int, int]]:
        """What is cut of a document: items that reach a limit it breaks, in (start, end) characters."""
        reasons = set(row["reasons"])
        if "contamination.title" in reasons:
            return []
        spans: list[tuple[int, int]] = []
        limits = [
            limit
            for reason, limit in (
                ("contamination.containment", self.block.containment),
                # The containment of an item is never below its J with the document.
                ("contamination.jaccard", min(self.block.containment, self.block.jaccard)),
            )
            if reason in reasons
        ]
        if limits:
            spans += self.testsets.spans(text, containment=min(limits), dropped=self.dropped)
            if "contamination.jaccard" in reasons and self.dropped is not None:
                # J counts all shingles: its item may be one of which nothing rare is left.
                spans += self.testsets.spans(text, containment=min(limits))
        for name in ("alignment", "passage", "reformatted"):
            listed = row[f"contamination_{name}_span"] if f"contamination.{name}" in reasons else None
            for stretch in listed.split(",") if listed else []:
                start, end = stretch.split(":")
                spans.append((int(start), int(end)))
        return spans

    def _documents(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Curated rows by id, read by row group."""
        found: dict[str, dict[str, Any]] = {}
        if not ids:
            return found
        wanted = pa.array(ids, pa.string())
        with storage.open_input(self.folder.part("curated", self.subset, self.name)) as stream:
            file = open_parquet(stream)
            for group in range(file.metadata.num_row_groups):
                mask = pc.is_in(file.read_row_group(group, columns=["id"]).column("id"), value_set=wanted)
                if pc.any(mask).as_py():
                    found |= {row["id"]: row for row in file.read_row_group(group).filter(mask).to_pylist()}
                if len(found) == len(ids):
                    break
        return found
