"""An index of what a run kept: digests, bands and ids of its documents, and where their texts can be read again.

A later run that names the index keeps all of its documents and removes its own that duplicate them. Its kept set is
that of one run over both in which the first has precedence: what the first run removed could not have changed it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from massivetext import storage
from massivetext.dedup.evidence import EVIDENCE_SCHEMA
from massivetext.dedup.scope import Part
from massivetext.errors import OutputError
from massivetext.parquet import ParquetOutput, open_parquet, read_parquet
from massivetext.sealed import sealed, unsealed
from massivetext.text.hashing import HASH_VERSION

__all__ = ["index_manifest", "read_index", "write_index"]

FORMAT = "massivetext-index-1"
FIRST_HASH_VERSION = 1
"""Of an index whose manifest does not name the version of its hashes."""


def write_index(root: str, parts: Sequence[Part]) -> dict[str, int]:
    """Write `<root>/index/` for parts that have been deduplicated. Returns the documents indexed by subset.

    root: the run's folder; the texts of the parts lie below it, and must stay there as long as the index is used.
    Raises OutputError if a part's evidence or result is not there.
    """
    files = []
    counts: dict[str, int] = {}
    for part in parts:
        if part.fixed:
            continue
        result = storage.join(root, "work/duplicates", part.subset, f"{part.name}.parquet")
        for path, command in ((part.evidence, "curate"), (result, "deduplicate")):
            if not storage.exists(path):
                raise OutputError(f"{path}: is missing; run `massivetext {command}` on this folder first")
        with storage.open_input(result) as stream:
            removed = read_parquet(stream, columns=["id"]).column("id").to_pylist()
        gone = pa.array([bytes.fromhex(name) for name in removed], pa.binary(16))
        name = f"{part.subset}/{part.name}.parquet"
        with storage.open_input(part.evidence) as stream:
            file = open_parquet(stream)
            row = pa.field("row", pa.int64(), nullable=False)
            schema = EVIDENCE_SCHEMA.append(row).with_metadata(file.schema_arrow.metadata)
            with ParquetOutput(storage.join(root, "index", name), schema) as output:
                start = 0
                for group in range(file.num_row_groups):
                    table = file.read_row_group(group, columns=EVIDENCE_SCHEMA.names)
                    numbered = table.append_column(row, pa.array(range(start, start + table.num_rows), pa.int64()))
                    output.write(numbered.filter(pc.invert(pc.is_in(table["id"], value_set=gone))).cast(schema))
                    start += table.num_rows
        captures = _write_captures(root, part, gone)
        texts = part.texts.removeprefix(root.rstrip("/") + "/")
        digest = output.summary["blake2b"]
        file_ = {"subset": part.subset, "name": part.name, "evidence": name, "texts": texts, "blake2b": digest}
        files.append({**file_, **captures})
        counts[part.subset] = counts.get(part.subset, 0) + output.n_rows
    manifest = {
        "format": FORMAT,
        "hash_version": HASH_VERSION,
        "documents": counts,
        "files": sorted(files, key=lambda file: file["evidence"]),
    }
    storage.write_bytes(storage.join(root, "index/manifest.json"), sealed(manifest))
    return counts


def _write_captures(root: str, part: Part, gone: pa.Array) -> dict[str, str]:
    """The captures that were removed, without what only duplicates are found by: a page that the first of two runs has
    seen is no news to the second, whatever became of it."""
    name = f"captures/{part.subset}/{part.name}.parquet"
    with storage.open_input(part.evidence) as stream:
        file = open_parquet(stream)
        schema = EVIDENCE_SCHEMA.with_metadata(file.schema_arrow.metadata)
        with ParquetOutput(storage.join(root, "index", name), schema) as output:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, columns=EVIDENCE_SCHEMA.names)
                removed = pc.and_(pc.is_valid(table["capture"]), pc.is_in(table["id"], value_set=gone))
                table = table.filter(removed)
                for at, field in enumerate(table.schema):
                    if field.name not in ("id", "capture", "timestamp", "source"):
                        empty = {"exact": b"\0" * 16, "shingles": b"\0" * 16, "bands": b""}.get(field.name, 0)
                        table = table.set_column(at, field, pa.repeat(pa.scalar(empty, field.type), table.num_rows))
                output.write(table.cast(schema))
    if not output.n_rows:
        storage.remove(storage.join(root, "index", name))
        return {}
    return {"captures": name, "captures_blake2b": output.summary["blake2b"]}


def index_manifest(path: str) -> str:
    """The manifest of an index; `path` is a run's folder or its index/. It holds the digests of all files of the index.

    Raises OutputError if there is none.
    """
    root = path.rstrip("/")
    for found in (storage.join(root, "index/manifest.json"), storage.join(root, "manifest.json")):
        if storage.exists(found):
            return found
    raise OutputError(f"{path}: holds no index; make one with `massivetext index {path}`")


def read_index(path: str, subsets: Iterable[str], *, captures: bool = False) -> list[Part]:
    """The parts of an index for these subsets, as kept already; with `captures` those of removed captures too.
    `path` is a run's folder or its index/.

    Raises OutputError if there is no index of ours there, or one with another version of the hashes.
    """
    manifest_path = index_manifest(path)
    root = manifest_path.rpartition("/")[0]
    try:
        manifest = unsealed(storage.read_bytes(manifest_path))
        if manifest["format"] != FORMAT:
            raise ValueError(f"format {manifest['format']!r}")
        files = manifest["files"]
        version = manifest.get("hash_version", FIRST_HASH_VERSION)
    except (ValueError, KeyError, TypeError) as error:
        raise OutputError(f"{manifest_path}: is no index that can be read ({error}); make it again") from error
    folder = root.rpartition("/")[0] or "."
    if version != HASH_VERSION:
        raise OutputError(
            f"{manifest_path}: this index has version {version} of the hashes, this release has {HASH_VERSION}, and "
            f"the two cannot be compared (docs/hashes.md); run that folder's recipe again with this release, then "
            f"`massivetext index {folder}`"
        )
    wanted = set(subsets)
    parts = [
        Part(
            file["subset"],
            file["name"],
            storage.join(root, file["evidence"]),
            file["texts"] if _is_absolute(file["texts"]) else storage.join(folder, file["texts"]),
            fixed=True,
            text_rows=True,
        )
        for file in files
        if file["subset"] in wanted
    ]
    for file in files:
        if captures and file["subset"] in wanted and "captures" in file:
            evidence = storage.join(root, file["captures"])
            parts.append(Part(file["subset"], file["name"], evidence, "", fixed=True, captures_only=True))
    return parts


def _is_absolute(path: str) -> bool:
    return path.startswith("/") or storage.is_remote(path)
