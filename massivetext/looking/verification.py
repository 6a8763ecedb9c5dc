"""Check that DIR is what its manifests say: digests, counts, schemas, order, and that the ledger accounts for all."""

from __future__ import annotations

import json
from typing import Any

import pyarrow.compute as pc

from massivetext import storage
from massivetext.documents import DOCUMENT_SCHEMA
from massivetext.errors import OutputError
from massivetext.mixture import verify_mixture
from massivetext.parquet import file_digest, open_parquet, read_parquet
from massivetext.removed import Removed, read_removed

__all__ = ["verify"]


def verify(root: str) -> tuple[list[str], list[str]]:
    """Return (faults, what was checked), a line each. Raises OutputError for a folder without a ledger."""
    kinds = [kind for kind in ("curated", "rejected", "ledger") if storage.exists(storage.join(root, kind))]
    if list(storage.list_files(storage.join(root, "pieces"))):
        kinds.append("pieces")
    if "ledger" not in kinds:
        raise OutputError(f"{root}: holds no ledger; is it the --output of a run?")
    faults: list[str] = []
    checked = []
    manifests = {}
    for kind in kinds:
        manifests[kind], faults_of_kind = _manifest(root, kind)
        faults += faults_of_kind
        checked.append(f"{kind}: {len(manifests[kind].get('files', {}))} files")
    if not faults:
        faults += _ledger(root, manifests)
    removed = read_removed(root)
    if removed.unfinished:
        faults.append(f"{root}: a removal was begun and not finished; give `massivetext remove {root}`")
    base = storage.join(root, "mixture")
    names = {path[len(base) + 1 :].split("/")[0] for path in storage.list_files(base)}
    for name in sorted(names):
        faults += verify_mixture(storage.join(base, name)) or _present(storage.join(base, name), removed)
        checked.append(f"mixture: {name}")
    return faults, checked


def _manifest(root: str, kind: str) -> tuple[dict[str, Any], list[str]]:
    """Return a folder's manifest, and in what its files differ from it."""
    base = storage.join(root, kind)
    path = storage.join(base, "manifest.json")
    try:
        manifest = json.loads(storage.read_bytes(path))
        files = manifest["files"]
    except (OSError, ValueError, KeyError, OutputError) as error:
        return {}, [f"{path}: is no manifest: {error}"]
    faults = []
    there = {name[len(base) + 1 :] for name in storage.list_files(base)} - {"manifest.json"}
    faults += [f"{base}/{name}: is not in the manifest" for name in sorted(there - set(files))]
    for name, summary in files.items():
        file = storage.join(base, name)
        if name not in there:
            faults.append(f"{file}: is in the manifest, but not there")
        elif storage.size(file) != summary["bytes"] or file_digest(file) != summary["blake2b"]:
            faults.append(f"{file}: differs from what was written (size or digest)")
    return manifest, faults


def _ledger(root: str, manifests: dict[str, dict[str, Any]]) -> list[str]:
    """Return faults between ledger, curated rows and counts. Reads a part at a time; keeps the 16 bytes of every id."""
    faults = []
    seen: set[bytes] = set()
    totals: dict[str, dict[str, int]] = {}
    for name, summary in manifests["ledger"]["files"].items():
        path = storage.join(root, "ledger", name)
        with storage.open_input(path) as stream:
            table = read_parquet(stream, columns=["id", "subset", "offset", "outcome", "reason", "pieces"])
        ids = table.column("id").to_pylist()
        if table.num_rows != summary["rows"]:
            faults.append(f"{path}: has {table.num_rows} rows, the manifest says {summary['rows']}")
        packed = {bytes.fromhex(value) for value in ids}
        if len(packed) != len(ids) or packed & seen:
            faults.append(f"{path}: an id stands twice in the ledger")
        seen |= packed
        for outcome in table.column("outcome").to_pylist():
            counts_of = totals.setdefault(name.split("/")[0], {})
            counts_of[outcome] = counts_of.get(outcome, 0) + 1
        unexplained = pc.and_(pc.not_equal(table.column("outcome"), "kept"), pc.is_null(table.column("reason")))
        if pc.any(unexplained).as_py():
            faults.append(f"{path}: a record that is not kept has no reason")
        faults += _rows(root, name, table, manifests)
        faults += _pieces(root, name, table, manifests)
    for subset, counts in manifests["ledger"]["counts"].items():
        stated: dict[str, int] = {}
        for key, sums in counts.items():
            outcome = key.split(" ")[0]
            stated[outcome] = stated.get(outcome, 0) + sums[0]
        if stated != totals.get(subset, {}):
            faults.append(f"ledger/{subset}: the manifest counts {stated}, the rows are {totals.get(subset)}")
    for subset, sums in manifests.get("curated", {}).get("counts", {}).items():
        n = sum(totals.get(subset, {}).values())
        if sums.get("records") != n:
            faults.append(f"{subset}: {sums.get('records')} records were read, the ledger has {n}")
    return faults


