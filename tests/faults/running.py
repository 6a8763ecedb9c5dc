"""Running the program on faulty input and in faulty surroundings, and what it leaves."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tests import in_process

__all__ = ["OUTPUTS", "PROGRAM", "children", "digests", "ledger", "massivetext", "temporary_files"]

PROGRAM = [sys.executable, "-c", "from massivetext.cli import main; main()"]
OUTPUTS = ("curated", "rejected", "ledger", "mixture")


def massivetext(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """The command with these arguments: in a process of its own where there are options, as of subprocess.run."""
    if not options:
        return in_process.massivetext(*arguments)
    return subprocess.run(
        [*PROGRAM, *arguments], capture_output=True, encoding="utf-8", errors="surrogateescape", check=False, **options
    )


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a run's output, by its path in DIR."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for kind in OUTPUTS
        for path in sorted((folder / kind).rglob("*"))
        if path.is_file()
    }


def children(parent: int) -> list[int]:
    """Processes of a parent and theirs, from the system's table: multiprocessing's own helpers, and the workers."""
    parent_of = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parent_of[int(entry.name)] = int(fields[1])
    numbers = [parent]
    for number in numbers:
        numbers += [child for child, above in parent_of.items() if above == number]
    return numbers[1:]


def ledger(folder: Path) -> list[dict[str, Any]]:
    return [row for path in sorted((folder / "ledger").rglob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def temporary_files(folder: Path) -> list[str]:
    return [os.fspath(path) for path in folder.rglob("*.tmp")]
