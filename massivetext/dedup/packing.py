"""Packing: components into batches that are decided in memory, and components beyond that into rounds of batches.

A component beyond the budget is cut in rank order into batches of successive rounds: a document is decided when all
better-ranked ones are, so the answer is that of one batch. Its members need not fit in memory either: a partition with
more of them than the memory given holds is divided on disk, first by component, then by rank.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import numpy as np

from massivetext import storage
from massivetext.dedup.candidates import BYTES_A_MEMBER, CHUNK, MEMBER
from massivetext.dedup.collapse import best_first
from massivetext.dedup.near import random_ranks
from massivetext.dedup.runs import key_rows, read_key, read_run, write_run
from massivetext.dedup.scope import Scope

__all__ = ["ASSIGNMENT", "assignments", "batch_rounds", "is_large", "pack", "pack_large"]

ASSIGNMENT = np.dtype([("document", "<u4"), ("root", "<u4"), ("batch", "<u8")])

SHINGLE_BYTES, DOCUMENT_BYTES = 80, 1600
"""Memory that deciding takes at most: a shingle (its hash twice, its number, table and postings), and a document (its
bands, its places in buckets)."""

SAMPLE = 1 << 15
"""Members that the ranges of ranks of a component beyond memory are drawn from."""


def pack(scope: Scope, partition: int, records: np.ndarray) -> dict[str, int]:
    """Components into batches, each within the memory given. Notes beside the run which batches come in which round,
    and the earlier batches of the same component that each one is compared with."""
    packer = Packer(scope, partition)
    packer.add(records)
    return packer.finish()


class Packer:
    """Gives out the numbers of one partition's batches."""

    def __init__(self, scope: Scope, partition: int) -> None:
        self.scope, self.partition = scope, partition
        self.budget = max(1, scope.options.memory)
        self.notes: list[dict[str, int]] = []
        self.filled = self.budget + 1
        self.current = -1
        self.largest = self.n_runs = 0

    def begin(self, round_: int = 0) -> int:
        """A new batch; in round k of its component the k batches before it come first."""
        self.notes.append({"batch": self.partition << 32 | len(self.notes), "round": round_})
        return self.notes[-1]["batch"]

    def add(self, records: np.ndarray) -> None:
        """Whole components."""
        cost = _cost(records)
        order = np.argsort(records["root"], kind="stable")
        root = records["root"][order]
        starts = np.flatnonzero(np.r_[True, root[1:] != root[:-1]]) if len(root) else np.zeros(0, np.int64)
        costs = np.add.reduceat(cost[order], starts) if len(root) else np.zeros(0, np.int64)
        ends = np.r_[starts[1:], len(root)]
        batch = np.zeros(len(records), np.uint64)
        for start, end, size in zip(starts.tolist(), ends.tolist(), costs.tolist()):
            rows = order[start:end]
            if size > self.budget:
                batch[rows] = Cut(self).batches(records[rows])
                continue
            if self.filled + size > self.budget:
                self.current, self.filled = self.begin(), 0
            batch[rows] = self.current
            self.filled += size
            self.largest = max(self.largest, end - start)
        self.write(records, batch)

    def write(self, records: np.ndarray, batch: np.ndarray) -> None:
        out = np.empty(len(records), self.scope.records(ASSIGNMENT))
        out["document"], out["root"], out["batch"] = records["document"], records["root"], batch
        out = out[np.argsort(out["document"])]
        name = f"{self.partition:05d}-{self.n_runs:05d}.run"
        write_run(self.scope.path("pack", name), self.scope.group_of(out["document"]), out)
        self.n_runs += 1

    def finish(self) -> dict[str, int]:
        path = self.scope.path("pack", f"{self.partition:05d}.json")
        storage.write_bytes(path, json.dumps(self.notes).encode())
        cut = sum(1 for note in self.notes if note["round"] == 1)
        return {"batches": len(self.notes), "cut_components": cut, "max_largest_component": self.largest}


class Cut:
    """A component in batches of successive rounds, each of half the budget: the other half is for earlier ones."""

    def __init__(self, packer: Packer) -> None:
        self.packer = packer
        self.rounds = self.n = 0
        self.spent = packer.budget
        self.number = -1

    def batches(self, records: np.ndarray) -> np.ndarray:
        """uint64[n], the batch of each of the component's next members: all better-ranked ones have come before."""
        out = np.empty(len(records), np.uint64)
        ranked = best_first(records, self.packer.scope.options.seed)
        for row, own in zip(ranked.tolist(), _cost(records)[ranked].tolist()):
            if self.spent + own > self.packer.budget // 2:
                self.number = self.packer.begin(self.rounds)
                self.rounds += 1
                self.spent = 0
            out[row] = self.number
            self.spent += own
        self.n += len(records)
        self.packer.largest = max(self.packer.largest, self.n)
        return out


