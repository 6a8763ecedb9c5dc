"""Verification: candidates' texts are read again, once, and their sets of shingles go to the batches that decide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from massivetext import storage
from massivetext.dedup.collapse import ORDER, POLICY_COLUMNS, best_first, fill_order, read_evidence, words
from massivetext.dedup.evidence import pack_ids
from massivetext.dedup.near import take_sets
from massivetext.dedup.packing import assignments
from massivetext.dedup.removal import decide
from massivetext.dedup.runs import read_key, read_run, write_blocks, write_run
from massivetext.dedup.scope import Part, Scope
from massivetext.dedup.shingles import shingle_sets
from massivetext.errors import OutputError, SourceError
from massivetext.parquet import open_parquet

__all__ = ["DECISION", "decide_batch", "sets"]

DECISION = np.dtype([("document", "<u4"), ("overlap", "<u4"), ("union", "<u4"), ("partner_id", "<u8", 2)])
HASH = np.dtype("<u8")
TEXT_BYTES = 4 << 20


def candidate_dtype(scope: Scope) -> np.dtype:
    bands = ("bands", "<u8", scope.options.banding.bands)
    return scope.records(np.dtype([*ORDER, ("root", "<u4"), ("n_shingles", "<u4"), ("batch", "<u8"), bands]))


def sets(scope: Scope, group: int) -> dict[str, int]:
    """Shingles of a group's candidates, in runs by batch, each run within a part of the memory given."""
    assigned = assignments(scope, group)
    limit = max(1 << 16, scope.options.memory // 8)
    held: list[tuple[np.ndarray, np.ndarray]] = []
    size = n_runs = n_bytes = 0
    for part in scope.group_parts(group):
        low, high = np.searchsorted(assigned["document"], [part.start, part.start + part.rows])
        if low == high:
            continue
        records = _candidates(scope, part, assigned[low:high])
        for rows, texts in _texts(part, records["document"].astype(np.int64) - part.start):
            hashes, bounds = shingle_sets(texts)
            piece = records[rows]
            piece["n_shingles"] = np.diff(bounds)
            held.append((piece, hashes))
            size += 8 * len(held[-1][1]) + piece.nbytes
            n_bytes += texts.get_total_buffer_size()
            if size > limit:
                _write_sets(scope, group, n_runs, held)
                size, n_runs = 0, n_runs + 1
    if held:
        _write_sets(scope, group, n_runs, held)
        n_runs += 1
    return {"set_runs": n_runs, "bytes_read_again": n_bytes}


def _candidates(scope: Scope, part: Part, assigned: np.ndarray) -> np.ndarray:
    """The records of one part's candidates, from its evidence."""
    of_parts = [np.zeros(0, candidate_dtype(scope))]
    columns = ["id", "bands", *POLICY_COLUMNS[scope.options.keep]]
    for start, table in read_evidence(part, columns):
        low, high = np.searchsorted(assigned["document"], [start, start + table.num_rows])
        rows = assigned["document"][low:high].astype(np.int64) - start
        records = np.zeros(table.num_rows, candidate_dtype(scope))
        fill_order(records, part, start, table, scope.options)
        records["bands"] = words(table.column("bands"), scope.options.banding.bands)
        records = records[rows]
        records["root"], records["batch"] = assigned["root"][low:high], assigned["batch"][low:high]
        of_parts.append(records)
    return np.concatenate(of_parts)


def _texts(part: Part, rows: np.ndarray) -> Iterator[tuple[slice, pa.Array]]:
    """The texts of rows (int64[n], ascending) of a part's evidence, in pieces, each with its range of `rows`."""
    names = None
    if part.text_rows:
        tables = [table for _, table in read_evidence(part, ["row", "id"])]
        names = np.concatenate([words(table.column("id")) for table in tables])[rows]
        rows = np.concatenate([table.column("row").to_numpy() for table in tables])[rows]
    done = start = 0
    with storage.open_input(part.texts) as stream:
        try:
            file = open_parquet(stream)
            for group in range(file.num_row_groups):
                n = file.metadata.row_group(group).num_rows
                high = int(np.searchsorted(rows, start + n))
                if high > done:
                    taken = pa.array(rows[done:high] - start)
                    if names is not None:
                        _check_ids(part, file.read_row_group(group, columns=["id"]).take(taken), names[done:high])
                    texts = file.read_row_group(group, columns=["text"], use_threads=False).column("text")
                    for chunk in texts.take(taken).chunks:
                        for first, last in _pieces(chunk):
                            yield slice(done + first, done + last), chunk.slice(first, last - first)
                        done += len(chunk)
                start += n
        except pa.ArrowException as error:
            raise SourceError(f"{part.texts}: cannot be read again: {error}; curate it again") from error
    if done != len(rows):
        raise OutputError(f"{part.texts}: has {start} rows, its evidence says there are more; curate it again")


def _check_ids(part: Part, table: pa.Table, names: np.ndarray) -> None:
    """An index refers to rows of another run's texts, which may have been written anew since."""
    if pack_ids(table.column("id")).to_pylist() != [name.tobytes() for name in np.ascontiguousarray(names)]:
        raise OutputError(f"{part.texts}: has changed since it was indexed; make the index again")


def _pieces(texts: pa.Array) -> Iterator[tuple[int, int]]:
    """Ranges of texts of about TEXT_BYTES."""
    sizes = np.cumsum(pc.binary_length(texts).to_numpy(zero_copy_only=False))
    first = 0
    while first < len(texts):
        before = int(sizes[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(sizes, before + TEXT_BYTES, side="right")))
        yield first, last
        first = last


def _write_sets(scope: Scope, group: int, number: int, held: list[tuple[np.ndarray, np.ndarray]]) -> None:
    """Two runs by batch: the candidates, and their shingles in the same order."""
    records = np.concatenate([piece for piece, _ in held])
    hashes = np.concatenate([values for _, values in held])
    held.clear()
    order = np.argsort(records["batch"], kind="stable")
    bounds = np.r_[0, np.cumsum(records["n_shingles"].astype(np.int64))]
    records = records[order]
    keys = records["batch"]
    starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])
    hashes, bounds = take_sets(hashes, bounds, order)
    name = f"{group:05d}-{number:05d}.run"
    write_blocks(scope.path("sets", name), keys[starts], bounds[np.r_[starts, len(keys)]], [hashes])
    write_run(scope.path("candidates", name), keys, records)


