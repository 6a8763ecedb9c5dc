"""Small files that share a part: the rows of files that have each their own, and faults that stay with their file."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.faults.running import digests
from tests.in_process import massivetext

PROGRAM = [sys.executable, "-c", "from massivetext.cli import main; main()"]

READER = '''
"""A reader of lines that some of them end, in one way or another."""
import os, signal
from massivetext.documents import Record

def lines(stream, *, start, stop, source, options, counts):
    offset = 0
    for line in stream.read().splitlines(keepends=True):
        if os.environ.get("HARMLESS") != "1":
            if b"DEADLY" in line:
                os.kill(os.getpid(), signal.SIGKILL)
            if b"UNFORESEEN" in line:
                raise ValueError("a line that nobody foresaw")
        yield Record(offset, text=line.decode("utf-8").strip())
        offset += len(line)
'''


def tale(n: int) -> str:
    return f"the tale of {n} and of what became of {n} in the {n}th year of the long war"


def run(folder: Path, out: str, *options: str, recipe: str = "recipe.yaml", **environment: str) -> tuple[int, str]:
    if not environment and not (folder / "suffering.py").exists():
        done = massivetext("run", folder / recipe, "--output", folder / out, "--log-json", *options)
        return done.returncode, done.stdout + done.stderr
    done = subprocess.run(
        [*PROGRAM, "run", str(folder / recipe), "--output", str(folder / out), "--log-json", *options],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path]), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def rows(folder: Path, kind: str) -> list[dict[str, Any]]:
    unsorted = [row for path in (folder / kind).rglob("*.parquet") for row in pq.read_table(path).to_pylist()]
    return sorted(unsorted, key=lambda row: (row["source"], row.get("offset", 0), row["id"]))


def write_recipe(folder: Path, source: str, name: str = "recipe.yaml") -> None:
    (folder / name).write_text(
        f"subsets:\n  news:\n    sources: [{source}]\n    stages: [quality, deduplication]\n"
        "quality: {word_count: {min: 5}, stop_word_count: {min: 0}, mean_word_length: {min: 1}}\n"
        "deduplication: {keep: first}\nmax_failed: 1\nmixture: {weights: {news: 1.0}}\n",
        "utf-8",
    )


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Files of one or two documents, copies among them, and files that are empty, cut, or not there."""
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for n in range(12):
        name = f"deep/{n:02d}.jsonl" if n % 3 == 0 else f"{n:02d}.jsonl"
        texts = [tale(n), tale(n // 4), "too short"][: 1 + n % 3]
        (tmp_path / "in" / name).write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), "utf-8")
    (tmp_path / "in" / "05a.jsonl").write_bytes(b"")
    whole = gzip.compress("".join(json.dumps({"text": tale(100 + n)}) + "\n" for n in range(3000)).encode())
    (tmp_path / "in" / "05b.jsonl.gz").write_bytes(whole[:-2000])
    (tmp_path / "in" / "05c.jsonl").symlink_to(tmp_path / "nowhere")
    write_recipe(tmp_path, "{format: jsonl, path: in}")
    write_recipe(tmp_path, "{format: jsonl, path: in, pack: false}", "apart.yaml")
    return tmp_path


def test_packed_files_have_the_rows_of_files_by_themselves(corpus: Path) -> None:
    code, output = run(corpus, "packed")
    assert 1 == code, output
    apart, output_apart = run(corpus, "apart", recipe="apart.yaml")
    assert 1 == apart, output_apart
    two, output_of_two = run(corpus, "two", "--workers", "2")
    assert 1 == two, output_of_two

    assert digests(corpus / "packed") == digests(corpus / "two")
    assert [1] == [len(list((corpus / "packed" / kind).rglob("*.parquet"))) for kind in ("ledger",)]
    assert 15 == len(list((corpus / "apart" / "ledger").rglob("*.parquet")))
    for kind in ("ledger", "curated", "rejected"):
        assert rows(corpus / "apart", kind) == rows(corpus / "packed", kind)
    mixed = [{row["id"] for row in rows(corpus / out, "mixture")} for out in ("packed", "apart")]
    assert mixed[0] == mixed[1]
    assert mixed[0] == {row["id"] for row in rows(corpus / "packed", "ledger") if row["outcome"] == "kept"}
    reasons = Counter((row["source"], row["reason"]) for row in rows(corpus / "packed", "ledger") if row["reason"])
    assert 1 == reasons["05b.jsonl.gz", "failed.truncated"]
    assert 1 == reasons["05c.jsonl", "failed.unreadable"]
    for lines in (output, output_apart):
        for name in ("05b.jsonl.gz", "05c.jsonl"):
            assert 1 == lines.count(f"failed: {corpus}/in/{name}: "), lines
    files = json.loads(next((corpus / "packed" / "work" / "files").rglob("*.json")).read_text("utf-8"))["files"]
    assert {row["source"] for row in rows(corpus / "packed", "ledger")} | {"05a.jsonl"} == set(files)


