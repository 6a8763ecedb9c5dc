"""Which files in an output folder are this program's, by their names: it removes and rewrites no others.

A folder that a run writes to is claimed first (`pipelines.run_folder.folder`), and what a user puts into it later has
other names than these.
"""

from __future__ import annotations

import os
import re

from massivetext import storage

__all__ = ["FOLDERS", "is_part", "is_shard", "own_parts", "sweep_temporary"]

FOLDERS = ("curated", "rejected", "ledger", "pieces", "mixture", "report", "index", "work")
"""What a run makes below DIR."""

_PART = re.compile(r"part-[0-9a-f]{16}-\d{5,}\.parquet")
_SHARD = re.compile(r"shard-\d{5,}-of-\d{5,}\.parquet")


def is_part(path: str) -> bool:
    """Whether a path is that of a part's file: of documents, of a ledger, or of evidence."""
    return _PART.fullmatch(path.rpartition("/")[2]) is not None


def is_shard(path: str) -> bool:
    """Whether a path is that of a shard of a mixture."""
    return _SHARD.fullmatch(path.rpartition("/")[2]) is not None


def own_parts(folder: str) -> list[str]:
    """Return the files of parts below a folder, sorted."""
    return [path for path in storage.list_files(folder) if is_part(path)]


def sweep_temporary(root: str) -> None:
    """Remove the temporary files of processes that ended while they wrote below a local DIR. Only for who holds its
    lock: nothing else may be writing. Links below its folders are not followed."""
    root = storage.local_path(root)
    places = [(root, storage.list_names(root))]
    for name in FOLDERS:
        places += [(base, names) for base, _, names in os.walk(os.path.join(root, name))]
    for base, names in places:
        for name in names:
            if storage.is_temporary(name):
                storage.remove(os.path.join(base, name))
