"""Faults of disks, folders and files in use: a clear error, nothing half written, and the same bytes once they are
mended."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.corpus import line, lines
from tests.faults.running import PROGRAM, digests, ledger, massivetext, temporary_files

_RECIPE = """
subsets:
  c4:
    sources: [{format: jsonl, path: "in/*"}]
    stages: [quality, repetition, deduplication, contamination]
testsets: [{name: planted, path: items.jsonl, text: '{text}'}]
contamination: {limits: {contamination_alignment: 1.0, contamination_passage: 1.0, contamination_reformatted: 1.0}}
max_failed: 1.0
mixture: {weights: {c4: 1.0}, shard_bytes: 8192}
"""
_ITEM = (
    "To be sure of a good price, farmer33 have to come early and to talk with those that know the kind33 farms. "
    "Nobody in the town could say"
)


class Corpus:
    """Two files, a recipe, and an undisturbed run of it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.recipe, self.base = folder, str(folder / "recipe.yaml"), folder / "base"
        (folder / "in").mkdir()
        (folder / "in" / "a.jsonl").write_bytes(lines(1, 20) + line(3) + line(7).replace(b"cold", b"warm"))
        (folder / "in" / "b.jsonl").write_bytes(lines(15, 20) + b"not json\n")
        (folder / "items.jsonl").write_text(json.dumps({"text": _ITEM}) + "\n")
        Path(self.recipe).write_text(_RECIPE)
        done = self.run(self.base)
        assert 0 == done.returncode, done.stderr
        self.digests = digests(self.base)

    def run(self, out: Path, **options: object) -> subprocess.CompletedProcess[str]:
        return massivetext("run", self.recipe, "--quiet", "--output", str(out), **options)

    def assert_mends(self, out: Path) -> None:
        """A run of the same command makes what an undisturbed run makes."""
        done = self.run(out)
        assert 0 == done.returncode, done.stderr
        assert self.digests == digests(out)
        assert [] == temporary_files(out)
        assert 0 == massivetext("verify", str(out)).returncode


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return Corpus(tmp_path_factory.mktemp("surroundings"))


@pytest.fixture
def copy(corpus: Corpus, tmp_path: Path) -> Path:
    """A copy of the undisturbed run."""
    return Path(shutil.copytree(corpus.base, tmp_path / "copy"))


