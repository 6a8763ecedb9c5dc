"""The output folder DIR: whose recipe it holds, who works in it, what lies where, and its manifests."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import platform
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import IO, Any

from massivetext import __version__, storage
from massivetext.errors import MassiveTextError, OutputError
from massivetext.foreign_code import code_refused
from massivetext.looking.recipe_view import limit_ends
from massivetext.own_files import own_parts, sweep_temporary
from massivetext.parquet import file_digest
from massivetext.run_recipe import read_recipe_file, recipe_file
from massivetext.sealed import sealed, unsealed
from massivetext.terminal_text import visible_name
from pipelines.recipe import Recipe
from pipelines.recipe.changes import recipe_differences
from pipelines.tasks import Marker, read_markers

__all__ = ["Folder"]

SHAPING = (
    "massivetext",
    "apache-beam",
    "fasttext-community",
    "numba",
    "numpy",
    "pyarrow",
    "resiliparse",
    "trafilatura",
)
"""Packages whose version can change a byte of the output: noted in DIR/recipe.yaml."""


@dataclass(frozen=True)
class Folder:
    """Paths below DIR. `root` is a local path or a URL of an object store; a `file://` URL becomes its path."""

    root: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", storage.local_path(os.fspath(self.root)))

    def path(self, *names: str) -> str:
        return storage.join(self.root, *names)

    def part(self, kind: str, subset: str, name: str) -> str:
        """`curated`, `rejected`, `ledger` or a folder below work/, for one part."""
        return self.path(kind, subset, f"{name}.parquet")

    def marker(self, stage: str, *names: str) -> str:
        return self.path("work", "done", stage, *names[:-1], f"{names[-1]}.json")

    def claim(self) -> None:
        """Make sure that DIR may be written to: it is new, empty, or a run made it.

        Raises OutputError for a folder that holds something else. There `run` would write over what is named as its own
        output is, a `recipe.yaml` among others. Also for an empty name: what is joined to it would lie in the root of
        the file system.
        """
        if not self.root:
            raise OutputError("the folder of a run has an empty name; give one, such as `out`, or `.` for this folder")
        names = [name for name in storage.list_names(self.root) if not _is_of_system(name)]
        if not names or self._is_of_run(names):
            return
        shown = ", ".join(visible_name(name) for name in names[:5])
        shown += f" and {len(names) - 5:,} more" if len(names) > 5 else ""
        raise OutputError(
            f"{self.root}: is not empty ({shown}), and nothing in it shows that a run made it; give another --output, "
            f"such as a new folder in it: {self.path('out')}"
        )

    def _is_of_run(self, names: Sequence[str]) -> bool:
        """Whether a run made DIR: its recipe.yaml or a manifest says so, or there is no more than the lock."""
        if "recipe.yaml" in names:
            with contextlib.suppress(MassiveTextError):
                head = storage.read_bytes(self.path("recipe.yaml"))
                if head.startswith(b"digest: ") and b"\ncanonical:" in head:
                    return True
        for kind in ("curated", "ledger", "rejected"):
            with contextlib.suppress(MassiveTextError, ValueError):
                manifest = unsealed(storage.read_bytes(self.path(kind, "manifest.json")))
                if manifest.get("kind") == kind and "recipe" in manifest:
                    return True
        below = [name for name in storage.list_names(self.path("work")) if not storage.is_temporary(name)]
        return list(names) == ["work"] and set(below) <= {"lock"}

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold DIR for one run at a time. Raises OutputError naming the process that has it.

        An object store has no locks: there two runs at once are the user's to avoid.
        """
        if storage.is_remote(self.root):
            yield
            return
        path = self.path("work", "lock")
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(_locked(path, self.root))
            except OSError as error:
                if error.errno == errno.ELOOP:
                    raise OutputError(f"{path}: is a link, which is not followed; remove it") from error
                raise storage.cannot_write(path, error) from error
            # What a killed run, or a worker process of this one that died, left unfinished.
            sweep_temporary(self.root)
            try:
                yield
            finally:
                sweep_temporary(self.root)

    def recipe(self) -> Recipe:
        """The recipe that DIR was made by. Raises OutputError if DIR has none, or one that is damaged.

        Code that it names is not imported, and need not be there any more.
        """
        path = self.path("recipe.yaml")
        try:
            with code_refused():
                return Recipe.model_validate(self._recipe_data()["recipe"])
        except ValueError as error:
            raise OutputError(f"{path}: is damaged, or of another version of this program: {error}") from error

    def recipe_digest(self) -> str:
        """The digest of the recipe that DIR was made by, as that run noted it: the files and the code that it names may
        be gone. Raises as `recipe` does."""
        return str(self._recipe_data()["digest"])

    def _recipe_data(self) -> dict[str, Any]:
        path = self.path("recipe.yaml")
        if not storage.exists(path):
            raise OutputError(f"{self.root}: is no output folder of a run; it has no recipe.yaml")
        return _read_recipe(path)

    def adopt(self, recipe: Recipe, *, update: bool) -> list[str]:
        """Make DIR this recipe's, writing recipe.yaml. Returns the differences to the recipe that it had.

        Raises OutputError if it is another recipe's and `update` is not set.
        """
        path = self.path("recipe.yaml")
        canonical = recipe.canonical()
        changed: list[str] = []
        if storage.exists(path):
            before = _read_recipe(path)
            changed = recipe_differences(before["canonical"], recipe)
            if changed and not update:
                lines = "\n".join(f"  {line}" for line in changed[:20])
                raise OutputError(
                    f"{self.root} holds the output of another recipe:\n{lines}\n"
                    "give another --output, or --update to redo the stages that the change touches"
                )
            # A file of an earlier version may lack newer keys.
            newer = {"stages", "limits", "limits_by_language"}
            is_whole = before["recipe"].keys() >= recipe.resolved().keys() and newer <= before.keys()
            if not changed and before["digest"] == recipe.digest() and is_whole:
                return []
        versions = {"python": platform.python_version()}
        for name in SHAPING:
            with contextlib.suppress(metadata.PackageNotFoundError):
                versions[name] = metadata.version(name)
        versions["massivetext"] = __version__
        data = {
            "digest": recipe.digest(),
            "versions": versions,
            "canonical": canonical,
            "recipe": recipe.resolved(),
            "stages": recipe.stage_names,
            "limits": _limits(recipe),
            "limits_by_language": _limits_by_language(recipe),
        }
        storage.write_bytes(path, recipe_file(data))
        return changed

    def is_done(self, marker_path: str, fingerprint: str) -> bool:
        """Whether a task's marker stands, for the same inputs and recipe, over outputs that are what it wrote."""
        marker = Marker.read(marker_path)
        return marker is not None and marker.fingerprint == fingerprint and self.is_intact(marker)

    def held(self, tasks: Sequence[Any]) -> list[Marker | None]:
        """The markers of those tasks that are done, as `is_done` has it; None for the others."""
        markers = read_markers([task.marker for task in tasks])
        sizes: dict[str, tuple[int, int]] = {}
        if storage.is_remote(self.root):
            kinds = {_kind(name) for marker in markers if marker is not None for name in marker.outputs}
            for kind in sorted(kinds):
                sizes.update(storage.list_sizes(self.path(kind)))

        def is_done(task: Any, marker: Marker) -> bool:
            return marker.fingerprint == task.fingerprint and not marker.failures and self.is_intact(marker, sizes)

        return [
            marker if marker is not None and is_done(task, marker) else None for task, marker in zip(tasks, markers)
        ]

    def is_intact(self, marker: Marker, sizes: Mapping[str, tuple[int, int]] | None = None) -> bool:
        """Whether a marker's outputs are there as written. A file touched since is read and its digest compared; of an
        object the size is, which `sizes` may hold from a listing."""
        for name, summary in marker.outputs.items():
            path = self.path(name)
            if storage.is_remote(path):
                if sizes is not None:
                    n_bytes = sizes.get(path, (None, 0))[0]
                else:
                    n_bytes = storage.size(path) if storage.exists(path) else None
                if n_bytes != summary["bytes"]:
                    return False
                continue
            try:
                status = os.stat(path)
            except FileNotFoundError:
                return False
            if status.st_size != summary["bytes"]:
                return False
            is_touched = any(summary.get(key) != stamp for key, stamp in _stamps(status).items())
            if is_touched and file_digest(path) != summary["blake2b"]:
                return False
        return True

    def outputs(self, summaries: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """Summaries of files by their path in DIR, with the time of writing where the disk keeps one."""
        if storage.is_remote(self.root):
            return {name: dict(summary) for name, summary in summaries.items()}
        return {name: {**summary, **_stamps(os.stat(self.path(name)))} for name, summary in summaries.items()}

    def write_manifest(
        self,
        kind: str,
        recipe: Recipe,
        markers: list[Marker],
        counts: dict[str, Any],
        *,
        limits: Mapping[str, Any] | None = None,
    ) -> None:
        """Write `<kind>/manifest.json`: every file below it with rows, bytes and digest, and counts.

        Args:
            kind: The folder below DIR.
            recipe: Whose output it is.
            markers: Of the tasks that have written the files.
            counts: What the files hold, by subset.
            limits: Of a ledger, the limits that were found from the documents themselves, by subset and signal.
        """
        files = {
            name[len(kind) + 1 :]: {key: summary[key] for key in ("rows", "bytes", "blake2b")}
            for marker in markers
            for name, summary in marker.outputs.items()
            if name.startswith(f"{kind}/")
        }
        manifest = {
            "kind": kind,
            "schema": "1",
            "recipe": recipe.digest(),
            "seed": recipe.seed,
            "counts": counts,
            "files": dict(sorted(files.items())),
            **({"limits": limits} if limits else {}),
        }
        data = sealed(manifest)
        path = self.path(kind, "manifest.json")
        if not storage.exists(path) or storage.read_bytes(path) != data:
            storage.write_bytes(path, data)
        # What a changed recipe or a vanished source left behind is no part of this output.
        base = self.path(kind)
        storage.remove_all(name for name in own_parts(base) if name[len(base) + 1 :] not in files)


_OF_SYSTEM = frozenset(("lost+found", ".DS_Store", "Thumbs.db", "desktop.ini", ".snapshot"))
"""What a disk or a desktop puts into an empty folder by itself."""


def _is_of_system(name: str) -> bool:
    return name in _OF_SYSTEM or name.startswith(".nfs") or storage.is_temporary(name)


def _stamps(status: os.stat_result) -> dict[str, int]:
    """Times that tell a file that was written to since; the second one cannot be set back."""
    return {"mtime_ns": status.st_mtime_ns, "ctime_ns": status.st_ctime_ns}


def _read_recipe(path: str) -> dict[str, Any]:
    """What `adopt` wrote. Raises OutputError if it cannot be read, and so cannot say whose the folder is."""
    try:
        data = read_recipe_file(storage.read_bytes(path))
        return {**data, "canonical": dict(data["canonical"]), "recipe": dict(data.get("recipe") or {})}
    except (ValueError, KeyError, TypeError) as error:
        raise OutputError(
            f"{path}: is damaged, so it cannot be told whose output this is: {error}; if it is this recipe's, remove "
            "that file and run again"
        ) from error


def _kind(name: str) -> str:
    """`curated`, or `work/ledger`: the folder of a kind of output."""
    names = name.split("/")
    return "/".join(names[: 2 if names[0] == "work" else 1])


def _locked(path: str, root: str) -> IO[str]:
    """Return the file of a folder's lock, locked. One that its last holder removed meanwhile locks nothing for those
    who come later, so another one is made."""
    while True:
        storage.make_folder(os.path.dirname(path))
        stream = storage.open_lock(path)
        try:
            _take(stream, root)
            if os.fstat(stream.fileno()).st_nlink:
                return stream
        except BaseException:
            stream.close()
            raise
        stream.close()


def _take(stream: IO[str], root: str) -> None:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        stream.seek(0)
        holder = stream.read().strip() or "another process"
        raise OutputError(f"{root}: {holder} is at work in it; wait for it to end, or give another --output") from error
    if os.fstat(stream.fileno()).st_nlink != 1:
        return  # it has another name, in a backup or elsewhere: whatever that file is, it is not written to
    stream.truncate(0)
    # Past the buffer, which would be written once more when the file is closed, and fail again on a full disk.
    os.write(stream.fileno(), f"process {os.getpid()} on {socket.gethostname()}".encode())


def _limits(recipe: Recipe) -> dict[str, Any]:
    """By subset, stage (in the order of verdicts) and signal: `min`, `max` and `below` of what is kept. It is for a
    reader of the folder, which then needs no registry of stages."""
    return {
        subset: {
            stage: {signal: limit_ends(limit) for signal, limit in signals.items()}
            for stage, signals in recipe.limited_signals(subset).items()
        }
        for subset in recipe.filled
    }


def _limits_by_language(recipe: Recipe) -> dict[str, Any]:
    """By subset, stage, signal and language: the limits of single languages, as `_limits` writes them."""
    return {
        subset: {
            stage: {
                signal: {language: limit_ends(limit) for language, limit in own.items()}
                for signal, own in signals.items()
            }
            for stage, signals in by_stage.items()
        }
        for subset in recipe.filled
        if (by_stage := recipe.limits_by_language(subset))
    }