def test_files_that_are_new_changed_or_gone_are_named_and_redone(corpus: Path) -> None:
    for name in ("05b.jsonl.gz", "05c.jsonl"):
        (corpus / "in" / name).unlink()
    assert 0 == run(corpus, "out")[0]
    assert "nothing was done" in run(corpus, "out")[1]

    (corpus / "in" / "04.jsonl").unlink()
    (corpus / "in" / "07.jsonl").write_text(json.dumps({"text": tale(70)}) + "\n", "utf-8")
    for name in ("20", "21"):
        (corpus / "in" / f"{name}.jsonl").write_text(json.dumps({"text": tale(int(name))}) + "\n", "utf-8")
    code, output = run(corpus, "out", "--update")

    assert 0 == code, output
    assert "curate: 1 of 1 parts: 1 changed, or read by other rules (files in them: 2 new, 1 changed, 1 gone)" in output
    assert 0 == run(corpus, "fresh")[0]
    assert digests(corpus / "fresh") == digests(corpus / "out")


@pytest.mark.parametrize("recipe", ["recipe.yaml", "apart.yaml"])
def test_files_that_are_gone_are_named_however_few_are_left(corpus: Path, recipe: str) -> None:
    for path in [*(corpus / "in").glob("05[abc]*"), *(corpus / "in").glob("1*")]:
        path.unlink()
    (corpus / "in" / "08.jsonl").write_text(json.dumps({"text": tale(8)}) + "\n", "utf-8")

    def names_of_gone() -> list[str]:
        code, output = run(corpus, "out", recipe=recipe)
        assert 0 == code, output
        return sorted(re.findall(r"news: source (\S+) is gone; its (?:\d rows? |rows )leave the output", output))

    assert [] == names_of_gone()
    (corpus / "in" / "07.jsonl").unlink()
    (corpus / "in" / "08.jsonl").unlink()
    assert ["07.jsonl", "08.jsonl"] == names_of_gone()
    for name in ("02", "04", "05", "deep/00", "deep/03", "deep/06", "deep/09"):
        (corpus / "in" / f"{name}.jsonl").unlink()
    assert 7 == len(names_of_gone())
    assert ["01.jsonl"] == sorted({row["source"] for row in rows(corpus / "out", "ledger")})
    assert [] == names_of_gone()


def test_a_killed_run_of_packed_files_goes_on(corpus: Path) -> None:
    run(corpus, "undisturbed")
    for seconds in (2.0, 5.0):
        process = subprocess.Popen(
            [*PROGRAM, "run", str(corpus / "recipe.yaml"), "--output", str(corpus / "killed"), "--quiet"],
            stderr=subprocess.DEVNULL,
        )
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
    run(corpus, "killed")

    assert digests(corpus / "undisturbed") == digests(corpus / "killed")
    assert [] == list((corpus / "killed").rglob("*.tmp"))


def test_a_file_that_ends_its_process_or_its_reader_costs_itself_alone(tmp_path: Path) -> None:
    (tmp_path / "suffering.py").write_text(READER, "utf-8")
    for n in range(9):
        lines = [tale(10 * n + k) for k in range(4)]
        lines[2] += {2: " DEADLY", 5: " UNFORESEEN", 7: " DEADLY"}.get(n, "")
        (tmp_path / f"{n}.txt").write_text("".join(line + "\n" for line in lines), "utf-8")
    write_recipe(tmp_path, "{format: 'suffering:lines', path: '*.txt'}")
    for workers in ("1", "2"):
        code, output = run(tmp_path, workers, "--workers", workers)
        assert 1 == code, output
        for n in (2, 7):
            assert f"{n}.txt: failed.died in reading: nothing is read after record 2" in output
        assert "5.txt: given up (ValueError: a line that nobody foresaw); the next run tries it again" in output
    ledger = rows(tmp_path / "1", "ledger")
    failed = [(row["source"], row["reason"]) for row in ledger if row["outcome"] == "failed"]

    assert digests(tmp_path / "1") == digests(tmp_path / "2")
    assert [
        ("2.txt", "failed.died in reading"),
        ("5.txt", "failed.part"),
        ("7.txt", "failed.died in reading"),
    ] == failed
    assert len(ledger) == len({row["id"] for row in ledger})
    assert {f"{n}.txt": 3 if n in (2, 5, 7) else 4 for n in range(9)} == dict(Counter(row["source"] for row in ledger))

    code, output = run(tmp_path, "1", HARMLESS="1")
    assert 0 == code, output
    assert "curate: 1 of 1 parts: 1 failed before" in output
    assert 36 == len(rows(tmp_path / "1", "ledger"))
