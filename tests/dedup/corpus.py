"""A corpus on disk as the pass over the text leaves it: texts and evidence of parts, and the removed of a result."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from massivetext import storage
from massivetext.dedup.evidence import evidence, evidence_schema
from massivetext.dedup.phases import run_here
from massivetext.dedup.scope import Options, Part, Scope, make_scope
from massivetext.documents import document_id

DEFAULT = Options()


def ids_of(n: int, subset: str = "news", source: str = "source") -> list[str]:
    return [document_id(subset, source, offset) for offset in range(n)]


def write_part(
    folder: Path,
    name: str,
    texts: Sequence[str],
    ids: Sequence[str],
    *,
    subset: str = "news",
    options: Options = DEFAULT,
    level: int = 0,
    source: str | None = None,
    row_group: int = 100,
    **columns: Sequence[str | None],
) -> Part:
    text_path, evidence_path = (
        folder / "curated" / subset / f"{name}.parquet",
        folder / "work/evidence" / subset / f"{name}.parquet",
    )
    for path in (text_path, evidence_path):
        path.parent.mkdir(parents=True, exist_ok=True)
    column = pa.array(texts, pa.large_string())
    pq.write_table(pa.table({"id": list(ids), "text": column}), text_path, row_group_size=row_group)
    schema = evidence_schema(options.banding)
    batch = evidence(column, ids, source=source or name, banding=options.banding, **columns)
    pq.write_table(pa.Table.from_batches([batch]).cast(schema), evidence_path, row_group_size=row_group)
    return Part(subset, name, str(evidence_path), str(text_path), level=level)


def scope_of(folder: Path, parts: Sequence[Part], options: Options = DEFAULT) -> Scope:
    return make_scope(str(folder / "work/dedup"), str(folder / "work/duplicates"), parts, options)


def deduplicate(folder: Path, parts: Sequence[Part], options: Options = DEFAULT) -> dict[str, int]:
    return run_here(scope_of(folder, parts, options))


def removed(folder: Path) -> dict[str, tuple[str, str, float | None]]:
    """Reason, partner and J of each removed id."""
    rows = {}
    for path in storage.list_files(str(folder / "work/duplicates")):
        if path.endswith(".parquet"):
            for row in pq.read_table(path).to_pylist():
                rows[row["id"]] = (row["reason"], row["partner_id"], row["partner_jaccard"])
    return rows


def write_parts(folder: Path, texts: list[str], ids: list[str], n: int, options: Options) -> list[Part]:
    return [write_part(folder, f"part-{i}", texts[i::n], ids[i::n], options=options) for i in range(n)]


def digest(folder: Path) -> dict[str, str]:
    below = folder / "work/duplicates"
    return {
        str(path.relative_to(below)): hashlib.sha256(path.read_bytes()).hexdigest() for path in below.rglob("*.parquet")
    }
