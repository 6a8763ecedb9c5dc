"""Check that DIR is what its manifests say: digests, counts, schemas, order, and that the ledger accounts for all.

Every file that shapes output, or that a later run would use, is compared with a digest that something else holds, or
with its own seal (`massivetext.sealed`). Files are read side by side, a batch of rows of each at a time
(`massivetext.looking.part_verification`); of the ledger's ids no more is in memory than
`massivetext.looking.unique_ids` keeps.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from massivetext import storage
from massivetext.errors import MassiveTextError, OutputError
from massivetext.looking.part_verification import verify_part
from massivetext.looking.unique_ids import UniqueIds
from massivetext.mixture import verify_mixture
from massivetext.mixture.verify import Each
from massivetext.parquet import FILE_ERRORS, file_digest, open_parquet, release_memory
from massivetext.removed import Removed, read_removed
from massivetext.run_recipe import read_recipe_file
from massivetext.sealed import read_sealed, seal_fault

__all__ = ["verify"]

T = TypeVar("T")
R = TypeVar("R")

_KINDS = ("curated", "rejected", "ledger", "pieces")
_AHEAD = 4
"""Files a thread that are begun before the first of them is done."""


def verify(root: str, *, workers: int | None = None) -> tuple[list[str], list[str]]:
    """Return (faults, what was checked), a line each. Damaged files are faults, each by its name.

    Args:
        root: DIR, a run's output folder.
        workers: Files that are read at the same time; as many as there are processors, if None.

    Raises:
        OutputError: DIR has no ledger.
    """
    root = storage.local_path(root)
    if not storage.list_files(storage.join(root, "ledger")):
        raise OutputError(f"{root}: holds no ledger; is it the --output of a run?")
    width = workers or os.cpu_count() or 1
    with ThreadPoolExecutor(width) as pool:
        return _Verification(root, pool, width).run()


class _Verification:
    """The check of one DIR: threads that read its files, the faults so far, and what was checked."""

    def __init__(self, root: str, pool: ThreadPoolExecutor, width: int) -> None:
        self.root, self.pool, self.width = root, pool, width
        self.faults: list[str] = []
        self.checked: list[str] = []

    def run(self) -> tuple[list[str], list[str]]:
        recipe = self._recipe()
        written = {"curated", "ledger"}
        if recipe and recipe.get("rejected", "none") != "none":
            written.add("rejected")
        manifests = {kind: self._manifest(kind) for kind in _KINDS if kind in written or self._has_files(kind)}
        if not self.faults:
            self.faults += _ledger(self.root, manifests, self._each)
        removed = self._removed()
        self._mixtures(recipe["mixture"].get("name", "main") if recipe else None, removed)
        self._index()
        self._reports()
        self._work()
        return self.faults, self.checked

    def _each(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """`function` of each item, in order, a bounded number of them at a time."""
        begun: deque[Any] = deque()
        for item in items:
            begun.append(self.pool.submit(function, item))
            if len(begun) >= _AHEAD * self.width:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()

    def _compare(self, files: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """files: (path, what a manifest says of it)."""
        self.faults += [fault for fault in self._each(lambda pair: _file_fault(*pair), files) if fault]

    def _has_files(self, kind: str) -> bool:
        return bool(storage.list_files(storage.join(self.root, kind)))

    def _recipe(self) -> Mapping[str, Any] | None:
        """Check recipe.yaml; return the recipe in it, None where that is not known."""
        path = storage.join(self.root, "recipe.yaml")
        if not storage.exists(path):
            return None
        self.checked.append("recipe.yaml")
        try:
            recipe = read_recipe_file(storage.read_bytes(path))["recipe"]
            if isinstance(recipe, dict) and isinstance(recipe.get("mixture"), dict):
                return recipe
            self.faults.append(f"{path}: is damaged: it contains no recipe with a mixture")
        except (MassiveTextError, ValueError, KeyError) as error:
            self.faults.append(f"{path}: is damaged: {_plain(path, error)}")
        return None

    def _manifest(self, kind: str) -> dict[str, Any]:
        """Return a folder's manifest, having compared its files with it."""
        base = storage.join(self.root, kind)
        path = storage.join(base, "manifest.json")
        try:
            manifest = read_sealed(path)
            files = manifest["files"]
            listed = [(storage.join(base, name), _summary(files[name])) for name in files]
        except (MassiveTextError, KeyError, TypeError, AttributeError) as error:
            self.faults.append(f"{path}: is no manifest: {_plain(path, error)}")
            return {"files": {}, "counts": {}}
        there = {name[len(base) + 1 :] for name in storage.list_files(base)} - {"manifest.json"}
        self.faults += [f"{base}/{name}: is not in the manifest" for name in sorted(there - set(files))]
        missing = [name for name in files if name not in there]
        self.faults += [f"{base}/{name}: is in the manifest, but not there" for name in missing]
        self._compare(pair for name, pair in zip(files, listed) if name in there)
        self.checked.append(f"{kind}: {len(files)} files")
        return manifest

    def _removed(self) -> Removed:
        try:
            removed = read_removed(self.root)
        except OutputError as error:
            self.faults.append(str(error))
            return Removed()
        if removed.unfinished:
            self.faults.append(
                f"{self.root}: a removal was begun and not finished; give `massivetext remove {self.root}`"
            )
        self._compare((storage.join(self.root, "removed.parquet"), {"blake2b": digest}) for digest in removed.texts)
        return removed

    def _mixtures(self, current: str | None, removed: Removed) -> None:
        base = storage.join(self.root, "mixture")
        paths = [path[len(base) + 1 :] for path in storage.list_files(base)]
        for name in sorted({path.split("/")[0] for path in paths if "/" in path}):
            folder = storage.join(base, name)
            faults = verify_mixture(folder, each=self._each)
            if not faults:
                shards = [path for path in storage.list_files(folder) if path.endswith(".parquet")] if removed else []
                faults = [fault for fault in self._each(lambda path: _present(path, removed), shards) if fault]
            if current is not None and name != current:
                faults.append(
                    f"{folder}: is of an earlier recipe, whose mixture had another name; that of recipe.yaml is "
                    f"{current}, and a pattern such as mixture/*/*.parquet reads both"
                )
            self.faults += faults
            self.checked.append(f"mixture: {name}")

    def _index(self) -> None:
        base = storage.join(self.root, "index")
        path = storage.join(base, "manifest.json")
        if not storage.exists(path):
            return
        try:
            files = read_sealed(path)["files"]
            pairs = [(storage.join(base, file["evidence"]), {"blake2b": file["blake2b"]}) for file in files]
            pairs += [
                (storage.join(base, file["captures"]), {"blake2b": file["captures_blake2b"]})
                for file in files
                if "captures" in file
            ]
        except (MassiveTextError, KeyError, TypeError) as error:
            self.faults.append(f"{path}: is no manifest: {_plain(path, error)}")
            return
        self._compare(pairs)
        self.checked.append(f"index: {len(pairs)} files")

    def _reports(self) -> None:
        base = storage.join(self.root, "report")
        paths = [path for path in storage.list_files(base) if path.endswith(".json")]
        self.faults += [fault for fault in self._each(seal_fault, paths) if fault]

    def _work(self) -> None:
        """Check what a later run would use of work/: markers, and the files below work/ that they name. What is not
        there would be made again, and is no fault."""
        done = storage.join(self.root, "work", "done")
        notes = [path for path in storage.list_files(done) if path.endswith(".json")]
        duplicates, files = (storage.join(self.root, "work", name) for name in ("duplicates", "files"))
        notes += [path for base in (duplicates, files) for path in storage.list_files(base) if path.endswith(".json")]
        single = [storage.join(self.root, "work", f"{name}.json") for name in ("inputs", "finished")]
        notes += [path for path in single if storage.exists(path)]
        if not notes:
            return
        n = 0
        for is_there, fault in self._each(lambda pair: _fault_if_there(*pair), self._named_in(notes, duplicates)):
            n += is_there
            self.faults += [fault] if fault else []
        self.checked.append(f"work: {n} files")

    def _named_in(self, notes: Sequence[str], duplicates: str) -> Iterator[tuple[str, Mapping[str, Any] | None]]:
        """Yield the notes that are whole, with None, and the files below work/ that they name, with what is said of
        each. What is wrong with a note is added to the faults."""
        for path, data in zip(notes, self._each(_note, notes)):
            if isinstance(data, str):
                self.faults.append(data)
                continue
            yield path, None
            pairs = [(storage.join(self.root, name), summary) for name, summary in data.get("outputs", {}).items()]
            yield from (pair for pair in pairs if pair[0].startswith(storage.join(self.root, "work/")))
            digests = data.get("digests", {}) if path.startswith(duplicates) else {}
            yield from ((storage.join(duplicates, name), {"blake2b": digest}) for name, digest in digests.items())