def _files(folder: Path) -> list[Path]:
    """All that a run leaves but its recipe, which is not made again, and what only informs."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("recipe.yaml", "lock") and "report" not in path.parts
    )


def _flip(path: Path, at: float = 0.5) -> None:
    data = bytearray(path.read_bytes())
    data[int(at * (len(data) - 1))] ^= 0xFF
    path.write_bytes(data)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(_flip, id="a wrong byte"),
        pytest.param(_cut, id="cut", marks=pytest.mark.heavy),
        pytest.param(Path.unlink, id="gone", marks=pytest.mark.heavy),
    ],
)
def test_damaged_files_of_a_run_are_made_again(corpus: Corpus, copy: Path, damage) -> None:
    for path in _files(copy):
        damage(path)

    corpus.assert_mends(copy)


def test_damage_with_the_clock_set_back_is_found(corpus: Corpus, copy: Path) -> None:
    """The size and the time of the last change say that nothing happened."""
    for path in _files(copy / "work" / "evidence") + _files(copy / "ledger"):
        held = path.stat()
        _flip(path)
        os.utime(path, ns=(held.st_atime_ns, held.st_mtime_ns))

    corpus.assert_mends(copy)


@pytest.mark.heavy
@pytest.mark.parametrize("damage", [_flip, _cut, Path.unlink], ids=["a wrong byte", "cut", "gone"])
def test_each_damaged_file_is_made_again(corpus: Corpus, tmp_path: Path, damage) -> None:
    for path in _files(corpus.base):
        out = Path(shutil.copytree(corpus.base, tmp_path / "copy"))
        damage(out / path.relative_to(corpus.base))
        corpus.assert_mends(out)
        shutil.rmtree(out)


@pytest.mark.heavy
def test_a_damaged_recipe_of_the_folder_is_refused(corpus: Corpus, copy: Path) -> None:
    (copy / "recipe.yaml").write_bytes(b"canonical: \xff")
    done = corpus.run(copy)

    assert 1 == done.returncode
    assert f"{copy}/recipe.yaml: is damaged" in done.stderr
    (copy / "recipe.yaml").unlink()
    corpus.assert_mends(copy)


@pytest.mark.parametrize("n_bytes", [4000, *(pytest.param(n, marks=pytest.mark.heavy) for n in (0, 20_000))])
def test_a_file_size_limit_is_an_error_that_mends(corpus: Corpus, tmp_path: Path, n_bytes: int) -> None:
    out = tmp_path / "out"
    done = corpus.run(out, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes)))

    assert 1 == done.returncode
    assert "cannot be written: File too large; free some space" in done.stderr
    assert [] == temporary_files(out)
    corpus.assert_mends(out)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("may not mount a file system here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.heavy
def test_a_full_disk_is_an_error_at_every_size_and_mends(corpus: Corpus, small_disk: Path) -> None:
    """Every size of disk from too small for anything to large enough, so that it is full in every stage."""
    out = small_disk / "out"
    stopped = 0
    for kilobytes in range(100, 2000, 60):
        subprocess.run(["mount", "-o", f"remount,size={kilobytes}k", small_disk], check=True)
        done = corpus.run(out)
        if done.returncode == 0:
            break
        stopped += 1
        assert 1 == done.returncode, done.stderr
        assert "No space left on device; free some space" in done.stderr
        assert [] == temporary_files(out)

    assert stopped > 5
    corpus.assert_mends(out)


def test_output_that_cannot_be_is_refused(corpus: Corpus, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "occupied").mkdir()
    (tmp_path / "occupied" / "work").write_text("x")
    for out, reason in (
        (tmp_path / "file", "Not a directory"),
        (tmp_path / "occupied", "File exists"),
        (Path("/proc/massivetext"), "No such file or directory"),
    ):
        done = corpus.run(out)

        assert 1 == done.returncode
        assert f"{out}/work: cannot be written: {reason}; give another --output" in done.stderr


@pytest.mark.heavy
def test_a_read_only_folder_is_refused_and_mends(corpus: Corpus, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    done = corpus.run(small_disk / "out")

    assert 1 == done.returncode
    assert "Read-only file system; give another --output" in done.stderr
    subprocess.run(["mount", "-o", "remount,rw,size=50m", small_disk], check=True)
    corpus.assert_mends(small_disk / "out")


def test_an_output_folder_within_a_source_is_not_read(corpus: Corpus, tmp_path: Path) -> None:
    shutil.copytree(corpus.folder / "in", tmp_path / "in")
    shutil.copy(corpus.folder / "items.jsonl", tmp_path)
    (tmp_path / "recipe.yaml").write_text(_RECIPE.replace("in/*", "in"))
    out = tmp_path / "in" / "out"
    first, second = (massivetext("run", str(tmp_path / "recipe.yaml"), "--output", str(out)) for _ in range(2))

    assert [0, 0] == [first.returncode, second.returncode], first.stderr + second.stderr
    assert "nothing was done" in second.stderr
    assert len(ledger(corpus.base)) == len(ledger(out))


@pytest.mark.heavy
def test_of_two_runs_at_once_one_is_refused(corpus: Corpus, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [*PROGRAM, "run", corpus.recipe, "--quiet", "--output", str(out)]
    runs = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = {run.pid: run.communicate()[1] for run in runs}

    assert [0, 1] == sorted(run.returncode for run in runs)
    winner, loser = sorted(runs, key=lambda run: run.returncode)
    assert f"process {winner.pid} on " in said[loser.pid]
    assert corpus.digests == digests(out)


def test_sources_that_cannot_be_read_are_named_and_read_by_the_next_run(corpus: Corpus, tmp_path: Path) -> None:
    """A pipe, a device without end, a link to nowhere; in their places files on the next run."""
    folder = tmp_path / "in"
    shutil.copytree(corpus.folder / "in", folder)
    shutil.copy(corpus.folder / "items.jsonl", tmp_path)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(_RECIPE)
    hidden = (folder / "b.jsonl").rename(tmp_path / "hidden")
    os.mkfifo(folder / "pipe.jsonl")
    (folder / "zero.jsonl").symlink_to("/dev/zero")
    (folder / "b.jsonl").symlink_to(tmp_path / "nowhere")
    out = tmp_path / "out"
    arguments = ["run", str(recipe), "--quiet", "--output", str(out)]
    done = massivetext(*arguments, timeout=120)

    assert 1 == done.returncode
    for name in ("pipe", "zero", "b"):
        assert f"failed: {folder}/{name}.jsonl: cannot be opened: " in done.stderr
        assert ["failed.unreadable"] == [row["reason"] for row in ledger(out) if row["source"] == f"{name}.jsonl"]
    for name in ("pipe", "zero", "b"):
        (folder / f"{name}.jsonl").unlink()
    hidden.rename(folder / "b.jsonl")
    done = massivetext(*arguments)

    assert 0 == done.returncode, done.stderr
    assert corpus.digests == digests(out)


@pytest.mark.heavy
def test_input_that_changed_between_two_runs_is_read_again(corpus: Corpus, tmp_path: Path) -> None:
    """To content of the same size, for sizes are not all that can differ."""
    folder = tmp_path / "in"
    shutil.copytree(corpus.folder / "in", folder)
    shutil.copy(corpus.folder / "items.jsonl", tmp_path)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(_RECIPE)
    content = (folder / "a.jsonl").read_bytes()
    (folder / "a.jsonl").write_bytes(content.replace(b"winter", b"summer"))
    first = massivetext("run", str(recipe), "--quiet", "--output", str(tmp_path / "out"))
    changed = digests(tmp_path / "out")
    (folder / "a.jsonl").write_bytes(content)
    second = massivetext("run", str(recipe), "--quiet", "--output", str(tmp_path / "out"))

    assert (0, 0) == (first.returncode, second.returncode), second.stderr
    assert changed != corpus.digests == digests(tmp_path / "out")


@pytest.mark.heavy
@pytest.mark.parametrize("seconds", [0, 4_102_444_800], ids=["1970", "2100"])
def test_a_clock_that_jumped(corpus: Corpus, copy: Path, tmp_path: Path, seconds: int) -> None:
    """Files of DIR and sources from far before and far after: times are compared for being equal, not for order."""
    for path in _files(copy):
        os.utime(path, (seconds, seconds))
    held = {path: path.stat() for path in (corpus.folder / "in").iterdir()}
    for path in held:
        os.utime(path, (4_102_444_800 - seconds,) * 2)
    try:
        corpus.assert_mends(copy)
        corpus.assert_mends(tmp_path / "new")
    finally:
        for path, status in held.items():
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


_MEDDLING = '''
"""A rule that changes, or takes away, the sources while they are read: once."""
import os, shutil
import pyarrow as pa

def rule(texts):
    kind, folder = os.environ.get("MEDDLE"), os.path.dirname(__file__)
    if kind and len(texts) > 1 and os.path.isdir(os.path.join(folder, "later")):
        os.rename(os.path.join(folder, "later"), os.path.join(folder, "now"))
        for name in ("a.jsonl", "b.jsonl"):
            path, new = os.path.join(folder, "in", name), os.path.join(folder, "now", name)
            if kind == "vanish":
                os.remove(path)
            elif kind == "replace":
                os.replace(shutil.copy(new, new + ".copy"), path)
            else:
                shutil.copyfile(new, path)
    return pa.array([len(text) for text in texts.to_pylist()])
'''


@pytest.mark.heavy
@pytest.mark.parametrize("kind", ["replace", "overwrite", "vanish"])
def test_input_that_changes_or_vanishes_during_a_run(tmp_path: Path, kind: str) -> None:
    """Whatever the first run made of it, the next one makes what a run over the new files makes."""
    folder = tmp_path / "meddled"
    for name, year in (("in", b"winter"), ("later", b"summer")):
        (folder / name).mkdir(parents=True)
        for file, first in (("a.jsonl", 1), ("b.jsonl", 100)):
            data = b"".join(line(first + i) for i in range(60))
            (folder / name / file).write_bytes(data.replace(b"winter", year))
    (folder / "meddling.py").write_text(_MEDDLING, "utf-8")
    recipe = folder / "recipe.yaml"
    recipe.write_text(
        "subsets:\n  c4:\n    sources: [{format: jsonl, path: 'in/*'}]\n    stages: [rules, deduplication]\n"
        "rules: {meddling: {function: 'meddling:rule', max: 1000000}}\nmixture: {weights: {c4: 1}}\n",
        "utf-8",
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}
    command = ["run", str(recipe), "--quiet", "--output"]
    first = massivetext(*command, str(tmp_path / "out"), env={**environment, "MEDDLE": kind})
    if kind == "vanish":
        assert 1 == first.returncode
        # Either file was read first, and the other was gone.
        assert "/in/b.jsonl" in first.stderr or "/in/a.jsonl" in first.stderr
        assert 1 == first.stderr.count(".jsonl: cannot be opened: No such file")
        for name in ("a.jsonl", "b.jsonl"):
            shutil.copy(folder / "now" / name, folder / "in")
    second = massivetext(*command, str(tmp_path / "out"), env=environment)
    assert 0 == second.returncode, second.stderr
    undisturbed = massivetext(*command, str(tmp_path / "undisturbed"), env=environment)
    assert 0 == undisturbed.returncode, undisturbed.stderr

    assert (folder / "now").is_dir()
    assert digests(tmp_path / "undisturbed") == digests(tmp_path / "out")
    assert 0 == massivetext("verify", str(tmp_path / "out")).returncode
    assert [] == temporary_files(tmp_path / "out")
