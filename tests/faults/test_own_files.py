"""Nothing of the user's is deleted or written over: folders that are refused, and files in DIR that are left alone."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from massivetext import storage
from massivetext.cli import commands
from massivetext.errors import OutputError
from massivetext.own_files import is_part, is_shard, sweep_temporary
from pipelines.input_splits import Part
from pipelines.run_folder.folder import Folder
from tests.pipelines.run_folder.test_rerun import corpus, digests, run

__all__ = ["corpus"]

_THEIRS = (
    "notes.tmp",
    "sub/notes.tmp",
    "curated/mine.parquet",
    "curated/news/part-00000-of-00001.parquet",
    "ledger/mine.parquet",
    "pieces/notes.txt",
    "mixture/gopher/mine.parquet",
    "mixture/gopher/shard.parquet",
    "report/page.html",
    "work/notes.txt",
    "work/evidence/news/mine.parquet",
    "work/duplicates/mine.parquet",
    "work/scratch.tmp",
    ".massivetext-1.tmp",
)


def _put(folder: Path, names: tuple[str, ...] = _THEIRS) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("mine")


def test_files_of_the_user_in_a_finished_folder_stay(corpus: Path) -> None:
    """Through every stage again, with a source gone, and through a removal."""
    run(corpus, "out")
    out = corpus / "out"
    _put(out)
    (corpus / "in" / "1.txt").unlink()
    run(corpus, "out", "--update", "--set", "deduplication.threshold=0.7", "--set", "mixture.shard_bytes=5000")
    run(corpus, "clean", "--set", "deduplication.threshold=0.7", "--set", "mixture.shard_bytes=5000")

    assert digests(corpus / "clean") == {name: d for name, d in digests(out).items() if name not in _THEIRS}
    shard = sorted((out / "mixture" / "gopher").glob("shard-*-of-*.parquet"))[0]
    (corpus / "ids").write_text(pq.read_table(shard).column("id")[0].as_py() + "\n")
    removal = CliRunner().invoke(commands, ["remove", str(out), "--ids", str(corpus / "ids")])

    assert 0 == removal.exit_code, removal.output
    assert ["mine"] * len(_THEIRS) == [(out / name).read_text() for name in _THEIRS]


def test_a_file_of_the_user_among_ours_is_named_by_verify(corpus: Path) -> None:
    run(corpus, "out")
    _put(corpus / "out", ("curated/mine.parquet", "sub/notes.tmp"))
    result = CliRunner().invoke(commands, ["verify", str(corpus / "out")])

    assert 1 == result.exit_code
    assert f"fault: {corpus}/out/curated/mine.parquet: is not in the manifest" in result.output
    assert "notes.tmp" not in result.output


@pytest.mark.parametrize(
    "names",
    [
        ("notes.txt",),
        ("recipe.yaml",),
        (".git/config",),
        ("work/lock", "work/plan.txt"),
        ("work/lock", "paper.tex"),
        ("curated/mine.parquet",),
        ("ledger/manifest.json",),
        ("mixture/main/shard-00000-of-00001.parquet",),
    ],
)
def test_a_folder_that_no_run_made_is_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    _put(tmp_path, names)
    with pytest.raises(OutputError, match=r"is not empty .*nothing in it shows that a run made it; give another"):
        Folder(str(tmp_path)).claim()


@pytest.mark.parametrize(
    "names",
    [
        (),
        ("work/lock",),
        ("lost+found/",),
        (".DS_Store",),
        (f".massivetext-{'0' * 32}.tmp",),
        ("work/lock", f"work/.massivetext-{'a' * 32}.tmp"),
    ],
)
def test_a_folder_with_nothing_of_the_users_is_taken(tmp_path: Path, names: tuple[str, ...]) -> None:
    """Also one of a run that was ended before it wrote its recipe, and a disk that was just mounted."""
    _put(tmp_path, tuple(name for name in names if not name.endswith("/")))
    for name in names:
        if name.endswith("/"):
            (tmp_path / name).mkdir()
    Folder(str(tmp_path)).claim()
    Folder(str(tmp_path / "new" / "er")).claim()


def test_a_name_that_would_move_the_cursor_is_shown_as_text(tmp_path: Path) -> None:
    (tmp_path / "\x1b[2J\nall is well").touch()
    with pytest.raises(OutputError) as caught:
        Folder(str(tmp_path)).claim()

    assert "\x1b" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_output_into_the_folder_of_the_recipe_is_refused(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--output .`, where a recipe.yaml of the user's lies, and the sources."""
    monkeypatch.chdir(corpus)
    before = {path: path.read_bytes() for path in corpus.rglob("*") if path.is_file()}
    result = CliRunner().invoke(commands, ["run", "recipe.yaml", "--output", ".", "--update"], standalone_mode=False)

    assert isinstance(result.exception, OutputError)
    assert before == {path: path.read_bytes() for path in corpus.rglob("*") if path.is_file()}


