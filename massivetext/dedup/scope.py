"""A scope: the documents that are deduplicated together, numbered, and cut into tasks that fit the memory given."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from massivetext import storage
from massivetext.dedup.banding import Banding, plan
from massivetext.dedup.evidence import evidence_schema
from massivetext.dedup.removal import exact_threshold
from massivetext.errors import OutputError
from massivetext.parquet import open_parquet

__all__ = ["POLICIES", "Options", "Part", "Scope", "forget_runs", "look_at_evidence", "make_scope", "read_scope"]

POLICIES = ("random", "longest", "newest", "first")
"""Which of several near-duplicates is kept: by the seeded rank; most code points; latest timestamp, missing ones last;
earliest source, then offset. Ties by the seeded rank."""

VERSION = 3

WIDE = 0xFFFFFFFF
"""From so many documents on, they are numbered by 64 bits instead of 32."""

_NUMBERS = ("document", "best", "root")
"""Fields of records that are numbers of documents."""


@dataclass(frozen=True)
class Options:
    """threshold: J above which documents are near-duplicates. recall: least probability that a pair at the threshold is
    found. keep: one of POLICIES. seed: of the random rank. newest_capture: first, of the captures of one canonical URL
    only the newest stays. only_against: documents are compared with an index's only, and not with each other. memory:
    bytes that a task may hold beside its program, and beyond it 4 bytes a document, or 8 from WIDE documents on."""

    threshold: float = 0.8
    recall: float = 0.99
    keep: str = "random"
    seed: int = 0
    newest_capture: bool = False
    only_against: bool = False
    memory: int = 256 << 20

    @property
    def banding(self) -> Banding:
        return plan(self.threshold, self.recall)

    @property
    def ratio(self) -> tuple[int, int]:
        return exact_threshold(self.threshold)


@dataclass(frozen=True)
class Part:
    """A part's evidence and texts. level: order of preference, smaller first. fixed: kept already, as an index's.
    text_rows: evidence has a column `row`, its row among the texts; else rows are the same. captures_only: documents
    that an index's run removed, for the sake of their URLs. start: number of its first document. source, rows, footer:
    what `look_at_evidence` says of the evidence; it is looked at where footer is empty."""

    subset: str
    name: str
    evidence: str
    texts: str
    level: int = 0
    fixed: bool = False
    text_rows: bool = False
    captures_only: bool = False
    source: str = ""
    rows: int = 0
    start: int = 0
    footer: str = ""


@dataclass(frozen=True)
class Scope:
    """Documents numbered in the order of parts: by level, subset, source and split. Groups are runs of parts, the unit
    of work where work goes by part; partitions are ranges of hashes, the unit where it goes by hash."""

    folder: str
    output: str
    options: Options
    parts: tuple[Part, ...]
    groups: tuple[tuple[int, int], ...]

    @property
    def n_documents(self) -> int:
        return self.parts[-1].start + self.parts[-1].rows if self.parts else 0

    @property
    def number(self) -> np.dtype:
        """The type that numbers documents."""
        return np.dtype("<u4" if self.n_documents < WIDE else "<u8")

    def records(self, narrow: np.dtype) -> np.dtype:
        """Return a type of records that has numbers of documents as wide as the scope takes. narrow: as for 32 bits."""
        return narrow if self.number.itemsize == 4 else _widened(narrow)

    @property
    def n_fixed(self) -> int:
        """How many documents are an index's: the first ones."""
        return sum(part.rows for part in self.parts if part.fixed)

    @property
    def subsets(self) -> list[str]:
        """The subsets that results are written for."""
        return sorted({part.subset for part in self.parts if not part.fixed})

    @property
    def fingerprint(self) -> str:
        """What shapes the result, as a digest: the options but for memory, and all parts."""
        return self.folder.split("/")[-2]

    @property
    def group_starts(self) -> np.ndarray:
        """int64[groups + 1]: number of the first document of each group, and of the end."""
        return np.array([self.parts[first].start for first, _ in self.groups] + [self.n_documents], np.int64)

    def group_of(self, documents: np.ndarray) -> np.ndarray:
        return np.searchsorted(self.group_starts, documents.astype(np.int64), side="right") - 1

    def partitions(self, bytes_a_document: int) -> int:
        """How many partitions keep what lies in one of them within the memory given."""
        return max(1, -(-self.n_documents * bytes_a_document // self.options.memory))

    def group_parts(self, group: int) -> Iterator[Part]:
        """The parts of a group, but for those that are there for their captures."""
        first, last = self.groups[group]
        yield from (part for part in self.parts[first:last] if not part.captures_only)

    def path(self, *names: object) -> str:
        return storage.join(self.folder, *(str(name) for name in names))

    def runs(self, phase: str) -> tuple[str, ...]:
        """Runs that a phase has written, in the order of their names. Ask once the phase has ended: a process lists the
        folder of a phase once, for all of its steps that read it."""
        return _runs(self.path(phase))

    def write(self) -> None:
        data = {**vars(self), "options": asdict(self.options), "parts": [vars(part) for part in self.parts]}
        storage.write_bytes(self.path("scope.json"), json.dumps(data, sort_keys=True).encode())


@lru_cache(maxsize=16)
def _runs(folder: str) -> tuple[str, ...]:
    return tuple(path for path in storage.list_files(folder) if path.endswith(".run"))


def forget_runs() -> None:
    """Let go of what this process knows of runs: they are about to be written anew, or removed."""
    _runs.cache_clear()


@lru_cache(maxsize=4)
def read_scope(folder: str) -> Scope:
    data = json.loads(storage.read_bytes(storage.join(folder, "scope.json")))
    return Scope(
        data["folder"],
        data["output"],
        Options(**data["options"]),
        tuple(Part(**part) for part in data["parts"]),
        tuple((first, last) for first, last in data["groups"]),
    )


@lru_cache(maxsize=32)
def _widened(narrow: np.dtype) -> np.dtype:
    """A type of records with numbers of documents of 64 bits: the fields of _NUMBERS, or all of one without fields."""
    if narrow.names is None:
        return np.dtype(("<u8", narrow.shape))
    return np.dtype([(name, "<u8" if name in _NUMBERS else narrow[name]) for name in narrow.names])


def make_scope(work: str, output: str, parts: Sequence[Part], options: Options) -> Scope:
    """Number the documents of the parts and cut the work. The scope's folder below `work` is named by what shapes the
    result, so that another recipe or other documents never meet its files.

    work: folder for temporary files. output: folder of the results, `<subset>/<part>.parquet` below it. Raises
    OutputError for evidence of another banding.
    """
    if options.keep not in POLICIES:
        raise ValueError(f"keep: {options.keep!r}; expected one of {', '.join(POLICIES)}")
    fingerprint = hashlib.blake2b(digest_size=12)
    shaping = {key: value for key, value in asdict(options).items() if key != "memory"}
    fingerprint.update(json.dumps([VERSION, shaping, options.banding.bands, options.banding.rows]).encode())
    found = []
    remote = any(storage.is_remote(part.evidence) for part in parts)
    for part in storage.each(lambda part: _looked_at(part, options.banding), list(parts), remote=remote):
        found.append(part)
        values = [part.subset, part.name, part.level, part.fixed, part.rows, part.footer]
        fingerprint.update(json.dumps(values).encode())
    found.sort(key=lambda part: (not part.fixed, part.level, part.subset, part.source, part.name, part.evidence))
    numbered = []
    start = 0
    for part in found:
        numbered.append(replace(part, start=start))
        start += part.rows
    folder = storage.join(work, fingerprint.hexdigest())
    # Runs cut by another memory limit do not fit together; the result is the same.
    folder = storage.join(folder, f"memory-{options.memory}")
    return Scope(folder, output, options, tuple(numbered), _groups(numbered, options))


def _groups(parts: Sequence[Part], options: Options) -> tuple[tuple[int, int], ...]:
    limit = max(1, options.memory // (80 * options.banding.bands + 400))
    groups = []
    first = rows = 0
    for i, part in enumerate(parts):
        if i > first and rows + part.rows > limit:
            groups.append((first, i))
            first, rows = i, 0
        rows += part.rows
    if first < len(parts):
        groups.append((first, len(parts)))
    return tuple(groups)


def _looked_at(part: Part, banding: Banding) -> Part:
    """Return a part with what its evidence says of itself, which is read unless it is known."""
    return part if part.footer else replace(part, **look_at_evidence(part.evidence, banding))


def look_at_evidence(path: str, banding: Banding | None = None) -> dict[str, Any]:
    """Return `rows`, `source` of the first one, and `footer`, a digest of the footer, which has sizes and bounds of all
    columns. A task that writes evidence notes them, so that nobody has to open the file for them.

    Raises:
        OutputError: It cannot be read, or is of another banding than the one named.
    """
    with storage.open_input(path) as stream:
        try:
            file = open_parquet(stream)
            source = ""
            held = (file.schema_arrow.metadata or {}).get(b"massivetext.banding")
            asked = held if banding is None else evidence_schema(banding).metadata[b"massivetext.banding"]
            if held != asked:
                raise OutputError(
                    f"{path}: has bands {held!r}, this recipe's threshold and recall take {asked!r}; "
                    "curate again, or make the index again with this recipe"
                )
            if file.metadata.num_rows:
                source = next(file.iter_batches(1, columns=["source"])).column("source")[0].as_py()
        except pa.ArrowException as error:
            raise OutputError(f"{path}: cannot be read: {error}; curate again") from error
        size = stream.seek(0, 2)
        stream.seek(-8, 2)
        length = int.from_bytes(stream.read(4), "little")
        stream.seek(size - 8 - length)
        footer = hashlib.blake2b(stream.read(length), digest_size=16).hexdigest()
        return {"rows": file.metadata.num_rows, "source": source, "footer": footer}