def _read_records(scope: Scope, batch: int) -> np.ndarray:
    return read_key(scope.runs("candidates"), batch, candidate_dtype(scope))


def _read_sets(scope: Scope, batch: int, records: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(hashes, bounds) of a batch's sets of shingles, in the order of its records."""
    hashes = read_key(scope.runs("sets"), batch, HASH)
    bounds = np.r_[0, np.cumsum(records["n_shingles"].astype(np.int64))]
    if bounds[-1] != len(hashes):
        raise OutputError(f"{scope.folder}: candidates and shingles do not fit together; remove the folder")
    return hashes, bounds


def decide_batch(scope: Scope, batch: int, earlier: Sequence[int]) -> dict[str, int]:
    """The rule of removal for one batch: against what earlier batches of its component kept, then within itself."""
    options = scope.options
    records = _read_records(scope, batch)
    hashes, bounds = _read_sets(scope, batch, records)
    order = best_first(records, options.seed, records["root"])
    records, (hashes, bounds) = records[order], take_sets(hashes, bounds, order)
    open_ = records["level"] > 0
    decisions = [np.zeros(0, scope.records(DECISION))]
    counts = {"verifications": 0, "core_overlaps": 0, "class_pairs": 0, "earlier_batches": 0}

    def settle(rows: np.ndarray, kept: np.ndarray, overlap: np.ndarray, union: np.ndarray) -> None:
        out = np.empty(len(rows), scope.records(DECISION))
        out["document"], out["overlap"], out["union"] = records["document"][rows], overlap, union
        out["partner_id"] = kept
        decisions.append(out)
        open_[rows] = False

    undecided = np.ones(len(records), bool)
    for other in earlier:
        rows = np.flatnonzero(undecided & open_)
        if not len(rows):
            break
        before = _read_records(scope, other)
        gone = removed_documents(scope, other)
        chosen = np.flatnonzero(~np.isin(before["document"], gone))
        if options.only_against:
            chosen = chosen[before["level"][chosen] == 0]
        chosen = chosen[np.isin(before["bands"][chosen], records["bands"][rows]).any(axis=1)]
        if not len(chosen):
            continue
        chosen = chosen[best_first(before[chosen], options.seed)]
        both, both_bounds = take_sets(*_read_sets(scope, other, before), chosen, (hashes, bounds, rows))
        counts["earlier_batches"] += 1
        sizes = np.diff(both_bounds)
        bands = np.concatenate([before["bands"][chosen], records["bands"][rows]])
        fixed = np.arange(len(bands)) < len(chosen)
        removals = decide(both, both_bounds, bands, np.zeros(len(bands), np.int64), fixed, options.ratio, joins=False)
        _count(counts, removals)
        gone_rows = np.flatnonzero(removals.partner >= 0)
        partners, overlap = removals.partner[gone_rows], removals.overlap[gone_rows]
        union = sizes[gone_rows] + sizes[partners] - overlap
        settle(rows[gone_rows - len(chosen)], before["id"][chosen][partners], overlap, union)
        undecided[rows[gone_rows - len(chosen)]] = False

    rows = np.flatnonzero(undecided)
    own, own_bounds = take_sets(hashes, bounds, rows) if len(rows) < len(records) else (hashes, bounds)
    sizes = np.diff(own_bounds)
    fixed = records["level"][rows] == 0
    joins = not options.only_against
    removals = decide(own, own_bounds, records["bands"][rows], records["root"][rows], fixed, options.ratio, joins=joins)
    _count(counts, removals)
    gone_rows = np.flatnonzero(removals.partner >= 0)
    partners, overlap = removals.partner[gone_rows], removals.overlap[gone_rows]
    union = sizes[gone_rows] + sizes[partners] - overlap
    settle(rows[gone_rows], records["id"][rows[partners]], overlap, union)
    out = np.concatenate(decisions)
    write_run(_decided(scope, batch), scope.group_of(out["document"]), out)
    return counts


def _count(counts: dict[str, int], removals: object) -> None:
    for name in ("verifications", "core_overlaps", "class_pairs"):
        counts[name] += getattr(removals, name)


def _decided(scope: Scope, batch: int) -> str:
    return scope.path("decided", f"{batch >> 32:05d}-{batch & 0xFFFFFFFF:05d}.run")


def removed_documents(scope: Scope, batch: int) -> np.ndarray:
    """Documents that a batch removed."""
    return read_run(_decided(scope, batch), scope.records(DECISION))["document"]
