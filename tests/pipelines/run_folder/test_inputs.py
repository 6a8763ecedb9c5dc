"""Sources whose bytes change behind their times, and sources that only look new."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import xxhash

from massivetext import readers, storage
from massivetext.sealed import read_sealed, write_sealed
from pipelines.input_splits import find_parts
from pipelines.recipe import read
from pipelines.run_folder import part_files
from pipelines.run_folder.folder import Folder
from pipelines.run_folder.inputs import known_inputs, note_inputs
from tests.pipelines.run_folder.test_rerun import corpus, digests, run, write

__all__ = ["corpus"]


def _stamps(corpus: Path, *, by_digest: bool = False) -> tuple[dict[str, int], list[str]]:
    lines: list[str] = []
    parts = find_parts(read(str(corpus / "recipe.yaml")))
    known = known_inputs(Folder(str(corpus / "out")), parts, by_digest=by_digest, say=lines.append)
    return {file.source: file.stamp for part in known for file in part.members}, lines


def _rewrite(path: Path, *, keep_times: bool = True) -> None:
    """Write other bytes of the same length, as `rsync -a`, `cp -p` and `tar` set the time of the last change."""
    status = path.stat()
    path.write_bytes(path.read_bytes().replace(b"war", b"wax"))
    if keep_times:
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_changed_bytes_with_the_old_time_and_size_are_read_again(corpus: Path) -> None:
    run(corpus, "out", "--check-inputs")
    before = storage.modified(str(corpus / "in" / "1.txt"))
    _rewrite(corpus / "in" / "1.txt")
    assert before == storage.modified(str(corpus / "in" / "1.txt"))
    told = run(corpus, "out", "--check-inputs")
    run(corpus, "clean")

    assert "curate: 1 of 5 parts: 1 changed" in told
    assert digests(corpus / "clean") == digests(corpus / "out")


def test_a_changed_input_with_its_old_time_is_noticed_without_being_asked(corpus: Path) -> None:
    """And the copy of a whole project, in which every file has a new status, is read no second time."""
    run(corpus, "out")
    assert "holds all of this already" in run(corpus, "out")
    _rewrite(corpus / "in" / "1.txt")
    told = run(corpus, "out")

    assert "inputs: 1 file whose status alone has changed compared by digest; 1 changed since the last time" in told
    assert "curate: 1 of 5 parts: 1 changed" in told
    run(corpus, "clean")
    assert digests(corpus / "clean") == digests(corpus / "out")
    shutil.rmtree(corpus / "clean")

    other = corpus.parent / "copy"
    subprocess.run(["cp", "-a", str(corpus), str(other)], check=True)
    told = run(other, "out")

    assert "inputs: 5 files whose status alone has changed compared by digest; 0 changed since the last time" in told
    assert "holds all of this already" in told
    assert "inputs" not in run(other, "out")  # their new status is noted


def test_what_changes_while_it_is_read_is_read_again(corpus: Path) -> None:
    part = find_parts(read(str(corpus / "recipe.yaml")))[0]
    looks = part_files.look_at_files(part)
    _rewrite(corpus / "in" / "0.txt")
    part_files.write_files(str(corpus / "out"), part, looks)
    note_inputs(Folder(str(corpus / "out")), [part])
    stamps, lines = _stamps(corpus)

    assert part.stamp != stamps["0.txt"]
    assert ["inputs: 1 file whose status alone has changed compared by digest; 1 changed since the last time"] == lines


def test_bytes_that_went_bad_by_themselves_are_found_by_digest(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All times as they were: no stamp can tell."""
    monkeypatch.setattr(readers, "stamp", lambda path, format: 7)
    plain, _ = _stamps(corpus)
    first, lines = _stamps(corpus, by_digest=True)
    assert set(plain.values()) == {7}
    assert ["inputs: 5 files compared by digest; 0 changed since the last time"] == lines
    assert first == _stamps(corpus)[0] == _stamps(corpus, by_digest=True)[0]
    _rewrite(corpus / "in" / "3.txt")
    second, lines = _stamps(corpus, by_digest=True)

    assert ["inputs: 5 files compared by digest; 1 changed since the last time"] == lines
    assert {"3.txt"} == {name for name in first if first[name] != second[name]}
    assert second == _stamps(corpus)[0]


def test_a_corpus_that_was_copied_is_not_read_again(corpus: Path) -> None:
    first, _ = _stamps(corpus, by_digest=True)
    shutil.copytree(corpus / "in", corpus / "copy")
    shutil.rmtree(corpus / "in")
    (corpus / "copy").rename(corpus / "in")
    for path in (corpus / "in").iterdir():
        os.utime(path, (5, 5))
    again, lines = _stamps(corpus, by_digest=True)

    assert first == again == _stamps(corpus)[0]
    assert ["inputs: 5 files compared by digest; 0 changed since the last time"] == lines


def test_a_damaged_note_is_made_again(corpus: Path) -> None:
    _stamps(corpus, by_digest=True)
    note = corpus / "out" / "work" / "inputs.json"
    note.write_bytes(note.read_bytes().replace(b'"stamp"', b'"stamq"', 1))
    parts = find_parts(read(str(corpus / "recipe.yaml")))
    plain = {file.source: file.stamp for part in parts for file in part.members}

    assert plain == _stamps(corpus)[0]
    assert plain != _stamps(corpus, by_digest=True)[0]


def test_a_run_that_checks_its_inputs(corpus: Path) -> None:
    run(corpus, "out", "--check-inputs")
    write(corpus / "in" / "2.txt", 90, 91)
    told = run(corpus, "out", "--check-inputs")

    assert "1 changed since the last time" in told
    assert "curate: 1 of 5 parts: 1 changed" in told
    assert "holds all of this already" in run(corpus, "out")


@pytest.mark.parametrize(
    ("format_", "algorithm", "digest"),
    [
        ("massivetext-inputs-2", "blake2b", lambda content: hashlib.blake2b(content, digest_size=32)),
        ("massivetext-inputs-3", "sha256", hashlib.sha256),
    ],
)
def test_notes_of_an_earlier_version_are_compared_by_their_own_digest(
    corpus: Path, format_: str, algorithm: str, digest: Callable[[bytes], Any]
) -> None:
    run(corpus, "out")
    path = str(corpus / "out" / "work" / "inputs.json")
    noted = read_sealed(path)
    for key, note in noted["files"].items():
        content = (corpus / "in" / key.partition("/")[2]).read_bytes()
        assert xxhash.xxh3_128(content).hexdigest() == note.pop("xxh3_128")
        note[algorithm] = digest(content).hexdigest()
    write_sealed(path, {"format": format_, "files": noted["files"]})
    _rewrite(corpus / "in" / "1.txt")
    for name in "0234":
        os.utime(corpus / "in" / f"{name}.txt", ns=(5, storage.modified(str(corpus / "in" / f"{name}.txt"))))
    told = run(corpus, "out")

    assert "inputs: 5 files whose status alone has changed compared by digest; 1 changed since the last time" in told
    assert "curate: 1 of 5 parts: 1 changed" in told
