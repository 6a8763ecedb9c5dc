"""Documents that are slow or big without end: each costs itself alone, in every step that can be so."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.faults.running import PROGRAM, children, digests, ledger, massivetext, temporary_files

OWN = '''
"""A rule, a reader and an engine that single documents hold up, blow up or kill."""
import os, signal, time
import pyarrow as pa
from massivetext.documents import Record

def suffer(text):
    if os.environ.get("HARMLESS"):
        return
    if "LOOP" in text:
        open(os.path.join(os.path.dirname(__file__), "looping"), "w").close()
        while True:
            pass
    if "ALLOCATE" in text:
        held = []
        while True:
            held.append(b"x" * (1 << 24))
    if "DIE" in text:
        os.kill(os.getpid(), signal.SIGSEGV)

def rule(texts):
    for text in texts.to_pylist():
        suffer(text)
    return pa.array([len(text) for text in texts.to_pylist()])

def engine(page, *, url, content_type):
    suffer(page.decode())
    return page.decode()

def reader(stream, *, start, stop, source, options, counts):
    for offset, line in enumerate(stream.read().splitlines()):
        suffer(line.decode())
        yield Record(offset, text=line.decode())
'''

HARM = ("LOOP", "ALLOCATE", "DIE")
KINDS = {"LOOP": "timeout", "ALLOCATE": "memory", "DIE": "died"}


class Corpus:
    """A folder with the functions above, documents, and a recipe whose limits are 2 s and 300 MB."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "suffering.py").write_text(OWN, "utf-8")

    def recipe(self, source: str, stages: str, more: str = "") -> None:
        (self.folder / "recipe.yaml").write_text(
            f"subsets:\n  massiveweb:\n    sources: [{source}]\n    stages: [{stages}]\n"
            "isolation: {seconds: 2, memory: 300_000_000}\nmax_failed: 1\nmixture: {weights: {massiveweb: 1}}\n"
            f"{more}",
            "utf-8",
        )

    def run(self, out: str, workers: int = 1, **environment: str) -> tuple[int, str]:
        path = os.pathsep.join([str(self.folder), os.environ.get("PYTHONPATH", "")])
        done = massivetext(
            *("run", str(self.folder / "recipe.yaml"), "--output", str(self.folder / out), "--workers", str(workers)),
            env={**os.environ, "PYTHONPATH": path, **environment},
            timeout=200,
        )
        return done.returncode, done.stderr

    def rows(self, out: str) -> list[dict[str, object]]:
        return [{**row, "id": None} for row in ledger(self.folder / out)]


def text(n: int, harm: str = "") -> str:
    return f"{harm} the story {n} of the fox and the hound, and of what they said of that {'again ' * n}".strip()


def check(corpus: Corpus, harmless: list[str], step: str) -> None:
    """One and two workers give the same bytes; of the rows only those of HARM differ from a harmless run's."""
    code, said = corpus.run("harmless", HARMLESS="1")
    assert 0 == code, said
    for workers, out in ((1, "one"), (2, "two")):
        code, said = corpus.run(out, workers)
        assert 0 == code, said
        assert 0 == massivetext("verify", str(corpus.folder / out)).returncode
        assert [] == temporary_files(corpus.folder / out)
    assert digests(corpus.folder / "one") == digests(corpus.folder / "two")
    before, after = corpus.rows("harmless"), corpus.rows("one")
    assert len(before) == len(after)
    failed = []
    for place, (old, new) in enumerate(zip(before, after)):
        if old != new:
            failed.append((place, new["outcome"], new["reason"], new["reasons"]))
    expected = [f"failed.{KINDS[name]} in {step}" for name in harmless]
    assert [("failed", reason, [reason]) for reason in expected] == [row[1:] for row in failed]