def _cost(records: np.ndarray) -> np.ndarray:
    return records["n_shingles"].astype(np.int64) * SHINGLE_BYTES + DOCUMENT_BYTES


def is_large(scope: Scope, n_members: int) -> bool:
    """Whether a partition of so many candidates is to be packed from disk."""
    return n_members * BYTES_A_MEMBER > scope.options.memory


def pack_large(scope: Scope, partition: int, runs: Sequence[str]) -> dict[str, int]:
    """`pack` of a partition whose candidates do not fit in memory, from the runs that have what was sent to it.

    They are divided by component and rank into ranges that fit, drawn from a sample; a component may span ranges.
    """
    spans = [(path, *key_rows(path, partition)) for path in runs]
    n = sum(stop - start for _, start, stop in spans)
    every = max(1, n // SAMPLE)
    seed = scope.options.seed
    sample = np.sort(np.concatenate([_sort_keys(records[::every], seed) for records in _chunks(scope, spans)]))
    n_ranges = -(-2 * n * BYTES_A_MEMBER // scope.options.memory)
    splitters = sample[np.arange(1, n_ranges) * len(sample) // n_ranges]
    divided = []
    for number, records in enumerate(_chunks(scope, spans)):
        divided.append(scope.path("divided", f"{partition:05d}", f"{number:05d}.run"))
        write_run(divided[-1], np.searchsorted(splitters, _sort_keys(records, seed), side="right"), records)
    packer = Packer(scope, partition)
    cut, root = Cut(packer), -1
    for number in range(n_ranges):
        records = read_key(divided, number, scope.records(MEMBER))
        if not len(records):
            continue
        # The first and the last component of a range may span it; which ones do is not known yet.
        first, last = int(records["root"].min()), int(records["root"].max())
        for edge in dict.fromkeys((first, -1, last)):
            if edge < 0:
                packer.add(records[(records["root"] != first) & (records["root"] != last)])
                continue
            if edge != root:
                cut, root = Cut(packer), edge
            members = records[records["root"] == edge]
            packer.write(members, cut.batches(members))
    storage.remove_tree(scope.path("divided", f"{partition:05d}"))
    return packer.finish()


def _chunks(scope: Scope, spans: Sequence[tuple[str, int, int]]) -> Iterator[np.ndarray]:
    for path, start, stop in spans:
        for at in range(start, stop, CHUNK):
            yield read_run(path, scope.records(MEMBER), at, min(stop, at + CHUNK))


def _sort_keys(records: np.ndarray, seed: int) -> np.ndarray:
    """bytes[32] each: ascending by root, then best-ranked first."""
    keys = np.empty((len(records), 4), ">u8")
    level_bits = np.uint64(32 if records["root"].itemsize == 4 else 24)  # of subsets there are no 16 million
    keys[:, 0] = records["root"].astype(np.uint64) << level_bits | records["level"].astype(np.uint64)
    keys[:, 1] = records["policy"]
    text = np.ascontiguousarray(records["id"]).tobytes().hex().encode()
    keys[:, 2:] = random_ranks((text[i : i + 32] for i in range(0, len(text), 32)), seed)
    return keys.view("S32").ravel()


def batch_rounds(scope: Scope) -> list[list[tuple[int, range]]]:
    """For each round, its batches with the earlier ones that each is compared with."""
    rounds: list[list[tuple[int, range]]] = []
    paths = [path for path in storage.list_files(scope.path("pack")) if path.endswith(".json")]
    for data in storage.each(storage.read_bytes, paths, remote=storage.is_remote(scope.folder)):
        for note in json.loads(data):
            while len(rounds) <= note["round"]:
                rounds.append([])
            rounds[note["round"]].append((note["batch"], range(note["batch"] - note["round"], note["batch"])))
    return rounds


def assignments(scope: Scope, group: int) -> np.ndarray:
    """The candidates of a group with their batches, by document."""
    assigned = read_key(scope.runs("pack"), group, scope.records(ASSIGNMENT))
    return assigned[np.argsort(assigned["document"], kind="stable")]
