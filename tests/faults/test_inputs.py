"""Faulty sources beside healthy ones: nothing is lost without a row or a named failure, and no neighbour suffers."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.corpus import FAULTS, Fault, write_faults, write_recipe
from tests.faults.running import ledger, massivetext


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, dict[tuple[str, str], Counter[str | None]]]:
    folder = tmp_path_factory.mktemp("faults")
    write_faults(folder)
    out = folder / "out"
    done = massivetext("run", str(write_recipe(folder)), "--output", str(out), "--quiet", "--workers", "2")
    assert 1 == done.returncode, done.stderr
    found: dict[tuple[str, str], Counter[str | None]] = {}
    for row in ledger(out):
        reason = row["reason"] if row["outcome"] == "failed" else None if row["outcome"] == "kept" else row["outcome"]
        found.setdefault((row["subset"], row["source"]), Counter())[reason] += 1
    return out, done.stderr, found


def _source(fault: Fault) -> str:
    name = fault.name if fault.name.startswith("parquet/") else fault.name.partition("/")[2]
    return os.fsencode(name).decode("utf-8", "backslashreplace")


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.what for fault in FAULTS])
def test_a_fault_has_its_row(run, fault: Fault) -> None:
    _, errors, found = run
    rows = found.get((fault.subset, _source(fault)), Counter())

    if fault.outcomes is None:
        assert rows.total()
    else:
        assert fault.outcomes == dict(rows)
    assert fault.named == (f"/{fault.name}: " in errors)
    if fault.subset == "massiveweb" and fault.name.startswith("pages/"):
        assert 1 == rows.total()


def test_neighbours_are_kept_and_the_folder_is_sound(run) -> None:
    out, errors, found = run

    for name in ("healthy", "other"):
        assert {None: 5} == dict(found["c4", f"{name}.jsonl"])
    assert "Traceback" not in errors
    assert sum(fault.named for fault in FAULTS) == errors.count("failed: ")
    assert 0 == massivetext("verify", str(out)).returncode
    assert [] == list(out.rglob("*.tmp"))