def _plain(path: str, error: Exception) -> str:
    """Return the error of a manifest without its path, with which the line begins."""
    text = f"has no {error}" if isinstance(error, KeyError) else str(error)
    return text.removeprefix(f"{path}: ")


def _summary(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict) or not {"bytes", "blake2b"} <= set(value):
        raise TypeError("an entry of `files` has no bytes and blake2b")
    return value


def _note(path: str) -> dict[str, Any] | str:
    """Return the data of a marker or note, or its fault."""
    try:
        data = read_sealed(path)
        if not isinstance(data.get("outputs", {}), dict) or not isinstance(data.get("digests", {}), dict):
            return f"{path}: is damaged: expected objects as outputs and digests"
        return data
    except MassiveTextError as error:
        return str(error)


def _fault_if_there(path: str, summary: Mapping[str, Any] | None) -> tuple[bool, str | None]:
    """Return whether a file is there, and its fault; summary: None for one that has been looked at."""
    if summary is None:
        return True, None
    return (True, _file_fault(path, summary)) if storage.exists(path) else (False, None)


def _file_fault(path: str, summary: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a file, if it has other bytes than a summary says."""
    try:
        n_bytes = storage.size(path)
        if summary.get("bytes", n_bytes) != n_bytes or file_digest(path) != summary["blake2b"]:
            return f"{path}: differs from what was written (size or digest)"
    except (MassiveTextError, OSError) as error:
        return str(error) if str(error).startswith(path) else f"{path}: {error}"
    return None


def _ledger(root: str, manifests: dict[str, dict[str, Any]], each: Each) -> list[str]:
    """Return faults between ledger, curated rows and counts, a part at a time."""
    faults: list[str] = []
    files = manifests["ledger"]["files"]
    totals: dict[str, dict[str, int]] = {}
    with UniqueIds(sum(summary["rows"] for summary in files.values())) as unique:

        def look(name: str) -> tuple[list[str], dict[str, int]]:
            try:
                return verify_part(root, name, manifests, unique)
            except FILE_ERRORS as error:
                return [f"{storage.join(root, 'ledger', name)}: cannot be read, or files that go with it: {error}"], {}
            finally:
                release_memory()

        for name, (own, outcomes) in zip(files, each(look, files)):
            faults += own
            counts_of = totals.setdefault(name.split("/")[0], {})
            for outcome, n in outcomes.items():
                counts_of[outcome] = counts_of.get(outcome, 0) + n
        if n := unique.n_repeated():
            faults.append(f"{storage.join(root, 'ledger')}: an id stands twice in the ledger ({n:,} rows too many)")
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


def _present(path: str, removed: Removed) -> str | None:
    """Return a fault if a shard contains documents that were removed."""
    with storage.open_input(path) as stream:
        file = open_parquet(stream)
        groups = range(file.metadata.num_row_groups)
        n = sum(int(removed.rows(file.read_row_group(k, columns=["id", "url"])).sum()) for k in groups)
    return f"{path}: holds {n} rows of documents that were taken out" if n else None