def _rows(root: str, name: str, ledger: Any, manifests: dict[str, dict[str, Any]]) -> list[str]:
    """Return faults of one part: curated rows are those that the per-document rules kept, in the ledger's order;
    rejected rows are those that they rejected."""
    faults = []
    outcome = dict(zip(ledger.column("id").to_pylist(), ledger.column("outcome").to_pylist()))
    place = {value: i for i, value in enumerate(outcome)}
    is_removed = pc.fill_null(pc.starts_with(ledger.column("reason"), "removed."), False)
    removed = set(ledger.column("id").filter(is_removed).to_pylist())
    for kind, allowed in (("curated", {"kept", "duplicate", "contaminated"}), ("rejected", {"rejected"})):
        if name not in manifests.get(kind, {}).get("files", {}):
            continue
        path = storage.join(root, kind, name)
        with storage.open_input(path) as stream:
            file = open_parquet(stream)
            if not file.schema_arrow.equals(DOCUMENT_SCHEMA):
                faults.append(f"{path}: has another schema")
            ids = file.read(columns=["id"]).column("id").to_pylist()
        wrong = [value for value in ids if outcome.get(value) not in allowed or value in removed]
        if wrong:
            faults.append(f"{path}: {len(wrong)} documents are not {kind} by the ledger, such as {wrong[0]}")
        elif [place[value] for value in ids] != sorted(place[value] for value in ids):
            faults.append(f"{path}: rows are not in the ledger's order")
        if kind == "curated" and len(ids) != sum(value in allowed for value in outcome.values()):
            faults.append(f"{path}: documents that the ledger has are missing")
    return faults


def _present(folder: str, removed: Removed) -> list[str]:
    """Return the shards of a mixture that contain documents which were removed."""
    faults = []
    for path in storage.list_files(folder) if removed else ():
        if path.endswith(".parquet"):
            with storage.open_input(path) as stream:
                n = int(removed.rows(read_parquet(stream, columns=["id", "url"])).sum())
            if n:
                faults.append(f"{path}: holds {n} rows of documents that were taken out")
    return faults


def _pieces(root: str, name: str, ledger: Any, manifests: dict[str, dict[str, Any]]) -> list[str]:
    """Return faults of one part: pieces are those that the ledger counts, `<id>#0` and on, in its order."""
    rows = zip(ledger.column("id").to_pylist(), ledger.column("pieces").to_pylist())
    stated = [f"{value}#{k}" for value, n in rows for k in range(n or 0)]
    path = storage.join(root, "pieces", name)
    if name not in manifests.get("pieces", {}).get("files", {}):
        return [f"{path}: is not there, the ledger counts {len(stated)} pieces"] if stated else []
    with storage.open_input(path) as stream:
        file = open_parquet(stream)
        faults = [] if file.schema_arrow.equals(DOCUMENT_SCHEMA) else [f"{path}: has another schema"]
        if file.read(columns=["id"]).column("id").to_pylist() != stated:
            faults.append(f"{path}: holds other pieces than the {len(stated)} that the ledger counts")
    return faults
