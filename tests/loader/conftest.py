"""A small output folder, as a finished run leaves it: curated parts with ledgers, pieces, and a mixture."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from massivetext import storage
from massivetext.documents import DOCUMENT_SCHEMA
from massivetext.parquet import ParquetOutput

SIZES = {"books": (40, 90), "c4": (700, 8), "wikipedia": (60, 30)}
"""Documents of each subset and their mean words; every fifth document is a duplicate, which the ledger says."""

Row = dict[str, object]
LEDGER = pa.schema([("id", pa.string()), ("outcome", pa.string())])


def document(subset: str, number: int, words: int) -> Row:
    text = " ".join([f"{subset} {number}:", *["word"] * (words + number % 7)])
    n_bytes = len(text.encode())
    row = {"id": f"{subset}-{number}", "text": text, "subset": subset, "source": f"{subset}.jsonl", "n_bytes": n_bytes}
    return {**row, "n_tokens": -(-n_bytes // 4), "language": "en", "metadata": [("number", str(number))]}


def table(rows: Sequence[Row]) -> pa.Table:
    columns = [pa.array([row.get(field.name) for row in rows], field.type) for field in DOCUMENT_SCHEMA]
    return pa.table(columns, DOCUMENT_SCHEMA)


def write(path: str, rows: Sequence[Row], group: int) -> dict[str, object]:
    """A file of documents in row groups of so many, and its summary."""
    with ParquetOutput(path, DOCUMENT_SCHEMA, row_group_rows=group) as output:
        for at in range(0, len(rows), group):
            output.write(table(rows[at : at + group]))
    return output.summary


def manifest(folder: str, kind: str, files: dict[str, object], counts: object, **more: object) -> None:
    data = {"kind": kind, "files": files, "counts": counts, **more}
    storage.write_bytes(storage.join(folder, "manifest.json"), json.dumps(data).encode())


def _hash(name: str) -> bytes:
    return hashlib.blake2b(name.encode()).digest()


def write_mixture(folder: str, rows: Sequence[Row], *, shards: int = 4, group: int = 25) -> None:
    files, tokens = {}, {}
    rows = sorted(rows, key=lambda row: _hash(str(row["id"])))
    for number in range(shards):
        name = f"shard-{number:05d}-of-{shards:05d}.parquet"
        files[name] = write(storage.join(folder, name), rows[number::shards], group)
    for row in rows:
        tokens[row["subset"]] = tokens.get(row["subset"], 0) + row["n_tokens"]
    weights = {name: n / sum(tokens.values()) for name, n in tokens.items()}
    manifest(folder, "mixture", files, {"tokens": tokens, "rows": len(rows)}, weights=weights)


def write_curated(out: str) -> list[Row]:
    """Two parts of each subset, and a piece of the first book. Returns what is kept."""
    listed: dict[str, dict[str, object]] = {"curated": {}, "ledger": {}, "pieces": {}}
    counts, kept = {}, []
    for subset, (n, words) in SIZES.items():
        rows = [document(subset, i, words) for i in range(n)]
        outcomes = ["duplicate" if i % 5 == 4 else "kept" for i in range(n)]
        if subset == "books":
            outcomes[0] = "contaminated"
        for part in range(2):
            name = f"{subset}/part-{part:016d}-00000.parquet"
            listed["curated"][name] = write(f"{out}/curated/{name}", rows[part::2], 16)
            with ParquetOutput(f"{out}/ledger/{name}", LEDGER) as output:
                # The ledger also knows what is not in curated/, and has an order of its own.
                known = [*zip((row["id"] for row in rows), outcomes)][part::2][::-1]
                known += [(f"{subset}-rejected-{part}", "rejected")]
                output.write(pa.table([list(column) for column in zip(*known)], LEDGER))
            listed["ledger"][name] = output.summary
        kept += [row for row, outcome in zip(rows, outcomes) if outcome == "kept"]
        counts[subset] = {"kept": [outcomes.count("kept"), 0, 0], "duplicate duplicate.exact": [n // 5, 0, 0]}
    counts["news"] = {"rejected quality.word_count": [3, 0, 0]}
    piece = {**document("books", 0, 20), "id": "books-0#0"}
    name = "books/part-0000000000000000-00000.parquet"
    listed["pieces"][name] = write(f"{out}/pieces/{name}", [piece], 16)
    for kind, files in listed.items():
        manifest(f"{out}/{kind}", kind, files, counts)
    return [*kept, piece]


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[Row]]:
    """The output folder and the documents that it keeps; its mixture `main` holds them in another order."""
    out = str(tmp_path_factory.mktemp("kept") / "out")
    rows = write_curated(out)
    write_mixture(f"{out}/mixture/main", rows)
    return out, rows


@pytest.fixture
def out(kept: tuple[str, list[Row]]) -> str:
    return kept[0]


@pytest.fixture
def ids(kept: tuple[str, list[Row]]) -> list[str]:
    """Ids of all that is kept, sorted."""
    return sorted(str(row["id"]) for row in kept[1])


@pytest.fixture
def own(tmp_path: Path) -> str:
    """An output folder of the test's own, to be damaged."""
    write_mixture(f"{tmp_path}/out/mixture/main", write_curated(f"{tmp_path}/out"))
    return f"{tmp_path}/out"