def test_what_a_run_left_is_its_own(corpus: Path) -> None:
    """Also when its recipe.yaml is gone, as the message on a damaged one has it."""
    run(corpus, "out")
    Folder(str(corpus / "out")).claim()
    (corpus / "out" / "recipe.yaml").unlink()
    Folder(str(corpus / "out")).claim()


def test_names_of_ours() -> None:
    name = Part("c4", "text", "/a", "a", 12, 0, 1, 1, {}).name

    assert is_part(f"curated/c4/{name}.parquet")
    assert is_shard("mixture/main/shard-00003-of-00016.parquet")
    for theirs in ("mine.parquet", "part-00000-of-00001.parquet", f"{name}.parquet.bak", f"my-{name}.parquet"):
        assert not is_part(theirs)
        assert not is_shard(theirs)


# Temporary files and the lock.


def test_temporary_names_cannot_be_known_and_are_swept(tmp_path: Path) -> None:
    path = tmp_path / "curated" / "c4" / "a"
    names = set()
    for _ in range(20):
        with storage.open_output(str(path)) as stream:
            stream.write(b"x")
            names |= {entry.name for entry in path.parent.iterdir()} - {"a"}

    assert 20 == len(names)
    assert all(storage.is_temporary(name) for name in names)
    assert ["a"] == [entry.name for entry in path.parent.iterdir()]
    leftover = path.parent / names.pop()
    leftover.touch()
    elsewhere = tmp_path / "elsewhere" / leftover.name
    elsewhere.parent.mkdir()
    elsewhere.touch()
    (tmp_path / "curated" / "linked").symlink_to(tmp_path / "elsewhere")
    sweep_temporary(str(tmp_path))

    assert not leftover.exists()
    assert elsewhere.exists()


def test_a_temporary_file_follows_no_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if its name is guessed."""
    (tmp_path / "theirs").write_text("mine")
    monkeypatch.setattr(storage.secrets, "token_hex", lambda n: "0" * 2 * n)
    (tmp_path / f".massivetext-{'0' * 32}.tmp").symlink_to(tmp_path / "theirs")
    with pytest.raises(OutputError, match="File exists"), storage.open_output(str(tmp_path / "a")) as stream:
        stream.write(b"x")

    assert "mine" == (tmp_path / "theirs").read_text()
    assert not (tmp_path / "a").exists()


def test_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    """As two containers do whose processes have the same number."""
    path, barrier = str(tmp_path / "a"), threading.Barrier(8)

    def write(letter: bytes) -> None:
        with storage.open_output(path) as stream:
            barrier.wait()
            for _ in range(100):
                stream.write(letter * 1000)

    threads = [threading.Thread(target=write, args=(bytes([65 + n]),)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    data = (tmp_path / "a").read_bytes()

    assert data == data[:1] * 100_000
    assert ["a"] == os.listdir(tmp_path)


def test_the_bytes_are_synced_before_the_name_appears(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(storage.os, "fsync", lambda handle: (calls.append("sync"), sync(handle))[1])
    monkeypatch.setattr(storage.os, "replace", lambda *paths: (calls.append("rename"), replace(*paths))[1])
    storage.write_bytes(str(tmp_path / "a"), b"x")

    assert ["sync", "rename"] == calls


@pytest.mark.parametrize("kind", ["symbolic", "hard"])
def test_the_lock_is_written_to_no_file_of_the_users(tmp_path: Path, kind: str) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_text("mine")
    (tmp_path / "out" / "work").mkdir(parents=True)
    lock = tmp_path / "out" / "work" / "lock"
    if kind == "symbolic":
        lock.symlink_to(theirs)
        with pytest.raises(OutputError, match="is a link, which is not followed"), Folder(str(tmp_path / "out")).lock():
            pass
    else:
        lock.hardlink_to(theirs)
        with Folder(str(tmp_path / "out")).lock():
            pass

    assert "mine" == theirs.read_text()