def test_a_rule_that_single_documents_hold_up_blow_up_and_kill(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path)
    for part, harms in enumerate((HARM, ())):
        texts = [text(n, dict(zip((3, 11, 12), harms)).get(n, "")) for n in range(20)]
        (tmp_path / f"{part}.jsonl").write_text("".join(json.dumps({"text": line}) + "\n" for line in texts), "utf-8")
    corpus.recipe(
        "{format: jsonl, path: '*.jsonl'}",
        "rules",
        "rules: {suffering: {function: 'suffering:rule', max: 1000000}}\n",
    )
    check(corpus, list(HARM), "rules")


@pytest.mark.heavy
def test_an_engine_that_single_pages_hold_up_blow_up_and_kill(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path)
    for part, harms in enumerate((HARM, ())):
        texts = [text(n, dict(zip((3, 11, 12), harms)).get(n, "")) for n in range(20)]
        (tmp_path / f"{part}.jsonl").write_text("".join(json.dumps({"page": line}) + "\n" for line in texts), "utf-8")
    corpus.recipe(
        "{format: jsonl, path: '*.jsonl', fields: {page: page}}",
        "extraction",
        "extraction: {engine: 'suffering:engine'}\n",
    )
    check(corpus, list(HARM), "extraction")


@pytest.mark.heavy
@pytest.mark.parametrize("harm", HARM)
def test_a_reader_that_a_record_holds_up_blows_up_or_kills(tmp_path: Path, harm: str) -> None:
    """What comes before it in its file is kept, and so are the other files; the run names the file."""
    corpus = Corpus(tmp_path)
    for part, harms in enumerate((harm, "")):
        lines = [text(n, harms if n == 7 else "") for n in range(12)]
        (tmp_path / f"{part}.txt").write_text("".join(line + "\n" for line in lines), "utf-8")
    corpus.recipe("{format: 'suffering:reader', path: '*.txt'}", "quality", "quality: {word_count: {min: 1}}\n")
    for workers, out in ((1, "one"), (2, "two")):
        code, said = corpus.run(out, workers)

        assert 1 == code, said
        assert f"0.txt: failed.{KINDS[harm]} in reading: nothing is read after record 7" in said
        assert 0 == massivetext("verify", str(tmp_path / out)).returncode
        assert [] == temporary_files(tmp_path / out)
    rows = [
        (row["source"], row["offset"], row["reason"]) for row in ledger(tmp_path / "one") if row["outcome"] == "failed"
    ]
    assert [("0.txt", 7, f"failed.{KINDS[harm]} in reading")] == rows
    assert 7 + 1 + 12 == len(ledger(tmp_path / "one"))
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    # The same command tries the file again.
    code, said = corpus.run("one", HARMLESS="1")
    assert 0 == code, said
    assert 24 == len(ledger(tmp_path / "one"))


def test_nothing_is_left_in_shared_memory_or_the_folder_for_temporary_files(tmp_path: Path) -> None:
    """Of a run that is killed with its workers at work."""
    corpus = Corpus(tmp_path)
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": text(1, "LOOP")}) + "\n", "utf-8")
    corpus.recipe(
        "{format: jsonl, path: '*.jsonl'}",
        "rules",
        "rules: {suffering: {function: 'suffering:rule', max: 1000000}}\n",
    )
    (tmp_path / "temporary").mkdir()
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    run = subprocess.Popen(
        [*PROGRAM, "run", str(tmp_path / "recipe.yaml"), "--output", str(tmp_path / "out"), "--quiet"],
        env={**os.environ, "PYTHONPATH": path, "TMPDIR": str(tmp_path / "temporary")},
        stderr=subprocess.PIPE,
    )
    while run.poll() is None and not (tmp_path / "looping").exists():
        time.sleep(0.05)
    workers = children(run.pid)
    mapped = "".join(Path(f"/proc/{worker}/maps").read_text() for worker in workers)
    run.kill()
    run.communicate()
    for _ in range(200):
        if not any(os.path.exists(f"/proc/{worker}") for worker in workers):
            break
        time.sleep(0.05)

    assert workers
    assert "/dev/shm" not in mapped
    assert not any(os.path.exists(f"/proc/{worker}") for worker in workers)
    assert [] == os.listdir(tmp_path / "temporary")
