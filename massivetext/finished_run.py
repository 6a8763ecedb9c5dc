"""What a finished run looked at, so that the same command has its answer before anything is imported.

A run that has come to its end leaves in DIR/work/finished.json what was asked, and a stamp of all that decides the
answer: the program's own files, the recipe's, the files that it names, and every file of DIR. Where all of that is as
it was, there is nothing to do. Where any of it has changed, or cannot be told from times of files (object stores, code
and readers from elsewhere), nothing is concluded, and the run finds out by itself what there is to do.

A stamp is of size, time and time of the status, which nobody can set back (`storage.stamp`). No content is read: a file
that a disk has damaged is found by `massivetext verify`.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from massivetext import __version__, portable_kernels, storage
from massivetext.errors import MassiveTextError, SourceError
from massivetext.sealed import read_sealed, write_sealed

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["finished_run", "note_finished", "nothing_done", "state_of"]

_NOTE = "work/finished.json"
_CHANGING = frozenset((_NOTE, "work/lock", "work/runs.json"))
"""Files of DIR that are no output."""

_PLUG_INS = ("massivetext.readers", "massivetext.stages", "massivetext.extractors", "massivetext.engines")


def state_of(
    root: str,
    asked: Mapping[str, Any],
    recipe_files: Iterable[str],
    variables: Iterable[str],
    resolved: Mapping[str, Any],
) -> dict[str, Any] | None:
    """Return all that decides what a run comes to, besides DIR; None where files' times do not tell it.

    Args:
        root: DIR, a local folder. A pattern may match files in it, which are no sources of a run that writes to it.
        asked: What the command was given; JSON values.
        recipe_files: The recipe's file, and those that it extends; packaged ones by their name.
        variables: Names of the variables of the environment that are put into the recipe.
        resolved: The recipe, whole.
    """
    from massivetext import readers
    from massivetext.plug_ins import plug_ins

    words = list(_words(resolved))
    files = list(recipe_files)
    if any(map(storage.is_remote, files)) or any(
        storage.is_remote(word) or (":" in word and not word.rpartition(":")[0].endswith(".py")) for word in words
    ):
        return None
    formats = {source["format"] for subset in resolved["subsets"].values() for source in subset.get("sources") or ()}
    if any(readers.get(format).find is not None for format in formats):
        return None  # it has rules of its own for which files it reads
    if any(_values(resolved, "against")):
        return None  # what is removed from another run is not all below its index
    if any(_is_foreign(point) for group in _PLUG_INS for point in plug_ins(group)):
        return None
    code = (word.rpartition(":")[0] for word in words if ":" in word)
    paths = sorted({*map(os.path.abspath, files), *filter(os.path.lexists, code), *filter(_is_path, words)})
    if tokenizer := resolved.get("tokenizer"):
        paths.append(os.path.join(os.path.dirname(os.path.abspath(tokenizer)), "*"))  # its configuration lies beside it
    try:
        listings = {path: _listing(path, root) for path in paths}
    except SourceError:
        return None  # there is a folder that cannot be read; if it is one of a source, the run says so
    return {
        "asked": dict(asked),
        "program": _program(),
        "variables": {name: _digest(os.environ.get(name)) for name in variables},
        "paths": listings,
    }


def note_finished(root: str, state: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    """Note in DIR that a run has come to its end.

    Args:
        root: DIR, a local folder.
        state: As `state_of` gave it before the run began.
        answer: What the run came to; JSON values.
    """
    write_sealed(storage.join(root, _NOTE), {**state, "output": _files_below(root), "answer": dict(answer)})


def finished_run(root: str, asked: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what the last run in DIR came to, if it was asked the same and nothing that it looked at has changed."""
    path = storage.join(root, _NOTE)
    if storage.is_remote(root) or not os.path.exists(path):
        return None
    try:
        note = read_sealed(path)
        is_same = (
            note["asked"] == json.loads(json.dumps(asked))
            and note["program"] == _program()
            and all(_digest(os.environ.get(name)) == digest for name, digest in note["variables"].items())
            and all(_listing(path, root) == digest for path, digest in note["paths"].items())
            and note["output"] == _files_below(root)
        )
        return dict(note["answer"]) if is_same else None
    except (MassiveTextError, OSError, KeyError, TypeError, AttributeError):
        return None  # it is damaged, or of another version


def nothing_done(output: str) -> str:
    return f"{output} holds all of this already; nothing was done"


def _words(value: Any) -> Iterator[str]:
    """Every text in a recipe."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _words(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _words(item)


def _values(value: Any, key: str) -> Iterator[Any]:
    """What stands under a key, wherever in a recipe."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            if name == key:
                yield item
            yield from _values(item, key)


def _is_path(word: str) -> bool:
    return os.path.isabs(word) or os.path.lexists(word)


def _is_foreign(point: EntryPoint) -> bool:
    return point.dist is None or point.dist.name != "massivetext"


def _listing(pattern: str, root: str) -> str:
    """A digest of the names and stamps of the files that a path or a pattern names, those in DIR only if all are."""
    paths = storage.find(pattern)
    others = storage.without_folder(paths, storage.source_prefix(pattern), root)
    return _digest([(path, storage.stamp(path)) for path in others or paths])


def _files_below(root: str) -> str:
    """A digest of the names, sizes and times of all files below DIR but those that tell of runs."""
    entries = []
    for folder, _, names in os.walk(root):
        below = os.path.relpath(folder, root)
        for name in names:
            path = os.path.normpath(os.path.join(below, name))
            if path not in _CHANGING:
                status = os.lstat(os.path.join(folder, name))
                entries.append((path, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
    return _digest(sorted(entries))


@functools.cache
def _program() -> str:
    """A digest that changes with the program: with its files, with Python, and with what is installed beside it."""
    marks: list[Any] = [__version__, sys.version]
    root = Path(__file__).parent.parent
    for package in ("massivetext", "filters", "pipelines"):
        for folder, folders, names in os.walk(root / package):
            # What is compiled says nothing that the code does not.
            folders[:] = [name for name in folders if name not in ("__pycache__", portable_kernels.FOLDER.name)]
            paths = [os.path.join(folder, name) for name in names]
            marks += [(path, storage.stamp(path)) for path in paths]
    for folder in sys.path:
        if os.path.isdir(folder):
            # pip writes a folder of this kind anew for whatever it installs.
            marks += [
                (entry.path, entry.stat().st_mtime_ns)
                for entry in os.scandir(folder)
                if entry.name.endswith(".dist-info")
            ]
    return _digest(sorted(map(repr, marks)))


def _digest(value: Any) -> str:
    return hashlib.blake2b(ascii(value).encode(), digest_size=16).hexdigest()
